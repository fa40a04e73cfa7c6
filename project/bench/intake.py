"""Rows 1 to 3: taking deliveries in."""

import itertools

from django.db import connection

from project.bench.figures import Figure, Table, percentile, ratios
from project.bench.stack import Sent, Stack, Web

PROVIDERS = ("stripe", "conekta", "polar")
_numbers = itertools.count(1)


def measure(stack: Stack, table: Table, *, requests: int, rounds: int) -> None:
    with (
        stack.web("project.bench.limits:intake") as raw,
        stack.web(BENCH_ONLY="bare") as bare,
        stack.web() as whole,
    ):
        for web, path in ((raw, "/"), (bare, "/bench/intake"), (whole, "/webhooks/stripe")):
            web.send(_fresh(requests // 4), path=path)
        raws, bares, wholes = [], [], []
        for _ in range(rounds):
            raws.append(raw.send(_fresh(requests), path="/"))
            bares.append(bare.send(_fresh(requests), path="/bench/intake"))
            wholes.append(whole.send(_fresh(requests)))
        _tell_intake(table, raws, bares, wholes)
        _latencies(table, whole, requests, rounds)
        _duplicates_and_forgeries(table, whole, requests, rounds)


def _tell_intake(table: Table, raws: list[Sent], bares: list[Sent], wholes: list[Sent]) -> None:
    table.add(
        Figure(
            name="intake, whole route over the raw limit: requests/s",
            values=ratios([each.rate for each in wholes], [each.rate for each in raws]),
            aim=1.0,
            at_least=True,
        ),
        Figure(
            name="intake, the limit's CPU per request over the whole route's",
            values=ratios([each.cpu_each for each in raws], [each.cpu_each for each in wholes]),
            aim=1.0,
            at_least=True,
        ),
        Figure(
            name="  a bare Django view over the raw limit: requests/s",
            values=ratios([each.rate for each in bares], [each.rate for each in raws]),
        ),
        Figure(
            name="  the limit's CPU per request over a bare Django view's",
            values=ratios([each.cpu_each for each in raws], [each.cpu_each for each in bares]),
        ),
        Figure(name="  limit: requests/s", values=[each.rate for each in raws]),
        Figure(name="  limit: CPU per request, us", values=[each.cpu_each * 1e6 for each in raws]),
        Figure(name="  whole route: requests/s", values=[each.rate for each in wholes]),
        Figure(
            name="  whole route: CPU per request, us",
            values=[each.cpu_each * 1e6 for each in wholes],
        ),
    )


def _latencies(table: Table, whole: Web, requests: int, rounds: int) -> None:
    runs: dict[str, list[Sent]] = {alias: [] for alias in PROVIDERS}
    for alias in PROVIDERS:
        whole.send(_fresh(requests // 8), path=f"/webhooks/{alias}", alias=alias)
    for _ in range(rounds):
        for alias in PROVIDERS:
            runs[alias].append(whole.send(_fresh(requests), path=f"/webhooks/{alias}", alias=alias))
    for alias, sent in runs.items():
        kind = "real backend" if alias == "stripe" else "stand-in"
        table.add(
            Figure(
                name=f"intake p99 over p50 at 8 connections, {alias} ({kind})",
                values=[
                    percentile(each.latencies, 0.99) / percentile(each.latencies, 0.5)
                    for each in sent
                ],
                aim=2.2,
            ),
            Figure(
                name=f"  {alias}: p50, ms",
                values=[percentile(each.latencies, 0.5) * 1000 for each in sent],
            ),
        )


def _duplicates_and_forgeries(table: Table, whole: Web, requests: int, rounds: int) -> None:
    new, again, forged = [], [], []
    statements = 0
    for _ in range(rounds):
        numbers = _fresh(requests)
        new.append(whole.send(numbers))
        again.append(whole.send(numbers))
        before = _last_statement(whole)
        forged.append(whole.send(numbers, is_forged=True, expect="400"))
        statements += _last_statement(whole) != before
    table.add(
        Figure(
            name="a duplicate over a new event: CPU per request",
            values=ratios([each.cpu_each for each in again], [each.cpu_each for each in new]),
            aim=1.0,
        ),
        Figure(
            name="a forged request over a genuine one: CPU per request",
            values=ratios([each.cpu_each for each in forged], [each.cpu_each for each in new]),
            aim=0.5,
        ),
        Figure(name="runs of forged requests that caused a statement", values=[statements], aim=0),
    )


def _last_statement(whole: Web) -> object:
    """When a backend of another client last did anything."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(state_change) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return cursor.fetchone()


def _fresh(count: int) -> list[int]:
    """Numbers of deliveries that were not sent before."""
    return list(itertools.islice(_numbers, count))
