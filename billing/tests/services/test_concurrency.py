"""Many deliveries and many workers at the same moment: one row, one effect, nothing lost.

SQLite runs one transaction at a time and hides lost updates; these count on PostgreSQL.
"""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from billing.enums import ChangeCause
from billing.errors import LeaseLost
from billing.models import (
    Customer,
    Invoice,
    Payment,
    PaymentMethod,
    StateChange,
    Subscription,
    WebhookEvent,
)
from billing.providers.types import CustomerData, Ref
from billing.services import leases, sync, webhooks
from billing.tests.services import sandbox_objects as objects
from billing.tests.services.sandbox_objects import ALIAS, CREATED, side_by_side

# The package offers the function under the module's name.
drain_module: Any = import_module("billing.services.webhooks.drain")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def postgres() -> None:
    if connection.vendor != "postgresql":
        pytest.fail("needs DATABASE_URL on PostgreSQL; deselect with -m 'not postgres'")


@pytest.fixture
def customer(sandbox: Any) -> Customer:
    objects.make_price()
    return objects.make_customer("001")


class TestTheSameEventFiftyTimesAtOnce:
    @pytest.fixture
    def fifty(self, customer: Customer) -> list[Any]:
        headers, body = objects.delivery(
            "evt_1", "subscription.updated", objects.subscription("001")
        )
        return [lambda: webhooks.receive(ALIAS, body, headers)] * 50

    def test_makes_one_row_and_has_one_effect(self, fifty: list[Any]) -> None:
        answers = side_by_side(*fifty)
        webhooks.drain()
        assert Counter(answers) == {"accepted": 1, "already_received": 49}
        assert WebhookEvent.objects.count() == 1
        assert StateChange.objects.count() == 1
        assert Subscription.objects.get().sync_seq == 1

    def test_is_told_as_processed_afterwards(self, fifty: list[Any]) -> None:
        side_by_side(*fifty)
        webhooks.drain()
        assert fifty[0]() == "already_processed"
        assert webhooks.drain() == (0, False)
        assert StateChange.objects.count() == 1

    def test_counts_more_than_one_when_the_guard_is_removed(
        self, fifty: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The proof that the tests above can fail: without the constraint they would."""
        with _without_guard(monkeypatch):
            answers = side_by_side(*fifty)
            webhooks.drain()
            assert Counter(answers) == {"accepted": 50}
            assert WebhookEvent.objects.count() == 50
            assert StateChange.objects.count() == 50

    def test_is_drained_once_by_many_workers(self, fifty: list[Any]) -> None:
        fifty[0]()
        worked = side_by_side(*[webhooks.drain] * 4)
        assert sum(count for count, _ in worked) == 1
        assert StateChange.objects.count() == 1


@contextmanager
def _without_guard(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Drop the constraint that lets an event in once; put it back with an empty table."""
    (guard,) = WebhookEvent._meta.constraints
    with monkeypatch.context() as patch:
        # SQLite makes the table anew from what the model says.
        patch.setattr(WebhookEvent._meta, "constraints", [])
        with connection.schema_editor() as editor:
            editor.remove_constraint(WebhookEvent, guard)
    try:
        yield
    finally:
        WebhookEvent.objects.all().delete()
        with connection.schema_editor() as editor:
            editor.add_constraint(WebhookEvent, guard)


class TestTwoWorkers:
    @pytest.mark.parametrize("life", range(3))
    def test_events_of_one_object_in_two_claims_make_one_row(
        self, customer: Customer, settings: Any, life: int
    ) -> None:
        """Batches of one: every event of the object is in another worker's hands."""
        settings.BILLING_DRAIN_BATCH_SIZE = 1
        statuses = ["incomplete", "active", "past_due", "active", "past_due", "active"]
        objects.keep(objects.customer("001"), objects.subscription("001"))
        for second, status in enumerate(statuses):
            objects.deliver(
                f"evt_{second}",
                "subscription.updated",
                objects.subscription("001", status=status),
                CREATED + second,
            )
        side_by_side(*[webhooks.drain] * 4)
        row = Subscription.objects.get()
        assert row.status == "active"
        assert StateChange.objects.exclude(event_id=None).count() == len(statuses)
        assert set(WebhookEvent.objects.values_list("state", flat=True)) == {"processed"}

    def test_an_invoice_and_its_subscription_in_two_claims_find_each_other(
        self, customer: Customer, settings: Any
    ) -> None:
        settings.BILLING_DRAIN_BATCH_SIZE = 1
        objects.keep(objects.customer("001"))
        objects.deliver("evt_1", "payment.succeeded", objects.payment("001"))
        objects.deliver("evt_2", "invoice.paid", objects.paid_invoice("001"))
        objects.deliver("evt_3", "subscription.updated", objects.subscription("001"))
        objects.deliver("evt_4", "payment_method.attached", objects.payment_method("001"))
        side_by_side(*[webhooks.drain] * 4)
        webhooks.drain()
        assert set(WebhookEvent.objects.values_list("state", flat=True)) == {"processed"}
        method = PaymentMethod.objects.get()
        subscription = Subscription.objects.get()
        invoice = Invoice.objects.get()
        payment = Payment.objects.get()
        assert (invoice.subscription, payment.invoice) == (subscription, invoice)
        for row in (subscription, invoice, payment):
            assert row.payment_method == method

    def test_an_api_answer_and_its_webhook_make_one_row(self, customer: Customer) -> None:
        objects.keep(objects.customer("001"), objects.subscription("001"))
        objects.deliver("evt_1", "subscription.created", objects.subscription("001"))

        def answer() -> Subscription:
            data: Any = sync.fetch(sync.KINDS["subscription"], ALIAS, Ref(id="sub_001"))
            return sync.upsert_subscription(ALIAS, data)

        side_by_side(answer, webhooks.drain, answer, webhooks.drain)
        assert Subscription.objects.get().status == "active"
        assert WebhookEvent.objects.get().state == "processed"

    @pytest.mark.postgres
    def test_two_answers_about_one_reserved_row_both_find_it(
        self, postgres: None, sandbox: Any
    ) -> None:
        """The same key gave two requests the same new customer; who comes second waits for the row,
        which has its remote id by then."""
        reserved = objects.make_customer("001", is_linked=False)
        data = CustomerData(
            id="cus_001",
            email="",
            name="",
            reference=str(reserved.pk),
            as_of=timezone.now(),
            raw={},
        )
        rows = side_by_side(*[lambda: sync.upsert_customer(ALIAS, data)] * 8)
        assert {row.pk for row in rows} == {reserved.pk}
        assert Customer.objects.get().provider_customer_id == "cus_001"

    @pytest.mark.postgres
    def test_who_is_older_and_looks_while_the_newer_is_written_waits(
        self, postgres: None, customer: Customer
    ) -> None:
        """Without the lock it would judge the row of before, and overwrite what is newer."""
        objects.keep(objects.customer("001"), objects.subscription("001"))
        kind: Any = sync.KINDS["subscription"]
        data: Any = sync.fetch(kind, ALIAS, Ref(id="sub_001"))
        sync.upsert_subscription(ALIAS, data)

        def project(seconds: int) -> str:
            told = sync.Snapshot(
                data=replace(data, quantity=seconds),
                stamp=data.as_of + timedelta(seconds=seconds),
                cause=ChangeCause.SYNC,
            )
            with transaction.atomic():
                (result,) = sync.project(kind, ALIAS, "sandbox", [told])
            return str(result.verdict)

        def project_and_close() -> str:
            with closing(connection):
                return project(1)

        with ThreadPoolExecutor(1) as threads:
            with transaction.atomic():
                assert project(2) == "applied"
                older = threads.submit(project_and_close)
                time.sleep(0.5)  # by now it has looked, or waits to
                assert not older.done()
            assert older.result(30) == "superseded"
        assert Subscription.objects.get().quantity == 2

    @pytest.mark.postgres
    def test_many_workers_on_one_hot_backlog_lose_nothing(
        self, postgres: None, customer: Customer, settings: Any
    ) -> None:
        """Every event writes a row that others write too; a deadlock must not leave work undone."""
        settings.BILLING_DRAIN_BATCH_SIZE = 7
        tokens = [f"{number:03d}" for number in range(2, 12)]
        for token in tokens:
            objects.make_customer(token)
        for round_ in range(12):
            for token in tokens if round_ % 2 else reversed(tokens):
                objects.deliver(
                    f"evt_{token}_{round_}",
                    "subscription.updated",
                    objects.subscription(token, quantity=round_ + 1),
                    CREATED + round_,
                )
        worked = side_by_side(*[webhooks.drain] * 4)
        assert sum(count for count, _ in worked) >= 120
        assert StateChange.objects.count() == 120
        assert set(Subscription.objects.values_list("quantity", flat=True)) == {12}
        assert set(WebhookEvent.objects.values_list("state", flat=True)) == {"processed"}


class TestLeases:
    @pytest.fixture
    def event(self, customer: Customer) -> WebhookEvent:
        objects.deliver("evt_1", "subscription.updated", objects.subscription("001"))
        return WebhookEvent.objects.get()

    def test_what_is_claimed_is_left_alone(self, event: WebhookEvent) -> None:
        leases.claim(drain_module.due_events(), limit=10)
        assert webhooks.drain() == (0, False)

    def test_one_that_ran_out_is_taken_over(self, event: WebhookEvent) -> None:
        leases.claim(drain_module.due_events(), limit=10)
        WebhookEvent.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        assert webhooks.drain() == (1, False)
        event.refresh_from_db()
        assert (event.state, event.claim_id, event.claimed_until) == ("processed", None, None)

    def test_a_worker_that_outlives_its_lease_cannot_write(self, event: WebhookEvent) -> None:
        late_claim, held = leases.claim(drain_module.due_events(), limit=10)
        WebhookEvent.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        leases.claim(drain_module.due_events(), limit=10)
        with pytest.raises(LeaseLost):
            drain_module._Batch(late_claim, float("inf")).run(held)
        assert not Subscription.objects.exists()
        assert not StateChange.objects.exists()
        event.refresh_from_db()
        assert event.state == "pending"

    def test_a_drain_goes_on_after_a_lost_lease(
        self, event: WebhookEvent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It gives back what it still holds, so that nobody waits for the lease to run out."""
        monkeypatch.setattr(sync, "project", _fails_once(sync.project, LeaseLost("taken over")))
        assert webhooks.drain() == (2, False)
        event.refresh_from_db()
        assert event.state == "processed"
        assert StateChange.objects.count() == 1

    def test_a_broken_database_blames_no_event(
        self, event: WebhookEvent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sync, "project", _fails_once(sync.project, OperationalError("gone")))
        with pytest.raises(OperationalError):
            webhooks.drain()
        event.refresh_from_db()
        assert (event.state, event.attempts, event.claim_id) == ("pending", 0, None)
        assert webhooks.drain() == (1, False)

    def test_a_replay_takes_the_event_from_whoever_holds_it(self, event: WebhookEvent) -> None:
        claim_id, held = leases.claim(drain_module.due_events(), limit=10)
        webhooks.retry(event)
        with pytest.raises(LeaseLost), transaction.atomic():
            leases.mark(WebhookEvent, claim_id, held, outcome="late")
        assert webhooks.drain() == (1, False)


def _fails_once(function: Any, error: Exception) -> Any:
    errors = [error]

    def call(*args: Any, **kwargs: Any) -> Any:
        if errors:
            raise errors.pop()
        return function(*args, **kwargs)

    return call


class TestIntakeWhileDraining:
    def test_nothing_that_was_accepted_is_left(self, customer: Customer) -> None:
        def send(worker: int) -> Any:
            def run() -> None:
                for number in range(10):
                    token = f"{100 + worker * 10 + number}"
                    objects.make_customer(token)
                    objects.deliver(
                        f"evt_{token}", "subscription.updated", objects.subscription(token)
                    )

            return run

        side_by_side(*[send(worker) for worker in range(4)], webhooks.drain, webhooks.drain)
        webhooks.drain()
        assert StateChange.objects.count() == 40
        assert Subscription.objects.count() == 40


def test_a_late_duplicate_of_an_ignored_event_is_told_as_processed(customer: Customer) -> None:
    headers, body = objects.delivery("evt_1", "ping", {})
    assert webhooks.receive(ALIAS, body, headers) == "accepted"
    assert webhooks.receive(ALIAS, body, headers) == "already_processed"
