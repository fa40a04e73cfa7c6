"""The projection rule: which snapshot may change a row."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.enums import ChangeCause
from billing.errors import LeaseLost, ProviderUnavailable
from billing.models import Customer, StateChange, Subscription, WebhookEvent
from billing.providers.base import ReadsSubscriptions
from billing.providers.sandbox import SandboxProvider, mapping
from billing.providers.types import Ref, SubscriptionData
from billing.registry import providers
from billing.services import sync, webhooks
from billing.services.sync import KINDS, Verdict, decide
from billing.tests.services import sandbox_objects as objects
from billing.tests.services.sandbox_objects import ALIAS, CREATED

T = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class TestDecide:
    @pytest.mark.parametrize(
        ("version", "old", "new", "same", "verdict"),
        [
            (None, "incomplete", "active", False, Verdict.APPLIED),
            (T - SECOND, "active", "past_due", False, Verdict.APPLIED),
            (T - SECOND, "active", "active", True, Verdict.APPLIED),
            (T - SECOND, "canceled", "active", False, Verdict.APPLIED),
            (T + SECOND, "active", "past_due", False, Verdict.SUPERSEDED),
            (T + SECOND, "active", "canceled", False, Verdict.SUPERSEDED),
            (T, "active", "active", True, Verdict.UNCHANGED),
            (T, "active", "canceled", False, Verdict.APPLIED),
            (T, "canceled", "active", False, Verdict.SUPERSEDED),
            (T, "incomplete", "active", False, Verdict.APPLIED),
            (T, "active", "incomplete", False, Verdict.SUPERSEDED),
            (T, "incomplete", "canceled", False, Verdict.APPLIED),
            (T, "active", "past_due", False, Verdict.UNDECIDED),
            (T, "past_due", "active", False, Verdict.UNDECIDED),
            (T, "active", "active", False, Verdict.UNDECIDED),
            (T, "canceled", "incomplete_expired", False, Verdict.UNDECIDED),
        ],
    )
    def test_of_a_subscription(
        self, version: datetime | None, old: str, new: str, same: bool, verdict: Verdict
    ) -> None:
        assert decide(KINDS["subscription"], version, T, old, new, same=same) == verdict

    @pytest.mark.parametrize(
        ("kind", "old", "new", "verdict"),
        [
            ("invoice", "draft", "open", Verdict.APPLIED),
            ("invoice", "open", "paid", Verdict.APPLIED),
            ("invoice", "paid", "open", Verdict.SUPERSEDED),
            ("invoice", "open", "uncollectible", Verdict.UNDECIDED),
            ("payment", "failed", "succeeded", Verdict.APPLIED),
            ("payment", "succeeded", "failed", Verdict.SUPERSEDED),
            ("payment", "failed", "requires_action", Verdict.UNDECIDED),
            ("customer", "", "", Verdict.UNDECIDED),
        ],
    )
    def test_on_equal_stamps_of_others(
        self, kind: str, old: str, new: str, verdict: Verdict
    ) -> None:
        assert decide(KINDS[kind], T, T, old, new, same=False) == verdict


@pytest.fixture
def customer(sandbox: Any) -> Customer:
    objects.make_price()
    return objects.make_customer("001")


def answer(**changes: Any) -> SubscriptionData:
    data = providers.get(ALIAS, ReadsSubscriptions).get_subscription(Ref(id="sub_001"))
    return replace(data, **changes)


@pytest.mark.django_db(transaction=True)
class TestCompareAndSet:
    def test_a_row_that_moved_since_the_look_is_fetched_again(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between fetch and lock another worker writes: what was fetched may be older."""
        objects.keep(objects.subscription("001", status="active"))
        objects.deliver("evt_1", "subscription.created", objects.subscription("001"))
        webhooks.drain()
        asked = _during_the_fetch(
            monkeypatch,
            lambda: Subscription.objects.update(sync_seq=99),
            objects.subscription("001", status="past_due"),
        )
        objects.deliver(
            "evt_2", "subscription.updated", objects.subscription("001"), api_version="older"
        )
        webhooks.drain()
        assert asked == ["sub_001", "sub_001"]
        row = Subscription.objects.get()
        assert (row.status, row.sync_seq) == ("past_due", 100)
        assert StateChange.objects.exclude(event_id=None).count() == 2

    def test_a_row_that_appeared_since_the_look_is_fetched_again(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        objects.keep(objects.subscription("001", status="active"))

        def other_worker() -> None:
            sync.upsert_subscription(ALIAS, _data(objects.subscription("001", quantity=2)))

        asked = _during_the_fetch(
            monkeypatch, other_worker, objects.subscription("001", quantity=3)
        )
        objects.deliver(
            "evt_1", "subscription.updated", objects.subscription("001"), api_version="older"
        )
        webhooks.drain()
        assert asked == ["sub_001", "sub_001"]
        assert Subscription.objects.get().quantity == 3

    def test_one_that_never_rests_is_left_to_a_later_drain(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        objects.keep(objects.subscription("001"))
        objects.deliver("evt_1", "subscription.created", objects.subscription("001"))
        webhooks.drain()
        original = SandboxProvider._get

        def get(self: Any, kind: str, ref: Any) -> Any:
            row = Subscription.objects.get()
            Subscription.objects.update(sync_seq=row.sync_seq + 1)
            return original(self, kind, ref)

        monkeypatch.setattr(SandboxProvider, "_get", get)
        with pytest.raises(LeaseLost, match="faster than it can be read"):
            sync.settle(
                KINDS["subscription"], ALIAS, Ref(id="sub_001"), stamp=T, cause=ChangeCause.SYNC
            )


def _data(body: dict[str, Any]) -> SubscriptionData:
    return mapping.subscription(body, datetime.fromtimestamp(CREATED, tz=UTC))


def _during_the_fetch(
    monkeypatch: pytest.MonkeyPatch, action: Any, then: dict[str, Any]
) -> list[str]:
    """Run `action` while the first fetch is under way; the second is answered with `then`."""
    asked: list[str] = []
    original = SandboxProvider._get

    def get(self: Any, kind: str, ref: Any) -> Any:
        asked.append(ref.id)
        found = original(self, kind, ref)
        if len(asked) == 1:
            action()
            objects.keep(then)
        return found

    monkeypatch.setattr(SandboxProvider, "_get", get)
    return asked


@pytest.mark.django_db(transaction=True)
class TestVersion:
    def test_never_decreases(self, customer: Customer) -> None:
        objects.keep(objects.subscription("001", quantity=9))
        seen: list[datetime] = []
        for number, second in enumerate([5, 3, 5, 9, 1, 9]):
            objects.deliver(
                f"evt_{number}",
                "subscription.updated",
                objects.subscription("001", quantity=number + 1),
                4_000_000_000 + second,
            )
            webhooks.drain()
            version = Subscription.objects.get().provider_version
            assert version
            seen.append(version)
        assert seen == sorted(seen)

    def test_of_a_fetched_row_is_the_latest_of_event_and_answer(self, customer: Customer) -> None:
        objects.keep(objects.subscription("001"))
        objects.deliver(
            "evt_1",
            "subscription.updated",
            objects.subscription("001"),
            4_000_000_000,
            api_version="older",
        )
        webhooks.drain()
        version = Subscription.objects.get().provider_version
        assert version == datetime.fromtimestamp(4_000_000_000, tz=UTC)

    def test_of_a_fetched_parent_is_at_least_its_child_s(self, customer: Customer) -> None:
        """It was read after the child was delivered, whatever the provider's clocks say."""
        objects.keep(objects.subscription("001"))
        objects.deliver("evt_1", "invoice.created", objects.invoice("001"), 4_000_000_000)
        webhooks.drain()
        version = Subscription.objects.get().provider_version
        assert version == datetime.fromtimestamp(4_000_000_000, tz=UTC)


@pytest.mark.django_db(transaction=True)
class TestAnswers:
    @pytest.fixture
    def known(self, customer: Customer) -> Customer:
        """A webhook has told a state at a later time than any answer carries."""
        objects.deliver(
            "evt_1",
            "subscription.created",
            objects.subscription("001", quantity=2),
            4_000_000_000,
        )
        webhooks.drain()
        objects.keep(objects.subscription("001", quantity=5))
        return customer

    def test_one_with_an_older_stamp_is_confirmed_not_lost(self, known: Customer) -> None:
        """Its stamp is a lower bound, so that earlier is not proven."""
        row = sync.upsert_subscription(ALIAS, answer(as_of=T))
        assert row.quantity == 5

    def test_one_on_an_equal_stamp_is_confirmed(self, known: Customer) -> None:
        stamp = datetime.fromtimestamp(4_000_000_000, tz=UTC)
        assert sync.upsert_subscription(ALIAS, answer(as_of=stamp, quantity=7)).quantity == 5

    def test_a_success_is_not_made_a_failure_by_the_look_that_follows(
        self, known: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The money has moved: the row stays as the webhook left it, and the next one repairs."""
        data = answer(as_of=T)

        def away(self: Any, kind: str, ref: Any) -> Any:
            raise ProviderUnavailable("away")

        monkeypatch.setattr(SandboxProvider, "_get", away)
        row = sync.upsert_subscription(ALIAS, data)
        assert (row.quantity, row.provider_subscription_id) == (2, "sub_001")

    def test_one_that_cannot_be_confirmed_anywhere_is_taken(
        self, known: Customer, settings: Any
    ) -> None:
        stamp = datetime.fromtimestamp(4_000_000_000, tz=UTC)
        data = answer(as_of=stamp, quantity=7)
        settings.BILLING_PROVIDERS[ALIAS]["OPTIONS"]["like"] = {
            "capabilities": ["PaymentProvider", "ReceivesWebhooks"]
        }
        providers.reset()
        assert sync.upsert_subscription(ALIAS, data).quantity == 7

    def test_a_newer_one_is_applied_without_a_look(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        objects.keep(objects.subscription("001"))
        data = answer()
        monkeypatch.setattr(SandboxProvider, "_get", None)
        row = sync.upsert_subscription(ALIAS, data)
        assert row.status == "active"
        change = StateChange.objects.get()
        assert (change.cause, change.outcome, change.event_id) == ("api", "applied", None)
        assert not WebhookEvent.objects.exists()
