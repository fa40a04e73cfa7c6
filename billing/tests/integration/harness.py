"""The project as real processes: web and worker by their Procfile lines, all that they use theirs.

    with cobro(folder, STRIPE_API_BASE=url) as system:
        post(f"{system.url}/webhooks/stripe", ...)
        states = system.orm("answer = list(WebhookEvent.objects.values_list('state', flat=True))")

The test's own Django sees another database: what the processes wrote is read through `orm`.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from project.tests.processes import (
    ROOT,
    clean_environment,
    free_port,
    procfile_line,
    status_of,
)

STRIPE_SECRET = "whsec_integration_tests_only"
STRIPE_KEY = "sk_test_fake"
START_SECONDS = 60
STOP_SECONDS = 30
_LOG_TAIL = 20_000
_REDIS_MARK = "cobro-tests-own-this-database"
_PRELUDE = """
import json, sys, time
from django.core.management import call_command
from django.utils import timezone
from billing.models import *
given = json.loads(sys.stdin.read())
answer = None
"""
_MARK = "answer: "
_LOOP = f"""
import traceback
{_PRELUDE.replace("given = json.loads(sys.stdin.read())", "")}
for line in sys.stdin:
    asked, error = json.loads(line), ""
    scope = globals() | {{"given": asked["given"], "answer": None}}
    try:
        exec(asked["script"], scope)
    except Exception:
        error = traceback.format_exc()
    print({_MARK!r} + json.dumps([scope["answer"], error], default=str), flush=True)
"""
_WAIT = """
ends_at = time.monotonic() + given["seconds"]
while time.monotonic() < ends_at:
    total = WebhookEvent.objects.count()
    waiting = WebhookEvent.objects.filter(state="waiting")
    if not given["is_patient"]:
        waiting = waiting.filter(next_attempt_at__lte=timezone.now())
    pending = WebhookEvent.objects.filter(state="pending")
    held = WebhookEvent.objects.exclude(claimed_until=None)
    if total >= given["count"] and not (waiting.exists() or pending.exists() or held.exists()):
        break
    time.sleep(0.2)
answer = list(WebhookEvent.objects.order_by("received_at").values(
    "provider", "provider_event_id", "event_type", "kind", "state", "outcome", "customer_id",
    "object_id", "attempts", "error_message", "is_pinned",
))
"""


@dataclass(frozen=True, kw_only=True)
class Cobro:
    """A running system; `environment` is that of its `processes`, which are named as in the
    Procfile."""

    url: str
    folder: Path
    environment: Mapping[str, str]
    processes: Mapping[str, "Process"] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return int(self.environment["PORT"])

    def orm(self, script: str, **given: Any) -> Any:
        """Run `script` in the project's shell, with `given`; return what it puts in `answer`."""
        ending = "\nprint()\nprint(json.dumps(answer, default=str))"
        command = [sys.executable, "manage.py", "shell", "--no-imports", "-c"]
        done = subprocess.run(
            [*command, _PRELUDE + script + ending],
            cwd=ROOT,
            env=dict(self.environment),
            input=json.dumps(given, default=str),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def settled_events(
        self, count: int, *, seconds: float = 40, is_patient: bool = False
    ) -> list[dict[str, Any]]:
        """All events in the inbox, once there are `count` and the worker has nothing to do.

        With `is_patient` also once none of them waits for its parent any more.
        """
        given = {"count": count, "seconds": seconds, "is_patient": is_patient}
        events: list[dict[str, Any]] = self.orm(_WAIT, **given)
        return events

    def logs(self) -> dict[str, str]:
        """What each process has said so far, the end of it."""
        return {path.stem: path.read_text()[-_LOG_TAIL:] for path in self.folder.glob("*.log")}


@dataclass(frozen=True, kw_only=True)
class _WithShell(Cobro):
    """A system whose shell is kept open, for starting one takes a second; one script at a time."""

    shell: subprocess.Popen[str]
    lock: threading.Lock

    def orm(self, script: str, **given: Any) -> Any:
        asked = json.dumps({"script": script, "given": given}, default=str)
        assert self.shell.stdin
        assert self.shell.stdout
        with self.lock:
            self.shell.stdin.write(asked + "\n")
            self.shell.stdin.flush()
            for line in self.shell.stdout:
                if line.startswith(_MARK):
                    answer, error = json.loads(line.removeprefix(_MARK))
                    assert not error, error
                    return answer
        raise AssertionError("the shell has ended")


@contextlib.contextmanager
def open_shell(system: Cobro) -> Iterator[Cobro]:
    """The same system, with one shell for all that `orm` is given."""
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", _LOOP]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=dict(system.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield _WithShell(
            url=system.url,
            folder=system.folder,
            environment=system.environment,
            processes=system.processes,
            shell=process,
            lock=threading.Lock(),
        )


@contextlib.contextmanager
def cobro(folder: Path, **values: str) -> Iterator[Cobro]:
    """Migrate, start web and worker, wait until they answer; in the end nothing is left of them."""
    with database(folder) as database_url, broker() as redis:
        # No beat: a wake-up has to live until the worker is up.
        own = {"DATABASE_URL": database_url, "BILLING_SWEEP_SECONDS": "60"}
        system = configured(folder, **(own | redis | values))
        system.orm("call_command('migrate', verbosity=0); call_command('createcachetable')")
        with started(system, "worker", "web") as processes:
            yield replace(system, processes=processes)


def configured(folder: Path, **values: str) -> Cobro:
    """The system as `values` and our defaults configure it, with nothing started yet."""
    port = str(free_port())
    own = {
        "ENVIRONMENT": "development",
        "PORT": port,
        "STRIPE_TEST_KEY": STRIPE_KEY,
        "STRIPE_WEBHOOK_SECRET": STRIPE_SECRET,
        "CELERY_WORKER_CONCURRENCY": "2",
    }
    environment = clean_environment(folder, **(own | values))
    return Cobro(url=f"http://127.0.0.1:{port}", folder=folder, environment=environment)


@contextlib.contextmanager
def started(system: Cobro, *names: str) -> Iterator[dict[str, "Process"]]:
    """Run these processes of the Procfile; yield them by name once the web answers."""
    with contextlib.ExitStack() as stack:
        processes = {}
        for name in names:
            processes[name] = Process(name, system.environment, system.folder)
            stack.enter_context(_running(processes[name]))
        if "web" in processes:
            assert status_of(f"{system.url}/healthz", START_SECONDS) == 200, system.logs()
        yield processes


@contextlib.contextmanager
def running(
    name: str, environment: Mapping[str, str], folder: Path, command: Sequence[str] = ()
) -> Iterator[Path]:
    """Run a process of the Procfile, or `command`; yield its log. SIGTERM ends it, all of it."""
    process = Process(name, environment, folder, command)
    with _running(process):
        yield process.log


class Process:
    """A process of the Procfile, or `command`, in a session of its own; to be killed and started.

    `log` keeps what it said over its restarts.
    """

    def __init__(
        self, name: str, environment: Mapping[str, str], folder: Path, command: Sequence[str] = ()
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._environment = dict(environment)
        self._command = command or ["sh", "-c", f"exec {_line(name, folder)}"]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process, f"{self.name} is not running"
        return self._process.pid

    def start(self) -> None:
        with self.log.open("a") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def signal(self, number: int) -> None:
        """Send a signal to it and all that it started."""
        _signal(self.pid, number)

    def kill(self) -> None:
        """SIGKILL to it and all that it started."""
        self.signal(signal.SIGKILL)
        self._forget()

    def end(self, *, is_group: bool = False) -> bool:
        """SIGTERM to the process, or to all of its group; whether it left nothing behind."""
        group = self.pid
        (os.killpg if is_group else os.kill)(group, signal.SIGTERM)
        self.signal(signal.SIGCONT)
        assert self._process
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        ends_at = time.monotonic() + 5
        while _signal(group, 0) and time.monotonic() < ends_at:
            time.sleep(0.05)
        is_clean = not _signal(group, signal.SIGKILL)
        self._forget()
        return is_clean

    def said(self) -> str:
        return self.log.read_text()[-_LOG_TAIL:]

    @property
    def is_started(self) -> bool:
        return self._process is not None

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _forget(self) -> None:
        assert self._process
        self._process.wait()
        self._process = None


def _line(name: str, folder: Path) -> str:
    """The Procfile's command; `worker 2` is one more worker. Beat keeps its times in `folder`."""
    line = procfile_line(name.partition(" ")[0])
    return f"{line} --schedule '{folder / 'beat'}'" if name == "beat" else line


@contextlib.contextmanager
def _running(process: Process) -> Iterator[None]:
    process.start()
    is_clean = True
    try:
        yield
        if process.is_started:
            assert process.is_alive, f"{process.name} ended by itself: {process.said()}"
    finally:
        if process.is_started:
            is_clean = process.end()
    assert is_clean, f"{process.name} left processes behind: {process.said()}"


def _signal(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


@contextlib.contextmanager
def database(folder: Path) -> Iterator[str]:
    """The URL of a new database: on the server of DATABASE_URL, else a file in `folder`."""
    url = urllib.parse.urlsplit(os.environ.get("DATABASE_URL", ""))
    if not url.scheme.startswith("postgres"):
        yield f"sqlite:///{folder / 'db.sqlite3'}"
        return
    name = f"cobro_{uuid.uuid4().hex[:12]}"
    server = url._replace(scheme="postgresql", path="/postgres").geturl()
    _execute(server, f'CREATE DATABASE "{name}"')
    try:
        yield url._replace(path=f"/{name}").geturl()
    finally:
        _execute(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def _execute(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement.encode())


@contextlib.contextmanager
def broker() -> Iterator[dict[str, str]]:
    """REDIS_URL with an empty database number that no other test holds; {} without Redis."""
    url = urllib.parse.urlsplit(os.environ.get("REDIS_URL", ""))
    if not url.scheme:
        yield {}
        return
    import redis

    for number in range(15, 0, -1):
        own = url._replace(path=f"/{number}").geturl()
        client = redis.Redis.from_url(own)
        is_free = own != url.geturl() and client.dbsize() == 0
        if is_free and client.set(_REDIS_MARK, "1", nx=True, ex=600):
            break
    else:
        raise AssertionError("every database of the Redis server is in use")
    try:
        yield {"REDIS_URL": own}
    finally:
        client.flushdb()
        client.close()
