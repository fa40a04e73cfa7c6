"""What the drain does with each event: applied, waiting, postponed, ignored, failed, dead."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.errors import CredentialsRejected, ProviderUnavailable, RateLimited
from billing.models import (
    Customer,
    Invoice,
    Payment,
    StateChange,
    Subscription,
    SubscriptionPlan,
    WebhookEvent,
)
from billing.providers.base import PublishesPlans
from billing.providers.sandbox import SandboxProvider
from billing.registry import providers
from billing.services import plans as plan_service
from billing.services import webhooks
from billing.tests.services import sandbox_objects as objects
from billing.tests.services.sandbox_objects import ALIAS, CREATED

# The package offers the function under the module's name.
drain_module: Any = import_module("billing.services.webhooks.drain")
folds_module: Any = import_module("billing.services.webhooks.folds")
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def customer(sandbox: Any) -> Customer:
    objects.make_price()
    return objects.make_customer("001")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids that were fetched from the provider."""
    fetched: list[str] = []
    original = SandboxProvider._get

    def get(self: Any, kind: str, ref: Any) -> Any:
        fetched.append(ref.id)
        return original(self, kind, ref)

    monkeypatch.setattr(SandboxProvider, "_get", get)
    return fetched


@contextmanager
def provider_fails(monkeypatch: pytest.MonkeyPatch, error: Exception) -> Iterator[list[str]]:
    asked: list[str] = []

    def get(self: Any, kind: str, ref: Any) -> Any:
        asked.append(ref.id)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(SandboxProvider, "_get", get)
        yield asked


def event(event_id: str = "evt_1") -> WebhookEvent:
    return WebhookEvent.objects.get(provider_event_id=event_id)


def wait_seconds(row: WebhookEvent) -> float:
    return (row.next_attempt_at - timezone.now()).total_seconds()


class TestPoison:
    def test_fails_alone_among_two_hundred(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The batch is bisected until only the guilty object carries the error."""
        _deliver_many(200)
        with _poisoned(monkeypatch, "sub_p077"):
            webhooks.drain()
        assert Subscription.objects.count() == 199
        failed = WebhookEvent.objects.exclude(state="processed").get()
        assert (failed.object_id, failed.state, failed.attempts) == ("sub_p077", "failed", 1)
        assert "poison" in failed.error_message
        assert 7 < wait_seconds(failed) < 13
        assert StateChange.objects.count() == 199

    def test_is_dead_after_exactly_eight_tries_and_can_be_replayed(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        objects.deliver("evt_1", "subscription.updated", objects.subscription("001"))
        with _poisoned(monkeypatch, "sub_001"):
            for tries in range(1, 8):
                objects.make_due()
                assert webhooks.drain() == (1, False)
                assert (event().state, event().attempts) == ("failed", tries)
            objects.make_due()
            webhooks.drain()
            assert (event().state, event().attempts) == ("dead", 8)
            objects.make_due()
            assert webhooks.drain() == (0, False)
        webhooks.retry(event())
        assert (event().state, event().attempts, event().error_message) == ("pending", 0, "")
        webhooks.drain()
        assert event().state == "processed"
        assert Subscription.objects.get().status == "active"

    def test_does_not_hold_up_what_comes_behind_it(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _deliver_many(5)
        with _poisoned(monkeypatch, *[f"sub_p{number:03d}" for number in range(5)]):
            webhooks.drain()
            _deliver_many(50, start=5)
            webhooks.drain()
        assert Subscription.objects.count() == 50

    def test_in_reading_a_payload_fails_alone(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _deliver_many(3)
        original = folds_module.map_event

        def map_(row: WebhookEvent) -> Any:
            if row.object_id == "sub_p001":
                raise KeyError("poison")
            return original(row)

        monkeypatch.setattr(folds_module, "map_event", map_)
        webhooks.drain()
        assert Subscription.objects.count() == 2
        assert WebhookEvent.objects.get(state="failed").object_id == "sub_p001"

    def test_in_fetching_an_object_fails_alone(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        objects.deliver(
            "evt_1", "subscription.updated", objects.subscription("001"), api_version="older"
        )
        objects.deliver("evt_2", "customer.updated", objects.customer("001"))
        with provider_fails(monkeypatch, KeyError("poison")):
            webhooks.drain()
        assert (event("evt_1").state, event("evt_2").state) == ("failed", "processed")

    def test_in_fetching_a_parent_fails_its_child_only(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever reading the parent raises, the others in the batch are applied."""
        objects.deliver("evt_1", "invoice.created", objects.invoice("001"))
        objects.make_customer("002")
        objects.deliver("evt_2", "invoice.created", objects.invoice("002", subscription=None))
        with provider_fails(monkeypatch, KeyError("poison")):
            webhooks.drain()
        assert (event("evt_1").state, event("evt_1").attempts) == ("failed", 1)
        assert event("evt_2").state == "processed"

    def test_that_no_code_foresaw_gives_the_batch_back(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _deliver_many(2)
        with monkeypatch.context() as patch:
            patch.setattr(drain_module._Batch, "_fold", lambda *args: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                webhooks.drain()
        assert not WebhookEvent.objects.exclude(claim_id=None).exists()
        assert webhooks.drain() == (2, False)


def _deliver_many(count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        token = f"p{number:03d}"
        objects.make_customer(token)
        objects.deliver(f"evt_{token}", "subscription.updated", objects.subscription(token))


@contextmanager
def _poisoned(monkeypatch: pytest.MonkeyPatch, *remote_ids: str) -> Iterator[None]:
    """Applying these subscriptions raises, as a bug in our mapping would."""
    kind = type(drain_module.KINDS["subscription"])
    original = kind.values

    def values(self: Any, data: Any, row: Any, relatives: Any) -> Any:
        if data.id in remote_ids:
            raise ValueError("poison")
        return original(self, data, row, relatives)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "values", values)
        yield


class TestWaiting:
    def test_a_child_waits_when_the_provider_has_no_parent(
        self, customer: Customer, reads: list[str]
    ) -> None:
        objects.deliver("evt_1", "invoice.created", objects.invoice("001"))
        webhooks.drain()
        row = event()
        assert (row.state, row.waits, row.attempts) == ("waiting", 1, 0)
        assert row.outcome == "subscription sub_001 is not known yet"
        assert 20 < wait_seconds(row) < 40
        assert reads == ["sub_001"]

    def test_the_parent_is_fetched_once_only(self, customer: Customer, reads: list[str]) -> None:
        objects.deliver("evt_1", "invoice.created", objects.invoice("001"))
        objects.deliver("evt_2", "invoice.created", objects.invoice("001", id="inv_other"))
        for _ in range(3):
            objects.make_due()
            webhooks.drain()
        assert reads == ["sub_001"]
        assert event().waits == 3

    def test_the_parent_wakes_it_at_once(self, customer: Customer) -> None:
        objects.deliver("evt_1", "payment.succeeded", objects.payment("001"))
        objects.deliver("evt_2", "invoice.paid", objects.paid_invoice("001"))
        webhooks.drain()
        assert {event("evt_1").state, event("evt_2").state} == {"waiting"}
        objects.deliver("evt_3", "subscription.updated", objects.subscription("001"))
        webhooks.drain()
        assert set(WebhookEvent.objects.values_list("state", flat=True)) == {"processed"}
        assert Payment.objects.get().invoice == Invoice.objects.get()

    def test_a_parent_that_the_provider_has_is_brought_in(
        self, customer: Customer, reads: list[str]
    ) -> None:
        objects.keep(objects.subscription("001"), objects.paid_invoice("001"))
        objects.deliver("evt_1", "payment.succeeded", objects.payment("001"))
        webhooks.drain()
        assert event().state == "processed"
        assert Payment.objects.get().invoice.subscription == Subscription.objects.get()
        assert reads == ["inv_001", "sub_001", "inv_001"]

    def test_it_is_ignored_after_three_days(self, customer: Customer) -> None:
        objects.deliver("evt_1", "invoice.created", objects.invoice("001"))
        webhooks.drain()
        WebhookEvent.objects.update(received_at=timezone.now() - timedelta(days=3, minutes=1))
        objects.make_due()
        webhooks.drain()
        assert event().state == "ignored"
        assert event().outcome == "gave up: subscription sub_001 is not known yet"

    def test_the_pauses_grow_to_an_hour(self, customer: Customer) -> None:
        objects.deliver("evt_1", "invoice.created", objects.invoice("001"))
        WebhookEvent.objects.update(waits=40, state="waiting")
        webhooks.drain()
        assert 2800 < wait_seconds(event()) < 4400

    def test_a_customer_that_is_not_ours_waits(self, customer: Customer) -> None:
        objects.deliver("evt_1", "customer.created", objects.customer("999"))
        objects.deliver("evt_2", "subscription.created", objects.subscription("999"))
        webhooks.drain()
        assert {event("evt_1").state, event("evt_2").state} == {"waiting"}
        assert not Subscription.objects.exists()
        assert not StateChange.objects.exists()

    def test_a_customer_whose_metadata_names_our_row_is_adopted(self, sandbox: Any) -> None:
        ours = objects.make_customer("001", is_linked=False)
        objects.keep(objects.customer("001", reference=str(ours.pk)))
        objects.deliver("evt_1", "subscription.created", objects.subscription("001"))
        webhooks.drain()
        ours.refresh_from_db()
        assert ours.provider_customer_id == "cus_001"
        assert Subscription.objects.get().customer == ours
        assert event().state == "processed"

    def test_a_reference_to_another_provider_s_row_adopts_nothing(self, sandbox: Any) -> None:
        elsewhere = objects.make_customer("001", is_linked=False, alias="conekta")
        objects.deliver(
            "evt_1", "customer.created", objects.customer("1", reference=str(elsewhere.pk))
        )
        objects.deliver("evt_2", "customer.created", objects.customer("2", reference="not-a-uuid"))
        webhooks.drain()
        elsewhere.refresh_from_db()
        assert elsewhere.provider_customer_id is None
        assert {event("evt_1").state, event("evt_2").state} == {"waiting"}

    def test_the_parent_that_is_really_missing_wakes_it(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An event in another layout may not show its parent: the fetched object does."""
        objects.keep(objects.invoice("001"))
        objects.deliver(
            "evt_1",
            "invoice.created",
            objects.invoice("001", subscription=None),
            api_version="older",
        )
        webhooks.drain()
        assert (event().state, event().parent_id) == ("waiting", "sub_001")
        objects.deliver("evt_2", "subscription.updated", objects.subscription("001"))
        webhooks.drain()
        assert event().state == "processed"

    def test_a_parent_that_comes_between_look_and_mark_is_not_missed(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        objects.deliver("evt_1", "invoice.created", objects.invoice("001"))
        original = drain_module._Batch._wait

        def wait(self: Any, *args: Any, **kwargs: Any) -> None:
            monkeypatch.setattr(drain_module._Batch, "_wait", original)
            objects.deliver("evt_2", "subscription.updated", objects.subscription("001"))
            webhooks.drain()
            original(self, *args, **kwargs)

        monkeypatch.setattr(drain_module._Batch, "_wait", wait)
        webhooks.drain()
        assert event().state == "processed"


class TestProviderAway:
    @pytest.mark.parametrize(
        ("error", "seconds"),
        [(ProviderUnavailable("away", retry_after=40), 40), (RateLimited("slow down"), 15)],
    )
    def test_is_not_the_event_s_fault(
        self,
        customer: Customer,
        settings: Any,
        monkeypatch: pytest.MonkeyPatch,
        error: Exception,
        seconds: int,
    ) -> None:
        settings.BILLING_CIRCUIT_FAILURES = 100
        objects.keep(objects.subscription("001"))
        objects.deliver(
            "evt_1", "subscription.updated", objects.subscription("001"), api_version="older"
        )
        with provider_fails(monkeypatch, error):
            for _ in range(10):
                objects.make_due()
                webhooks.drain()
        row = event()
        assert (row.state, row.attempts, row.waits) == ("pending", 0, 0)
        assert seconds - 5 < wait_seconds(row) < seconds + 5
        objects.make_due()
        webhooks.drain()
        assert event().state == "processed"

    def test_while_a_parent_is_fetched_leaves_the_child_to_ask_again(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its parent's own event may have come long ago, or never: it must be fetched later."""
        objects.keep(objects.subscription("001"))
        objects.deliver("evt_1", "invoice.created", objects.invoice("001"))
        with provider_fails(monkeypatch, ProviderUnavailable("away")):
            webhooks.drain()
        assert (event().state, event().waits, event().attempts) == ("pending", 0, 0)
        objects.make_due()
        webhooks.drain()
        assert event().state == "processed"

    def test_rejected_credentials_are_a_failure_that_staff_see(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        objects.deliver("evt_1", "invoice.created", objects.invoice("001"))
        with provider_fails(monkeypatch, CredentialsRejected("bad key")):
            webhooks.drain()
        assert (event().state, event().attempts) == ("failed", 1)
        assert "bad key" in event().error_message

    def test_a_slow_provider_does_not_hold_the_batch_beyond_its_time(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        objects.deliver("evt_1", "subscription.updated", objects.subscription("001"))
        objects.deliver("evt_2", "invoice.paid", objects.paid_invoice("404", customer="cus_001"))
        with provider_fails(monkeypatch, KeyError("must not be asked")) as asked:
            drain_module.drain_batch(ends_at=0.0)
        assert asked == []
        assert event("evt_1").state == "processed"
        assert (event("evt_2").state, event("evt_2").attempts) == ("pending", 0)
        assert wait_seconds(event("evt_2")) < 2


class TestIgnored:
    def test_another_mode(self, customer: Customer) -> None:
        objects.deliver("evt_1", "subscription.updated", objects.subscription("001"), mode="live")
        assert event().state == "ignored"
        assert event().outcome == "a live event at an endpoint in sandbox mode"
        webhooks.retry(event())
        webhooks.drain()
        assert event().state == "ignored"
        assert not Subscription.objects.exists()

    def test_a_type_that_nobody_knows(self, customer: Customer) -> None:
        objects.deliver("evt_1", "subscription.renamed", {})
        assert (event().state, event().outcome) == ("ignored", "unknown event type")
        assert event().processed
        assert webhooks.drain() == (0, False)

    def test_a_provider_that_is_no_longer_configured(
        self, customer: Customer, settings: Any
    ) -> None:
        objects.deliver("evt_1", "subscription.updated", objects.subscription("001"))
        settings.BILLING_PROVIDERS = {
            alias: entry for alias, entry in settings.BILLING_PROVIDERS.items() if alias != ALIAS
        }
        webhooks.drain()
        assert event().state == "ignored"


class TestPrices:
    def test_an_unmapped_price_is_filled_when_it_is_published(self, sandbox: Any) -> None:
        objects.make_customer("001")
        price = objects.make_price(remote_id="")
        remote = _create_plan(price)
        objects.deliver("evt_1", "subscription.updated", objects.subscription("001", price=remote))
        webhooks.drain()
        row = Subscription.objects.get()
        assert (row.plan, row.price, row.provider_price_id) == (None, None, remote)
        plan_service.publish(price, ALIAS)
        row.refresh_from_db()
        assert (row.plan, row.price, row.billing_interval) == (price.plan, price, "monthly")

    def test_one_published_while_the_subscription_was_written_is_linked(
        self, sandbox: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        objects.make_customer("001")
        price = objects.make_price()
        kind = type(drain_module.KINDS["subscription"])
        original = kind.relatives

        def relatives(self: Any, *args: Any) -> Any:
            found = original(self, *args)
            found.prices.clear()
            return found

        monkeypatch.setattr(kind, "relatives", relatives)
        objects.deliver("evt_1", "subscription.updated", objects.subscription("001"))
        webhooks.drain()
        assert Subscription.objects.get().price == price
        assert SubscriptionPlan.objects.get() == Subscription.objects.get().plan


def _create_plan(price: Any) -> str:
    """The price exists at the provider under our key, but its answer was lost."""
    request = plan_service._request(price, ALIAS)
    operation = plan_service.operations.reserve(
        plan_service.PUBLISH_VERB, price, organization=None, provider=ALIAS
    )
    made = providers.get(ALIAS, PublishesPlans).create_plan(request, idempotency_key=operation.key)
    return made.id


class TestStates:
    @pytest.mark.parametrize("in_one_batch", [True, False])
    def test_an_unknown_word_keeps_ours_and_is_recorded(
        self, customer: Customer, in_one_batch: bool
    ) -> None:
        objects.deliver("evt_1", "subscription.updated", objects.subscription("001"))
        if not in_one_batch:
            webhooks.drain()
        objects.deliver(
            "evt_2",
            "subscription.updated",
            objects.subscription("001", status="hibernating", quantity=4),
            CREATED + 1,
        )
        webhooks.drain()
        row = Subscription.objects.get()
        assert (row.status, row.provider_status, row.quantity) == ("active", "hibernating", 4)
        change = StateChange.objects.get(code="unknown_status")
        assert (change.cause, change.detail) == ("drift", {"provider_status": "hibernating"})

    @pytest.mark.parametrize("in_one_batch", [True, False])
    def test_a_canceled_one_never_revives(self, customer: Customer, in_one_batch: bool) -> None:
        ended = objects.subscription(
            "001", status="canceled", ended_at=CREATED, canceled_at=CREATED
        )
        objects.deliver("evt_1", "subscription.canceled", ended, CREATED)
        if not in_one_batch:
            webhooks.drain()
        objects.deliver("evt_2", "subscription.updated", objects.subscription("001"), CREATED - 1)
        if not in_one_batch:
            webhooks.drain()
        objects.deliver("evt_3", "subscription.updated", objects.subscription("001"), CREATED + 1)
        webhooks.drain()
        row = Subscription.objects.get()
        assert row.status == "canceled"
        assert row.ended_at
        assert {event("evt_2").outcome, event("evt_3").outcome} == {"superseded", "refused"}
        drift = StateChange.objects.get(outcome="refused")
        assert (drift.cause, drift.code) == ("drift", "left_final_state")
        assert drift.detail == {"ours": "canceled", "theirs": "active"}

    def test_what_comes_late_changes_nothing(self, customer: Customer) -> None:
        """Each alone in its batch, so that no fold puts them in order; and nothing is asked for."""
        for number, second in enumerate([5, 3, 4]):
            data = objects.subscription("001", quantity=second)
            objects.deliver(f"evt_{number}", "subscription.updated", data, CREATED + second)
            webhooks.drain()
        assert Subscription.objects.get().quantity == 5
        outcomes = WebhookEvent.objects.order_by("received_at").values_list("outcome", flat=True)
        assert list(outcomes) == ["applied", "superseded", "superseded"]

    def test_a_replay_changes_nothing(self, customer: Customer) -> None:
        objects.deliver("evt_1", "subscription.updated", objects.subscription("001"))
        webhooks.drain()
        before = Subscription.objects.values().get()
        webhooks.retry(event())
        webhooks.drain()
        after = Subscription.objects.values().get()
        assert before == after
        changes = StateChange.objects.order_by("created_at")
        assert [(change.object_type, change.outcome, change.code) for change in changes] == [
            ("subscription", "applied", ""),
            ("webhookevent", "applied", "replayed"),
            ("subscription", "unchanged", ""),
        ]

    def test_a_provider_that_can_be_asked_nothing_is_taken_at_its_word(
        self, customer: Customer, settings: Any
    ) -> None:
        """Events that equal stamps leave undecided: the last one received wins."""
        settings.BILLING_PROVIDERS[ALIAS]["OPTIONS"]["like"] = {
            "capabilities": ["PaymentProvider", "ReceivesWebhooks", "Simulates"]
        }
        providers.reset()
        reserved = Subscription.objects.create(
            organization=customer.organization, customer=customer, provider=ALIAS, mode="sandbox"
        )
        for number, status in enumerate(["active", "past_due"]):
            body = objects.subscription("001", status=status, reference=str(reserved.pk))
            objects.deliver(f"evt_{number}", "subscription.updated", body)
        webhooks.drain()
        reserved.refresh_from_db()
        assert (reserved.status, reserved.provider_subscription_id) == ("past_due", "sub_001")
        assert set(WebhookEvent.objects.values_list("state", flat=True)) == {"processed"}

    def test_the_same_but_unreadable_payload_fails_visibly(
        self, customer: Customer, settings: Any
    ) -> None:
        settings.BILLING_PROVIDERS[ALIAS]["OPTIONS"]["like"] = {
            "capabilities": ["PaymentProvider", "ReceivesWebhooks", "Simulates"]
        }
        providers.reset()
        objects.deliver(
            "evt_1", "subscription.updated", objects.subscription("001"), api_version="older"
        )
        webhooks.drain()
        assert event().state == "failed"
        assert "ReadsSubscriptions" in event().error_message


class TestHostileContent:
    def test_is_stored_and_processed(self, customer: Customer) -> None:
        hostile = {
            "text": "NUL \x00 and \ud800 alone",
            "key \x00": {"\udfff": [2**80, -(2**70)]},
            "huge": 10**400,
        }
        body = objects.subscription("001", metadata=hostile)
        objects.deliver("evt_1", "subscription.updated", body)
        webhooks.drain()
        assert event().state == "processed", event().error_message
        stored = Subscription.objects.get().provider_data["metadata"]
        assert stored["text"] == "NUL \ufffd and \ufffd alone"
        assert stored["huge"] == "1" + "0" * 400
        assert stored["key \ufffd"] == {"\ufffd": [str(2**80), str(-(2**70))]}

    def test_an_impossible_amount_is_asked_for(self, customer: Customer) -> None:
        """Integers beyond 64 bits cannot be amounts: the payload is not whole, the object is."""
        objects.keep(objects.invoice("001", subscription=None))
        objects.deliver("evt_1", "invoice.created", objects.invoice("001", total=2**70))
        webhooks.drain()
        assert event().state == "processed", event().error_message
        assert Invoice.objects.get().total_minor == 2999

    def test_long_names_are_cut_to_fit(self, customer: Customer) -> None:
        objects.deliver("evt_1", "customer.updated", objects.customer("001", name="x\x00" * 400))
        webhooks.drain()
        customer.refresh_from_db()
        assert event().state == "processed", event().error_message
        assert customer.name == "x\ufffd" * 100


class TestStatements:
    @pytest.mark.parametrize("kind", ["customer", "payment_method", "subscription", "invoice"])
    def test_do_not_grow_with_the_batch(self, customer: Customer, kind: str) -> None:
        """10 or 100 new events of one kind: the same number of statements."""
        _deliver_kind(kind, range(10))
        few = _statements()
        _deliver_kind(kind, range(10, 110))
        many = _statements()
        assert many == few

    def test_do_not_grow_with_the_objects_that_name_each_other(self, customer: Customer) -> None:
        """Whole families, new and then changed: no relative is looked up by itself."""
        counts = []
        for numbers in (range(3), range(3, 13)):
            for stamp in (CREATED, CREATED + 60):
                _deliver_families(numbers, stamp)
                counts.append(_statements())
        assert counts[2:] == counts[:2]

    def test_do_not_grow_with_the_events_of_an_object(self, customer: Customer) -> None:
        for number in range(30):
            objects.deliver(
                f"evt_{number}",
                "subscription.updated",
                objects.subscription("001", quantity=number + 1),
                CREATED + number,
            )
        webhooks.drain()
        row = Subscription.objects.get()
        assert (row.quantity, row.sync_seq) == (30, 1)
        outcomes = list(StateChange.objects.values_list("outcome", flat=True))
        assert sorted(outcomes) == ["applied"] + ["superseded"] * 29

    def test_of_one_kind_of_work_hold_no_call_to_the_provider(
        self, customer: Customer, reads: list[str]
    ) -> None:
        _deliver_kind("subscription", range(20))
        webhooks.drain()
        assert reads == []


def _deliver_kind(kind: str, numbers: range) -> None:
    make = getattr(objects, kind)
    types = {
        "customer": "customer.updated",
        "payment_method": "payment_method.attached",
        "subscription": "subscription.updated",
        "invoice": "invoice.created",
    }
    for number in numbers:
        token = f"k{number:03d}"
        objects.make_customer(token)
        more = {"subscription": None} if kind == "invoice" else {}
        objects.deliver(f"evt_{token}", types[kind], make(token, **more))


def _deliver_families(numbers: range, stamp: int) -> None:
    """Everything that one paid and refunded subscription consists of, as the provider tells it."""
    types = {
        "payment_method": "payment_method.updated",
        "subscription": "subscription.updated",
        "paid_invoice": "invoice.paid",
        "payment": "payment.succeeded",
        "refund": "refund.updated",
    }
    for number in numbers:
        token = f"f{number:03d}"
        if not Customer.objects.filter(provider_customer_id=f"cus_{token}").exists():
            objects.make_customer(token)
        for name, event_type in types.items():
            body = getattr(objects, name)(token)
            objects.deliver(f"evt_{name}_{token}_{stamp}", event_type, body, stamp)


def _statements() -> int:
    with CaptureQueriesContext(connection) as captured:
        drain_module.drain_batch()
    assert set(WebhookEvent.objects.values_list("state", flat=True)) == {"processed"}
    # SQLite takes 999 values at once, so that Django cuts one insert into several: counted as one.
    starts = [query["sql"][:40] for query in captured]
    return sum(
        not (start.startswith("INSERT") and start == before)
        for before, start in zip(["", *starts], starts, strict=False)
    )
