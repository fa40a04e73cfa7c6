#!/usr/bin/env python3
"""One command to set up, run, test and check Cobro; `python3 dev.py` lists them.

Standard library only, and readable by an older Python, so that a machine which lacks something is
told what in one line. The Makefile calls this file; use it directly where there is no make.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
PYTHON = str(BIN / "python")
OLDEST = (3, 11)
UV = "uv==0.13.9"
RUNTIME = ["requirements.txt"]
DEVELOPMENT = ["requirements.txt", "requirements-dev.txt"]
MUTANTS = [*DEVELOPMENT, "requirements-mutants.txt"]
STOP_SECONDS = 7.0
PULSE_SECONDS = 0.2
PARALLEL_TESTS = "2"


class Failed(Exception):
    """What went wrong, as the one line that the user is shown."""


# --- set up ---------------------------------------------------------------------------------------


def setup(files: list[str]) -> None:
    """Make `.venv` hold what `files` list; nothing is installed when it already does."""
    lock = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _venv_works():
            _make_venv()
        missing = [name for name in files if _stamp(name) != _wanted(name)]
        if missing:
            _install(files)
    finally:
        os.close(lock)


def _venv_works() -> bool:
    """Whether `.venv` can run Python and pip; it cannot after the system's Python was replaced."""
    if not os.path.exists(PYTHON):
        return False
    probe = f"import pip, sys; sys.exit(sys.version_info < {OLDEST})"
    return subprocess.run([PYTHON, "-c", probe], capture_output=True).returncode == 0


def _make_venv() -> None:
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        raise Failed(
            "Python's venv module is missing. Install it with: apt-get install python3-venv"
        ) from None
    _say("Making the virtual environment .venv")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True
    )
    if made.returncode:
        raise Failed("Could not make .venv: " + _last_line(made.stdout + made.stderr))


def _install(files: list[str]) -> None:
    _say("Installing " + " and ".join(files))
    started = time.monotonic()
    if not _install_with_uv(files):
        _install_with_pip(files)
    for name in files:
        _stamp_path(name).write_text(_wanted(name))
    _say(f"Installed in {time.monotonic() - started:.0f} s")


def _install_with_uv(files: list[str]) -> bool:
    """uv takes seconds where pip takes half a minute, but the project does not depend on it."""
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV]
    if subprocess.run(pip, capture_output=True).returncode:
        return False
    # pip's certificates are the system's; uv brings its own unless it is told otherwise.
    environment = {"UV_SYSTEM_CERTS": "1", **os.environ}
    command = [str(BIN / "uv"), "pip", "install", "--quiet", "--python", PYTHON, *_listed(files)]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True).returncode == 0


def _install_with_pip(files: list[str]) -> None:
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*command, *_listed(files)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise Failed(
            "Could not install the packages (is the package index reachable?): "
            + _last_line(done.stderr)
        )


def _listed(files: list[str]) -> list[str]:
    return [part for name in files for part in ("-r", name)]


def _stamp_path(name: str) -> Path:
    return VENV / (".installed-" + name)


def _stamp(name: str) -> str:
    try:
        return _stamp_path(name).read_text()
    except OSError:
        return ""


def _wanted(name: str) -> str:
    return hashlib.sha256((ROOT / name).read_bytes()).hexdigest()


# --- environments ---------------------------------------------------------------------------------


def environment() -> dict[str, str]:
    """The caller's environment, what `.env` adds to it, and the virtual environment in PATH."""
    values = {**_read_env_file(ROOT / ".env"), **os.environ}
    values["PATH"] = str(BIN) + os.pathsep + values.get("PATH", os.defpath)
    values["VIRTUAL_ENV"] = str(VENV)
    values["PYTHONUNBUFFERED"] = "1"
    return values


def embedded_environment(folder: str) -> dict[str, str]:
    """An environment in which nothing is configured, so that a test run is the same everywhere."""
    values = environment()
    for name in re.findall(r"^#?(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE):
        values.pop(name, None)
    values.pop("DJANGO_SETTINGS_MODULE", None)
    values["ENV_FILE"] = os.devnull
    values["QUEUE_DIR"] = os.path.join(folder, "queue")
    values["SANDBOX_PATH"] = os.path.join(folder, "sandbox.sqlite3")
    return values


def _read_env_file(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    found = re.findall(
        r"^\s*(?:export\s+)?(\w+)\s*=[ \t]*(.*?)\s*$", path.read_text(), re.MULTILINE
    )
    return {name: value.strip("'\"") for name, value in found}


# --- run ------------------------------------------------------------------------------------------


def run(_: list[str]) -> int:
    """install, migrate, seed, and start web, worker, beat and the sandbox's deliveries"""
    port = _port()
    setup(RUNTIME)
    values = {**environment(), "PORT": str(port)}
    _manage("migrate", "--verbosity", "0", values=values)
    if not values.get("REDIS_URL"):
        _manage("createcachetable", values=values)
    log_ins = _manage("billing_seed", values=values)
    commands = _procfile()
    if values.get("ENVIRONMENT", "development") == "development":
        commands["sandbox"] = "python manage.py billing_sandbox deliver"
    return Supervisor(commands, values, port, log_ins).run()


def _port() -> int:
    """The port to serve on, known to be free before anything is installed."""
    text = environment().get("PORT") or "8000"
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise Failed(f"PORT is {text!r}; it must be a number from 1 to 65535.")
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(text)))
        except OSError as error:
            raise Failed(
                f"Port {text} cannot be used ({error.strerror}). "
                f"Choose another: PORT={int(text) % 65535 + 1} make run"
            ) from None
    return int(text)


def _manage(*arguments: str, values: dict[str, str]) -> str:
    done = subprocess.run(
        [PYTHON, "manage.py", *arguments], cwd=ROOT, env=values, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.stdout.write(done.stdout)
        raise Failed(f"manage.py {arguments[0]} failed; the reason stands above.")
    return done.stdout


def _procfile() -> dict[str, str]:
    lines = (ROOT / "Procfile").read_text().splitlines()
    pairs = (line.split(":", 1) for line in lines if ":" in line and not line.startswith("#"))
    return {name.strip(): command.strip() for name, command in pairs}


class Supervisor:
    """Runs the processes, each in a session of its own, and ends all of them when one ends."""

    def __init__(
        self, commands: dict[str, str], values: dict[str, str], port: int, log_ins: str
    ) -> None:
        self._commands = commands
        self._values = values
        self._port = port
        self._log_ins = log_ins
        self._stop = threading.Event()
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._threads: list[threading.Thread] = []

    def run(self) -> int:
        """Serve until a signal (0) or until a process ends by itself (1)."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda *_: self._stop.set())
        try:
            for name, command in self._commands.items():
                self._start(name, command)
            ended = self._wait()
        finally:
            self._end_all()
        if ended:
            code = self._processes[ended].returncode
            raise Failed(f"{ended} ended by itself (status {code}); stopped the rest.")
        _say("Stopped.")
        return 0

    def _start(self, name: str, command: str) -> None:
        process = subprocess.Popen(
            ["sh", "-c", "exec " + command],
            cwd=ROOT,
            env=self._values,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            errors="replace",
        )
        self._processes[name] = process
        thread = threading.Thread(target=self._relay, args=(name, process), daemon=True)
        thread.start()
        self._threads.append(thread)

    def _relay(self, name: str, process: subprocess.Popen[str]) -> None:
        width = max(map(len, self._commands))
        for line in process.stdout or ():
            _say(f"{name:<{width}} | {line.rstrip()}")

    def _wait(self) -> str:
        """Return the name of the process that ended by itself, or '' after a signal."""
        announced = False
        while not self._stop.wait(PULSE_SECONDS):
            ended = [name for name, one in self._processes.items() if one.poll() is not None]
            # A signal to the whole tree may reach a child a moment before it reaches us.
            if ended and not self._stop.wait(2 * PULSE_SECONDS):
                return ended[0]
            if not announced and _answers(self._port):
                announced = True
                self._announce()
        return ""

    def _announce(self) -> None:
        site = f"http://127.0.0.1:{self._port}"
        move = "" if self._port == 8000 else f"PORT={self._port} "
        _say(
            "\nCobro is running; Ctrl-C stops it.\n\n"
            f"  Admin     {site}/admin/\n"
            f"  API       {site}/api/v1/billing/plans\n"
            f"  API docs  {site}/api/docs\n\n"
            f"{self._log_ins.strip()}\n\n"
            "A life of two customers, in another terminal:\n"
            f"  {move}.venv/bin/python manage.py billing_demo\n"
        )

    def _end_all(self) -> None:
        """SIGTERM to each process, and SIGKILL to what is left of its session at the deadline."""
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for thread in self._threads:
            thread.join(1)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


# --- test and check -------------------------------------------------------------------------------


def test(arguments: list[str]) -> int:
    """run the tests that need no service; more arguments go to pytest"""
    setup(DEVELOPMENT)
    options = ["-n", PARALLEL_TESTS, "--dist", "worksteal", "-m", "not postgres"]
    return _embedded([PYTHON, "-m", "pytest", *options, *arguments])


def lint(_: list[str]) -> int:
    """check format, style, types, imports, migrations, packages and the API's description"""
    setup(DEVELOPMENT)
    manage = [PYTHON, "manage.py"]
    steps = [
        [str(BIN / "ruff"), "format", "--check", "."],
        [str(BIN / "ruff"), "check", "."],
        [str(BIN / "mypy")],
        [str(BIN / "lint-imports"), "--no-cache", "--no-logo"],
        [*manage, "check"],
        [*manage, "makemigrations", "--check", "--dry-run"],
        [*manage, "spectacular", "--validate", "--fail-on-warn", "--file", os.devnull],
        [PYTHON, "-m", "pip", "--disable-pip-version-check", "check"],
    ]
    failed = [" ".join(step).replace(str(BIN) + "/", "") for step in steps if _step_fails(step)]
    if failed:
        raise Failed("Not right: " + "; ".join(failed))
    return 0


def check(arguments: list[str]) -> int:
    """lint, then test"""
    return lint([]) or test(arguments)


def soak(arguments: list[str]) -> int:
    """attack, kill and time the whole on servers of its own; names choose blocks"""
    return _on_own_servers("billing.tests.soak", arguments)


def planted(arguments: list[str]) -> int:
    """take safeguards away, one by one in a copy, and ask that named tests turn red"""
    return _on_own_servers("billing.tests.soak.planted", arguments)


def bench(arguments: list[str]) -> int:
    """measure speed as ratios to the barest code, on servers of its own; --quick takes minutes"""
    return _on_own_servers("project.bench", arguments)


def mutants(arguments: list[str]) -> int:
    """change the code that decides about money and see whether a test notices; names choose"""
    setup(MUTANTS)
    return _in_own_session("project.mutants", arguments)


def _on_own_servers(module: str, arguments: list[str]) -> int:
    setup(DEVELOPMENT)
    return _in_own_session(module, arguments)


def _in_own_session(module: str, arguments: list[str]) -> int:
    command = [PYTHON, "-m", module, *arguments]
    with tempfile.TemporaryDirectory(prefix="cobro-") as folder:
        # In a session of its own, so that a Ctrl-C reaches it once and it can end its processes.
        process = subprocess.Popen(
            command, cwd=ROOT, env=embedded_environment(folder), start_new_session=True
        )
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise


def _step_fails(step: list[str]) -> bool:
    _say("$ " + " ".join(step).replace(str(BIN) + "/", ""))
    return _embedded(step) != 0


def _embedded(command: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="cobro-") as folder:
        return subprocess.run(command, cwd=ROOT, env=embedded_environment(folder)).returncode


# --- the command line -----------------------------------------------------------------------------


def setup_all(_: list[str]) -> int:
    """make .venv with everything for development"""
    setup(DEVELOPMENT)
    return 0


COMMANDS = {
    "run": run,
    "test": test,
    "check": check,
    "lint": lint,
    "soak": soak,
    "planted": planted,
    "bench": bench,
    "mutants": mutants,
    "setup": setup_all,
}
_printing = threading.Lock()


def _say(text: str) -> None:
    """Print whole lines; a reader that went away must not stop the processes' output."""
    with _printing, contextlib.suppress(BrokenPipeError):
        print(text, flush=True)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no reason given"


def _use_new_enough_python() -> None:
    if sys.version_info >= OLDEST:
        return
    for minor in range(14, OLDEST[1] - 1, -1):
        other = shutil.which(f"python3.{minor}")
        if other:
            os.execv(other, [other, *sys.argv])  # noqa: S606 - the same script, a newer Python
    raise Failed(
        f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this is {sys.version.split()[0]}. "
        "Install it with: apt-get install python3"
    )


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in COMMANDS:
        print("Usage: python3 dev.py COMMAND\n")
        for name, command in COMMANDS.items():
            print(f"  {name:<7} {command.__doc__}")
        return 2
    # A shell starts background jobs with SIGINT ignored; whoever sends it to us means it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        _use_new_enough_python()
        return COMMANDS[arguments[0]](arguments[1:])
    except Failed as error:
        _say(f"dev.py: {error}")
        return 1
    except KeyboardInterrupt:
        _say("Stopped.")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
