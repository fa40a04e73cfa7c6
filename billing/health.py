"""Is the process alive, and can the system do its work? For load balancers and monitoring."""

import logging
from collections.abc import Iterator
from typing import Any

from celery import current_app
from django.db import Error as DatabaseFailure
from django.db.models import Min, QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from billing import circuit, heartbeats, metrics
from billing.conf import conf
from billing.enums import OperationOutcome, OutboxState, WebhookState
from billing.models import Operation, OutboxMessage, WebhookEvent

logger = logging.getLogger(__name__)
# Rows counted at most for one figure, so that a look at a large backlog stays cheap.
COUNTED_AT_MOST = 10_000
_PROCESSES = (heartbeats.WORKER, heartbeats.BEAT)
_OPEN_STATES = [
    state.value
    for state in WebhookState
    if state not in (WebhookState.PROCESSED, WebhookState.IGNORED)
]


def healthz(request: HttpRequest) -> JsonResponse:
    """Alive. Touches nothing, so that a database's trouble does not restart the web."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Ready, and how far behind the inbox is; the README explains the fields.

    503 only without the database. Whatever else is missing is `degraded` with 200: deliveries are
    still stored, and taking the web out of service for it would lose them.
    """
    inbox = _inbox()
    parts = {
        "database": "ok" if inbox is not None else "unreachable",
        "broker": "ok" if _is_broker_up() else "unreachable",
        **_signs_of_life(),
    }
    missing = [name for name in ("broker", "worker", "beat") if parts[name] != "ok"]
    if inbox is None:
        status, code = "unavailable", 503
    else:
        status, code = ("degraded" if missing else "ok"), 200
    return JsonResponse({"status": status, **parts, **(inbox or {})}, status=code)


def scrape(request: HttpRequest) -> HttpResponse:
    """Everything that is counted or measured, for Prometheus.

    404 unless BILLING_METRICS_TOKEN is set, 401 without it as the bearer token.
    """
    if not conf.metrics_token:
        return HttpResponse(status=404)
    expected = f"Bearer {conf.metrics_token}"
    if not constant_time_compare(request.headers.get("Authorization", ""), expected):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    registry = CollectorRegistry()
    registry.register(_Gauges())
    text = metrics.exposition() + generate_latest(registry)
    return HttpResponse(text, content_type=CONTENT_TYPE_PLAIN_0_0_4)


class _Gauges(Collector):
    """What the tables and the cache tell at the moment of the scrape: exact, whoever did it."""

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield _gauge(
            "billing_circuit_open",
            "1 while calls to the provider are refused.",
            "provider",
            {alias: circuit.is_open(alias) for alias in conf.providers},
        )
        yield _gauge(
            "billing_heartbeat_age_seconds",
            "Since the last sign of life of beat and of any worker; absent when there was none.",
            "process",
            {name: heartbeats.seconds_since(name) for name in _PROCESSES},
        )
        try:
            yield from self._of_tables()
        except DatabaseFailure:
            logger.exception("health.database_unreachable")

    def _of_tables(self) -> Iterator[Metric]:
        at_most = f"counted up to {COUNTED_AT_MOST:,}."
        yield _gauge(
            "billing_webhook_events",
            f"Events that are not settled, by state, {at_most}",
            "state",
            {state: _count(WebhookEvent.objects.filter(state=state)) for state in _OPEN_STATES},
        )
        yield _gauge(
            "billing_outbox_messages",
            f"Messages that are not done, by state, {at_most}",
            "state",
            {
                state.value: _count(OutboxMessage.objects.filter(state=state))
                for state in OutboxState
                if state != OutboxState.DONE
            },
        )
        yield _gauge(
            "billing_operations_open",
            f"Writes at providers whose outcome is open, {at_most}",
            "outcome",
            {
                outcome.value: _count(Operation.objects.filter(outcome=outcome))
                for outcome in (OperationOutcome.PENDING, OperationOutcome.UNKNOWN)
            },
        )
        yield GaugeMetricFamily(
            "billing_oldest_pending_seconds",
            "Age of the oldest event that waits for a worker; 0 when none does.",
            value=_oldest_pending_seconds(),
        )


def _gauge(
    name: str, documentation: str, label: str, values: dict[str, float | None]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for word, value in values.items():
        if value is not None:
            family.add_metric([word], float(value))
    return family


def _count(rows: QuerySet[Any, Any]) -> int:
    return rows.order_by()[:COUNTED_AT_MOST].count()


def _oldest_pending_seconds() -> float:
    oldest = WebhookEvent.objects.filter(state=WebhookState.PENDING).aggregate(
        oldest=Min("received_at")
    )["oldest"]
    age = (timezone.now() - oldest).total_seconds() if oldest else 0.0
    return round(max(age, 0.0), 3)


def _inbox() -> dict[str, Any] | None:
    try:
        return {
            "oldest_pending_seconds": _oldest_pending_seconds(),
            "dead_events": _count(WebhookEvent.objects.filter(state=WebhookState.DEAD)),
            "dead_messages": _count(OutboxMessage.objects.filter(state=OutboxState.DEAD)),
        }
    except DatabaseFailure:
        logger.exception("health.database_unreachable")
        return None


def _signs_of_life() -> dict[str, Any]:
    """Worker and beat, each `ok`, `silent`, or `unknown` where no sign was ever seen."""
    parts: dict[str, Any] = {}
    for name in _PROCESSES:
        seconds = heartbeats.seconds_since(name)
        unseen = "unknown" if seconds is None else "silent"
        parts[name] = "ok" if heartbeats.is_alive(seconds) else unseen
        parts[f"{name}_seen_seconds"] = None if seconds is None else round(seconds, 3)
    return parts


def _is_broker_up() -> bool:
    """One try; the connect time-out is the broker's own setting (about a second)."""
    try:
        with current_app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
    except Exception:  # noqa: BLE001 - each broker has errors of its own
        logger.warning("health.broker_unreachable", exc_info=True)
        return False
    return True
