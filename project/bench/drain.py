"""Rows 4 to 6: from stored events to applied state."""

import http.client
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from celery import current_app
from django.utils import timezone

from billing.models import Invoice, Subscription, WebhookEvent
from billing.models.webhooks import DUE_STATES
from project.bench import filling, samples
from project.bench.figures import Figure, Table, percentile, ratios, say
from project.bench.stack import Stack, wait_until
from project.tests.processes import ROOT, procfile_line

LIFE = 4  # events
MOST_SECONDS = 600
TASK = "billing.drain_webhook_events"


@dataclass(frozen=True, kw_only=True)
class Drained:
    events: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.events / self.seconds

    @property
    def cpu_each(self) -> float:
        return self.cpu / self.events


def measure(
    stack: Stack, table: Table, *, small: int, large: int, stored: int, rounds: int
) -> None:
    """`small` and `large` are numbers of events, `stored` of processed ones that lie there."""
    filling.keep_lives()
    filling.fill_customers(max(large, small * (rounds + 1)) // LIFE)
    limits, alone, together, big = [], [], [], []
    for _ in range(rounds):
        limits.append(_fresh(small, lambda: _by_limit(stack, small)))
        alone.append(_fresh(small, lambda: _by_workers(stack, small)))
        together.append(_fresh(small, lambda: _by_workers(stack, small, workers=2)))
        big.append(_fresh(large, lambda: _by_workers(stack, large)))
    _tell(table, limits, alone)
    table.add(
        Figure(
            name=f"drain, CPU per event of {large:,} over {small:,}",
            values=ratios([each.cpu_each for each in big], [each.cpu_each for each in alone]),
            aim=1.1,
        ),
    )
    usual = statistics.median(each.cpu_each for each in alone)
    table.add(
        Figure(
            name=f"drain, CPU per event of {small:,} among {stored:,} processed over without",
            values=[
                each.cpu_each / usual for each in _among_processed(stack, small, stored, rounds)
            ],
            aim=1.1,
        ),
        Figure(
            name="drain, two workers over one: events/s",
            values=ratios([each.rate for each in together], [each.rate for each in alone]),
            aim=1.5,
            at_least=True,
        ),
    )
    _from_answer_to_state(stack, table, count=20 * rounds)


def _tell(table: Table, limits: list[Drained], alone: list[Drained]) -> None:
    table.add(
        Figure(
            name="drain by one worker over the raw limit: events/s",
            values=ratios([each.rate for each in alone], [each.rate for each in limits]),
            aim=0.5,
            at_least=True,
        ),
        Figure(
            name="drain, the limit's CPU per event over one worker's",
            values=ratios([each.cpu_each for each in limits], [each.cpu_each for each in alone]),
            aim=0.5,
            at_least=True,
        ),
        Figure(name="  limit: events/s", values=[each.rate for each in limits]),
        Figure(name="  limit: CPU per event, us", values=[each.cpu_each * 1e6 for each in limits]),
        Figure(name="  one worker: events/s", values=[each.rate for each in alone]),
        Figure(
            name="  one worker: CPU per event, us", values=[each.cpu_each * 1e6 for each in alone]
        ),
    )


def _among_processed(stack: Stack, small: int, stored: int, rounds: int) -> Iterator[Drained]:
    say(f"  storing {stored:,} processed events")
    filling.clear(*filling.MIRRORED)
    filling.fill_events(
        stored // LIFE,
        first=10_000_000,
        state="'processed'",
        processed_at="now()",
        body="'{}'",  # as billing_prune leaves them
    )
    for number in range(rounds):
        filling.fill_events(small // LIFE, first=1 + number * small // LIFE)
        yield _by_workers(stack, small)


def _fresh(events: int, drain: Callable[[], Drained]) -> Drained:
    filling.clear(*filling.MIRRORED)
    filling.fill_events(events // LIFE)
    return drain()


def _by_limit(stack: Stack, events: int) -> Drained:
    with subprocess.Popen(
        [sys.executable, "-m", "project.bench.limits"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stdin
        assert program.stdout
        program.stdout.readline()
        before = stack.cpu(program.pid)
        program.stdin.write("start\n")
        program.stdin.flush()
        seconds = float(program.stdout.readline())
        cpu = stack.cpu(program.pid) - before
    _check(events)
    return Drained(events=events, seconds=seconds, cpu=cpu)


def _by_workers(stack: Stack, events: int, workers: int = 1) -> Drained:
    with _worker(stack, workers) as pid:
        due = WebhookEvent.objects.filter(state__in=DUE_STATES)
        before = stack.cpu(pid)
        started = timezone.now()
        for _ in range(workers):
            current_app.send_task(TASK)
        wait_until(lambda: not due.exists(), MOST_SECONDS)
        cpu = stack.cpu(pid) - before
    last = WebhookEvent.objects.order_by("-processed_at").filter(processed_at__gt=started)
    finished = last.values_list("processed_at", flat=True)[0]
    assert finished
    _check(events)
    return Drained(events=events, seconds=(finished - started).total_seconds(), cpu=cpu)


@contextmanager
def _worker(stack: Stack, processes: int) -> Iterator[int]:
    values = {"CELERY_WORKER_CONCURRENCY": str(processes)}
    with stack.process("worker", procfile_line("worker"), **values) as pid:
        wait_until(lambda: current_app.control.ping(timeout=0.5), 60)
        yield pid


def _check(events: int) -> None:
    """Fast and wrong does not count: every life has ended as its last events say."""
    lives = events // LIFE
    applied = Subscription.objects.filter(quantity=2).count()
    paid = Invoice.objects.filter(status="paid").exclude(subscription=None).count()
    if applied % lives or paid % lives or not applied:
        raise RuntimeError(f"{applied} subscriptions and {paid} invoices of {lives} are right")


def _from_answer_to_state(stack: Stack, table: Table, *, count: int) -> None:
    filling.clear(*filling.MIRRORED)
    waits = []
    with stack.web() as web, _worker(stack, 2):
        client = http.client.HTTPConnection("127.0.0.1", web.port)
        for number in range(1, count + 1):
            waits.append(_wait_for_state(client, number))
            time.sleep(random.uniform(0.4, 0.8))
    warm = [wait * 1000 for wait in waits[5:]]
    name = f"from 200 to applied state, idle, {len(warm)} events: "
    table.add(
        Figure(name=name + "p50, ms", values=_thirds(warm, 0.5), aim=50),
        Figure(name=name + "p99, ms", values=[percentile(warm, 0.99)], aim=250),
    )


def _thirds(values: list[float], share: float) -> list[float]:
    return [percentile(values[start::3], share) for start in range(3)]


def _wait_for_state(client: http.client.HTTPConnection, number: int) -> float:
    headers, body = samples.delivery("stripe", number)
    client.request("POST", "/webhooks/stripe", body, headers)
    answer = client.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
    started = time.perf_counter()
    row = Subscription.objects.filter(provider_subscription_id=f"sub_{samples.token(number)}")
    while not row.exists():
        if time.perf_counter() - started > 30:
            raise RuntimeError(f"event {number} was not applied within 30 s")
        time.sleep(0.001)
    return time.perf_counter() - started
