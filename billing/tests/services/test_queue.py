"""Waking workers: a hint that may be lost, never an error."""

import ast
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.db import transaction

import billing
from billing import queue, tasks
from billing.logs import request_id
from billing.models import WebhookEvent
from billing.queue import _publish as publish
from billing.services import webhooks
from billing.tests.services import sandbox_objects as objects

DRAIN = "billing.drain_webhook_events"


@pytest.fixture(autouse=True)
def _forget_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_publish", publish)
    monkeypatch.setattr(queue, "_next_publish", {})


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    sent: list[str] = []
    for name in (DRAIN, "billing.drain_outbox"):
        task = current_app.tasks[name]
        monkeypatch.setattr(task, "apply_async", lambda name=name, **how: sent.append(name))
    return sent


@pytest.fixture
def broker_down(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    tried: list[str] = []

    def apply_async(**how: Any) -> None:
        tried.append(DRAIN)
        raise ConnectionError("no broker")

    monkeypatch.setattr(current_app.tasks[DRAIN], "apply_async", apply_async)
    return tried


def test_every_name_that_is_enqueued_is_a_registered_task() -> None:
    names = {
        node.args[0].value
        for path in Path(billing.__file__).parent.rglob("*.py")
        if "tests" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", getattr(node.func, "attr", "")) == "enqueue"
        and isinstance(node.args[0], ast.Constant)
    }
    assert DRAIN in names
    assert names <= set(current_app.tasks)


@pytest.mark.django_db(transaction=True)
class TestEnqueue:
    def test_waits_for_the_commit(self, published: list[str]) -> None:
        with transaction.atomic():
            queue.enqueue(DRAIN)
            assert published == []
        assert published == [DRAIN]

    def test_is_silent_when_the_transaction_is_rolled_back(self, published: list[str]) -> None:
        with transaction.atomic():
            queue.enqueue(DRAIN)
            transaction.set_rollback(True)
        assert published == []

    def test_publishes_once_per_window_and_task(
        self, published: list[str], settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.BILLING_NUDGE_WINDOW_MS = 50
        now = [100.0]
        monkeypatch.setattr(queue.time, "monotonic", lambda: now[0])
        for _ in range(10):
            queue.enqueue(DRAIN)
        queue.enqueue("billing.drain_outbox")
        assert published == [DRAIN, "billing.drain_outbox"]
        now[0] += 0.051
        queue.enqueue(DRAIN)
        assert published.count(DRAIN) == 2

    def test_carries_the_id_of_the_request(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: list[dict[str, Any]] = []
        task = current_app.tasks[DRAIN]
        monkeypatch.setattr(task, "apply_async", lambda **how: sent.append(how["headers"]))
        token = request_id.set("from-a-request")
        queue.enqueue(DRAIN)
        request_id.reset(token)
        assert sent == [{queue.REQUEST_ID_HEADER: "from-a-request"}]

    def test_is_quiet_for_five_seconds_after_a_broker_failure(
        self, broker_down: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = [100.0]
        monkeypatch.setattr(queue.time, "monotonic", lambda: now[0])
        for _ in range(3):
            queue.enqueue(DRAIN)
            now[0] += 1
        assert broker_down == [DRAIN]
        now[0] += 3
        queue.enqueue(DRAIN)
        assert broker_down == [DRAIN, DRAIN]

    def test_takes_in_webhooks_without_a_broker(self, sandbox: Any, broker_down: list[str]) -> None:
        objects.make_price()
        for number in range(5):
            objects.make_customer(f"00{number}")
            answer = objects.deliver(
                f"evt_{number}", "subscription.updated", objects.subscription(f"00{number}")
            )
            assert answer == "accepted"
        assert broker_down
        assert webhooks.drain() == (5, False)

    def test_wakes_nobody_for_a_duplicate_or_what_is_ignored(
        self, sandbox: Any, published: list[str]
    ) -> None:
        objects.deliver("evt_1", "ping", {})
        assert published == []
        objects.deliver("evt_2", "customer.updated", objects.customer("001"))
        monotonic = dict(queue._next_publish)
        objects.deliver("evt_2", "customer.updated", objects.customer("001"))
        assert queue._next_publish == monotonic
        assert published == [DRAIN]


@pytest.mark.django_db(transaction=True)
class TestTasks:
    def test_the_task_drains(self, sandbox: Any) -> None:
        objects.make_customer("001")
        objects.deliver("evt_1", "customer.updated", objects.customer("001"))
        assert tasks.drain_webhook_events() == 1
        assert WebhookEvent.objects.get().state == "processed"

    def test_one_drain_per_process_at_a_time(
        self, sandbox: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inner: list[int] = []

        def drain() -> tuple[int, bool]:
            if len(inner) < 1:
                inner.append(tasks.drain_webhook_events())
            return 7, False

        monkeypatch.setattr(webhooks, "drain", drain)
        assert tasks.drain_webhook_events() >= 7
        assert inner == [0]

    def test_what_is_left_is_handed_to_the_next_task(
        self, published: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(webhooks, "drain", lambda: (200, True))
        assert tasks.drain_webhook_events() == 200
        assert published == [DRAIN]
