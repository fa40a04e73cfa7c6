"""What load balancers and monitoring are told: alive, ready, and the figures behind it."""

import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery.signals import beat_init, before_task_publish
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client, override_settings
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from billing import circuit, heartbeats, metrics
from billing.models import Operation, OutboxMessage, WebhookEvent

TOKEN = "scrape-token-for-tests"
NO_CACHE = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://127.0.0.1:1/0",
    }
}


@pytest.fixture
def no_cache() -> Iterator[None]:
    with override_settings(CACHES=NO_CACHE):
        yield


@pytest.fixture
def all_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.health._is_broker_up", lambda: True)
    for name in (heartbeats.WORKER, heartbeats.BEAT):
        heartbeats.leave(name)


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr("billing.health.WebhookEvent.objects.filter", lost)


def event(number: int, **values: Any) -> WebhookEvent:
    now = timezone.now()
    return WebhookEvent.objects.create(
        **{
            "provider": "stripe",
            "mode": "sandbox",
            "provider_event_id": f"evt_{number}",
            "event_type": "invoice.paid",
            "occurred_at": now,
            "received_at": now,
            "next_attempt_at": now,
            "body": "{}",
            **values,
        }
    )


def test_alive_touches_no_dependency(no_cache: None, settings: Any) -> None:
    """No database (this test may not use one), no cache, no broker."""
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
class TestReady:
    def test_all_is_well(self, all_alive: None) -> None:
        answer = Client().get("/readyz")
        body = answer.json()
        seen = [body.pop("worker_seen_seconds"), body.pop("beat_seen_seconds")]
        assert answer.status_code == 200
        assert all(0 <= seconds < 30 for seconds in seen)
        assert body == {
            "status": "ok",
            "database": "ok",
            "broker": "ok",
            "worker": "ok",
            "beat": "ok",
            "oldest_pending_seconds": 0.0,
            "dead_events": 0,
            "dead_messages": 0,
        }

    def test_how_far_behind_it_is(self, all_alive: None) -> None:
        event(1, received_at=timezone.now() - timedelta(minutes=5))
        event(2)
        event(3, state="processed", received_at=timezone.now() - timedelta(days=1))
        event(4, state="dead")
        OutboxMessage.objects.create(
            topic="t", dedupe_key="1", state="dead", next_attempt_at=timezone.now()
        )
        body = Client().get("/readyz").json()
        assert 300 <= body["oldest_pending_seconds"] < 330
        assert (body["dead_events"], body["dead_messages"]) == (1, 1)

    @pytest.mark.parametrize("name", ["worker", "beat"])
    def test_who_is_silent_is_told_from_who_is_not(
        self, name: str, all_alive: None, settings: Any
    ) -> None:
        settings.BILLING_SWEEP_SECONDS = 10
        cache.set(f"billing:heartbeat:{name}", time.time() - 31)
        answer = Client().get("/readyz")
        body = answer.json()
        other = {"worker": "beat", "beat": "worker"}[name]
        assert (answer.status_code, body["status"]) == (200, "degraded")
        assert (body[name], body[other]) == ("silent", "ok")
        assert 31 <= body[f"{name}_seen_seconds"] < 60

    def test_who_was_never_seen_is_unknown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("billing.health._is_broker_up", lambda: True)
        body = Client().get("/readyz").json()
        assert (body["status"], body["worker"], body["beat"]) == ("degraded", "unknown", "unknown")
        assert body["beat_seen_seconds"] is None

    def test_without_the_broker_deliveries_are_still_taken(
        self, all_alive: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("billing.health._is_broker_up", lambda: False)
        answer = Client().get("/readyz")
        body = answer.json()
        assert (answer.status_code, body["status"]) == (200, "degraded")
        assert body["broker"] == "unreachable"

    def test_without_the_cache_nobody_was_seen(self, all_alive: None, no_cache: None) -> None:
        answer = Client().get("/readyz")
        assert answer.status_code == 200
        assert answer.json()["worker"] == "unknown"

    def test_without_the_database_it_is_not(self, all_alive: None, no_database: None) -> None:
        answer = Client().get("/readyz")
        body = answer.json()
        assert (answer.status_code, body["status"]) == (503, "unavailable")
        assert body["database"] == "unreachable"


class TestHeartbeats:
    @pytest.fixture(autouse=True)
    def _no_listener_is_left(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(heartbeats.connections, "close_all", lambda: None)
        yield
        before_task_publish.disconnect(dispatch_uid="billing.heartbeats.beat")

    def test_only_in_beats_process_is_a_message_a_sign_of_beat(self) -> None:
        before_task_publish.send(sender="billing.drain_outbox")
        assert heartbeats.seconds_since(heartbeats.BEAT) is None
        beat_init.send(sender=None)
        before_task_publish.send(sender="billing.drain_outbox")
        assert heartbeats.is_alive(heartbeats.seconds_since(heartbeats.BEAT))
        assert heartbeats.seconds_since(heartbeats.WORKER) is None

    def test_a_broken_cache_stops_neither(self, no_cache: None) -> None:
        heartbeats.leave(heartbeats.WORKER)
        assert heartbeats.seconds_since(heartbeats.WORKER) is None


def scrape(token: str = TOKEN) -> Any:
    return Client().get("/metrics", headers={"Authorization": f"Bearer {token}"})


def samples() -> dict[tuple[str, ...], float]:
    """Each sample of a scrape by its name and its label values, in the order of the labels."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(scrape().content.decode())
        for sample in family.samples
    }


@pytest.mark.django_db
class TestScrape:
    @pytest.fixture(autouse=True)
    def _token(self, settings: Any) -> None:
        settings.BILLING_METRICS_TOKEN = TOKEN

    def test_is_not_there_without_a_token_in_the_settings(self, settings: Any) -> None:
        settings.BILLING_METRICS_TOKEN = ""
        assert scrape("").status_code == 404
        assert scrape().status_code == 404

    @pytest.mark.parametrize("given", ["", "wrong", "ünicode"])
    def test_is_for_nobody_without_the_token(self, given: str) -> None:
        answer = scrape(given)
        assert (answer.status_code, answer.content) == (401, b"")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert Client().get("/metrics").status_code == 401

    def test_tells_what_tables_and_cache_tell(self, sandbox: Any, settings: Any) -> None:
        event(1, received_at=timezone.now() - timedelta(minutes=5))
        event(2, state="dead")
        OutboxMessage.objects.create(topic="t", dedupe_key="1", next_attempt_at=timezone.now())
        Operation.objects.create(
            verb="v", provider="stripe", subject_type="t", subject_id=uuid.uuid4(), key="k"
        )
        heartbeats.leave(heartbeats.WORKER)
        for _ in range(5):
            circuit.record_failure("polar")
        found = samples()
        assert found["billing_webhook_events", "pending"] == 1
        assert found["billing_webhook_events", "dead"] == 1
        assert found["billing_webhook_events", "failed"] == 0
        assert 300 <= found["billing_oldest_pending_seconds",] < 330
        assert found["billing_outbox_messages", "pending"] == 1
        assert found["billing_operations_open", "pending"] == 1
        assert found["billing_circuit_open", "polar"] == 1
        assert found["billing_circuit_open", "stripe"] == 0
        assert found["billing_heartbeat_age_seconds", "worker"] < 30
        assert ("billing_heartbeat_age_seconds", "beat") not in found

    def test_counts_a_large_backlog_only_so_far(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("billing.health.COUNTED_AT_MOST", 2)
        for number in range(3):
            event(number)
        assert samples()["billing_webhook_events", "pending"] == 2

    def test_without_the_database_the_counts_are_still_told(
        self, no_database: None, sandbox: Any
    ) -> None:
        metrics.count_delivery("stripe", "accepted")
        found = samples()
        assert found["billing_webhook_deliveries_total", "accepted", "stripe"] >= 1
        assert ("billing_oldest_pending_seconds",) not in found
