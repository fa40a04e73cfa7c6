"""A PostgreSQL and a Redis of a test's own, in temporary folders on free ports; to be killed."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from project.tests.processes import free_port

START_SECONDS = 30
_DEBIAN = Path("/usr/lib/postgresql")


class MissingProgram(Exception):
    """A server that is not installed, with the command that installs it."""


@dataclass(kw_only=True)
class Server:
    """A server process; `url` stays the same over its restarts."""

    url: str
    port: int
    command: Sequence[str]
    ready: Sequence[str]
    user: str | None = None
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def pid(self) -> int:
        assert self._process, "the server is not running"
        return self._process.pid

    def start(self) -> None:
        """Start and wait until it answers; again, where the last one has not let go of its own."""
        ends_at = time.monotonic() + START_SECONDS
        while True:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                **_as_user(self.user),
            )
            while self._process.poll() is None:
                if subprocess.run(self.ready, capture_output=True).returncode == 0:
                    return
                assert time.monotonic() < ends_at, f"{self.command[0]} does not answer"
                time.sleep(0.05)
            assert time.monotonic() < ends_at, f"{self.command[0]} does not start"
            time.sleep(0.2)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Send the signal and wait for the end. SIGQUIT is PostgreSQL's immediate stop."""
        if self._process:
            self._process.send_signal(number)
            self._process.wait(START_SECONDS)
            self._process = None


@contextlib.contextmanager
def postgres_server() -> Iterator[Server]:
    """A new cluster that trusts 127.0.0.1; run by another user when we are root, as it must be."""
    user = _unprivileged_user()
    with _folder("cobro-postgres-", user) as folder:
        data = str(folder / "data")
        initdb = [_program("initdb"), "-D", data, "-U", "postgres", "-A", "trust"]
        made = subprocess.run(
            [*initdb, "-E", "UTF8", "--locale=C", "--no-sync"],
            cwd=folder,
            capture_output=True,
            text=True,
            **_as_user(user),
        )
        assert made.returncode == 0, made.stdout + made.stderr
        port = free_port()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "max_connections": 200,
        }
        given = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        server = Server(
            url=f"postgres://postgres@127.0.0.1:{port}/cobro",
            port=port,
            command=[_program("postgres"), "-D", data, *given],
            ready=[_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)],
            user=user,
        )
        with _running(server, signal.SIGQUIT):
            yield server


@contextlib.contextmanager
def redis_server() -> Iterator[Server]:
    """A new Redis that keeps nothing: a restart is an empty broker."""
    with _folder("cobro-redis-", None) as folder:
        port = free_port()
        options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command = [_program("redis-server"), "--port", str(port), "--dir", str(folder), *options]
        server = Server(
            url=f"redis://127.0.0.1:{port}/0",
            port=port,
            command=command,
            ready=[_program("redis-cli"), "-p", str(port), "ping"],
        )
        with _running(server, signal.SIGKILL):
            yield server


@contextlib.contextmanager
def _running(server: Server, number: int) -> Iterator[None]:
    try:
        server.start()
        yield
    finally:
        server.stop(number)


@contextlib.contextmanager
def _folder(prefix: str, user: str | None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        if user:
            shutil.chown(folder, user)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> str:
    """The path of a server program; Debian keeps PostgreSQL's out of PATH."""
    versions = sorted(_DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name.split(".")[0]))
    places = [str(path) for path in reversed(versions)]
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(places))
    if not found:
        package = "redis-server" if name.startswith("redis") else "postgresql"
        raise MissingProgram(f"{name} is missing. Install it with: apt-get install {package}")
    return found


def _unprivileged_user() -> str | None:
    if os.geteuid():
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _as_user(name: str | None) -> dict[str, object]:
    if name is None:
        return {}
    return {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}
