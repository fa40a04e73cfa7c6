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
import time
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    """A running system; `environment` is that of its processes."""

    url: str
    folder: Path
    environment: Mapping[str, str]

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


@contextlib.contextmanager
def cobro(folder: Path, **values: str) -> Iterator[Cobro]:
    """Migrate, start web and worker, wait until they answer; in the end nothing is left of them."""
    port = str(free_port())
    with database(folder) as database_url, broker() as redis:
        own = {
            "ENVIRONMENT": "development",
            "PORT": port,
            "DATABASE_URL": database_url,
            "STRIPE_TEST_KEY": STRIPE_KEY,
            "STRIPE_WEBHOOK_SECRET": STRIPE_SECRET,
            "CELERY_WORKER_CONCURRENCY": "2",
        }
        environment = clean_environment(folder, **(own | redis | values))
        url = f"http://127.0.0.1:{port}"
        system = Cobro(url=url, folder=folder, environment=environment)
        system.orm("call_command('migrate', verbosity=0); call_command('createcachetable')")
        with running("worker", environment, folder), running("web", environment, folder):
            assert status_of(f"{url}/healthz", START_SECONDS) == 200, system.logs()
            yield system


@contextlib.contextmanager
def running(
    name: str, environment: Mapping[str, str], folder: Path, command: Sequence[str] = ()
) -> Iterator[Path]:
    """Run a process of the Procfile, or `command`; yield its log. SIGTERM ends it, all of it."""
    log = folder / f"{name}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command or ["sh", "-c", f"exec {procfile_line(name)}"],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield log
        assert process.poll() is None, f"{name} ended by itself: {log.read_text()[-_LOG_TAIL:]}"
    finally:
        left = _end(process)
    assert not left, f"{name} left processes behind: {log.read_text()[-_LOG_TAIL:]}"


def _end(process: subprocess.Popen[bytes]) -> bool:
    """SIGTERM to the session; whether something had to be killed."""
    _signal(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    ends_at = time.monotonic() + 5
    while time.monotonic() < ends_at:
        if not _signal(process.pid, 0):
            return False
        time.sleep(0.05)
    _signal(process.pid, signal.SIGKILL)
    process.wait()
    return True


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
