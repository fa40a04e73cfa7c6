"""The stack under measurement: own servers, the Procfile's processes, and what they cost."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from billing.tests.integration.harness import running
from project.bench import samples
from project.tests.processes import ROOT, clean_environment, free_port, procfile_line, status_of
from project.tests.services import Server, postgres_server, redis_server

TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What a run of the sender saw, and what the server spent on it."""

    latencies: Sequence[float]
    statuses: dict[str, int]
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    @property
    def cpu_each(self) -> float:
        return self.cpu / len(self.latencies)


@dataclass(frozen=True, kw_only=True)
class Web:
    """A running gunicorn."""

    stack: "Stack"
    port: int
    pid: int

    def send(
        self,
        numbers: Sequence[int],
        *,
        path: str = "/webhooks/stripe",
        alias: str = "stripe",
        method: str = "POST",
        connections: int = 8,
        is_forged: bool = False,
        headers: dict[str, str] | None = None,
        expect: str = "200",
    ) -> Sent:
        """Let the sender post or get once per number; raise when an answer is not `expect`."""
        spec = {
            "port": self.port,
            "path": path,
            "alias": alias,
            "method": method,
            "numbers": list(numbers),
            "connections": connections,
            "is_forged": is_forged,
            "headers": headers or {},
        }
        before = self.stack.cpu(self.pid)
        done = subprocess.run(
            [sys.executable, "-m", "project.bench.load"],
            cwd=ROOT,
            input=json.dumps(spec),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        cpu = self.stack.cpu(self.pid) - before
        answer = json.loads(done.stdout)
        if set(answer["statuses"]) != {expect}:
            raise RuntimeError(f"{path} answered {answer['statuses']}, expected {expect}")
        return Sent(cpu=cpu, **answer)


@dataclass(kw_only=True)
class Stack:
    folder: Path
    postgres: Server
    environment: dict[str, str]
    worker_pids: list[int] = field(default_factory=list)

    @contextlib.contextmanager
    def web(self, application: str = "project.wsgi", **values: str) -> Iterator[Web]:
        """gunicorn by the Procfile's line, serving `application`; with its connections open."""
        port = free_port()
        line = procfile_line("web").replace("project.wsgi", application)
        name = application.replace(":", "-") + "".join(values.values())
        with self.process(name, line, PORT=str(port), **values) as pid:
            if not status_of(f"http://127.0.0.1:{port}/healthz", START_SECONDS):
                raise RuntimeError(f"{name} does not answer: {self.folder / name}.log")
            yield Web(stack=self, port=port, pid=pid)

    @contextlib.contextmanager
    def process(self, name: str, line: str, **values: str) -> Iterator[int]:
        """Run a command line in a session of its own; yield its process id."""
        before = set(_processes())
        environment = self.environment | values
        with running(name, environment, self.folder, ["sh", "-c", f"exec {line}"]):
            (pid,) = (
                pid
                for pid, parent in _processes().items()
                if parent == os.getpid() and pid not in before
            )
            yield pid

    def cpu(self, *pids: int) -> float:
        """CPU seconds so far of these processes, their children, and all clients' backends."""
        parents = _processes()
        backends = [
            pid
            for pid, parent in parents.items()
            if parent == self.postgres.pid and _is_backend(pid, own=self.own_backend)
        ]
        families = [pid for pid in parents if _is_below(pid, set(pids), parents)]
        return sum(_cpu_of(pid) for pid in [*families, *backends])

    @property
    def own_backend(self) -> int:
        """The backend of this program's own connection, which is not measured."""
        from django.db import connection

        connection.ensure_connection()
        pid: int = connection.connection.info.backend_pid
        return pid


@contextlib.contextmanager
def running_stack(folder: Path) -> Iterator[Stack]:
    """Start the servers and make them this process's own; Django is set up and migrated."""
    with postgres_server() as postgres, redis_server() as redis:
        environment = clean_environment(
            folder,
            DJANGO_SETTINGS_MODULE="project.bench.settings",
            ENVIRONMENT="staging",
            SECRET_KEY="bench-only-" + "0123456789" * 5,
            ALLOWED_HOSTS="127.0.0.1",
            DATABASE_URL=postgres.url,
            REDIS_URL=redis.url,
            STRIPE_TEST_KEY="sk_test_fake",
            STRIPE_WEBHOOK_SECRET=samples.STRIPE_SECRET,
            SECURE_SSL_REDIRECT="false",
        )
        os.environ.update(environment)
        _create_database(postgres.url)
        _set_up_django()
        yield Stack(folder=folder, postgres=postgres, environment=environment)


def _create_database(url: str) -> None:
    import psycopg

    server, _, name = url.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')


def _set_up_django() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def wait_until(condition: Any, seconds: float) -> None:
    ends_at = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends_at:
            raise RuntimeError(f"nothing came within {seconds:.0f} s")
        time.sleep(0.05)


def _processes() -> dict[int, int]:
    """Every process id with its parent's."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(int(entry))):
            found[int(entry)] = int(fields[1])
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on; [] when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _cpu_of(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS if fields else 0.0


def _is_backend(pid: int, own: int) -> bool:
    try:
        title = Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False
    return pid != own and " 127.0.0.1(" in title


def _is_below(pid: int, roots: set[int], parents: dict[int, int]) -> bool:
    while pid and pid not in roots:
        pid = parents.get(pid, 0)
    return bool(pid)
