"""Ending with the period where the provider ends only at once: one call, in time, none after undo.

Mexican subscriptions are at a stand-in that has neither planned ends nor idempotency keys.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from billing import clock, tasks
from billing.enums import OperationOutcome, SubscriptionStatus
from billing.errors import InvalidTransition, RequestInProgress
from billing.models import Invoice, Operation, StateChange, Subscription
from billing.providers.base import Simulates
from billing.registry import providers
from billing.services import planned_ends, subscriptions
from billing.tests.services.sandbox_objects import side_by_side

pytestmark = pytest.mark.django_db(transaction=True)
MARGIN = timedelta(minutes=60)


@pytest.fixture
def bought(organization_mx: Any, published: Any, deliver: Any) -> Subscription:
    made = subscriptions.create(
        organization_mx, plan=published["startup"], interval="monthly", token="tok_visa"
    )
    deliver("conekta")
    return subscriptions.reload(made)


@pytest.fixture
def planned(bought: Subscription) -> Subscription:
    return subscriptions.cancel(bought)


@pytest.fixture
def ends_sent(sandbox: Any) -> Callable[[], int]:
    """Return how often the provider was told to end a subscription."""

    def count() -> int:
        with closing(sqlite3.connect(sandbox)) as file:
            found = file.execute(
                "SELECT count(*) FROM deliveries WHERE body LIKE '%subscription.canceled%'"
            )
            return int(found.fetchone()[0])

    return count


def advance(by: timedelta) -> None:
    hours = by // timedelta(hours=1)
    call_command("billing_sandbox", "advance", "--hours", str(hours), stdout=StringIO())


def move_to(subscription: Subscription, before_end: timedelta) -> None:
    """Let billing time be `before_end` before the period's end, without our tasks."""
    assert subscription.current_period_end
    simulator: Any = providers.get("conekta", Simulates)
    simulator.advance_clock(subscription.current_period_end - before_end - clock.now())


def now(subscription: Subscription) -> Subscription:
    return subscriptions.reload(subscription)


def operations_of(subscription: Subscription) -> list[str]:
    found = Operation.objects.filter(subject_id=subscription.pk, verb=planned_ends.VERB)
    return list(found.order_by("created_at").values_list("outcome", flat=True))


class TestPlanning:
    def test_the_row_keeps_the_plan_and_nobody_is_called(self, planned: Subscription) -> None:
        assert planned.status == SubscriptionStatus.ACTIVE
        assert planned.cancel_at_period_end
        assert planned.cancel_at == planned.current_period_end
        assert operations_of(planned) == []
        assert StateChange.objects.filter(code=planned_ends.PLANNED).count() == 1

    def test_once_is_enough(self, planned: Subscription) -> None:
        again = subscriptions.cancel(planned)
        assert again.cancel_at == planned.cancel_at
        assert StateChange.objects.filter(code=planned_ends.PLANNED).count() == 1

    def test_what_the_provider_tells_does_not_undo_it(
        self, planned: Subscription, deliver: Any
    ) -> None:
        subscriptions.change(planned, payment_method=planned.payment_method)
        deliver("conekta")
        assert now(planned).cancel_at == planned.cancel_at

    def test_what_has_ended_cannot_be_planned(self, bought: Subscription) -> None:
        ended = subscriptions.cancel(bought, at_period_end=False)
        with pytest.raises(InvalidTransition):
            subscriptions.cancel(ended)

    def test_without_a_period_there_is_no_end(self, bought: Subscription) -> None:
        Subscription.objects.update(current_period_end=None)
        with pytest.raises(InvalidTransition):
            subscriptions.cancel(bought)


class TestUndoing:
    def test_nobody_is_called_and_it_renews(
        self, planned: Subscription, deliver: Any, ends_sent: Callable[[], int]
    ) -> None:
        undone = subscriptions.resume(planned)
        assert (undone.cancel_at_period_end, undone.cancel_at) == (False, None)
        advance(timedelta(days=32))
        deliver("conekta")
        assert now(planned).status == SubscriptionStatus.ACTIVE
        assert (operations_of(planned), ends_sent()) == ([], 0)
        assert Invoice.objects.count() == 2
        assert StateChange.objects.filter(code=planned_ends.UNDONE).count() == 1

    def test_nothing_planned_is_nothing_to_undo(self, bought: Subscription) -> None:
        subscriptions.resume(bought)
        assert not StateChange.objects.filter(code=planned_ends.UNDONE).exists()

    def test_what_is_being_ended_cannot_be_undone(self, planned: Subscription) -> None:
        move_to(planned, MARGIN)
        providers.get("conekta", Simulates).set_faults(timeout_after_success=1)
        assert planned_ends.carry_out() == 0
        with pytest.raises(RequestInProgress):
            subscriptions.resume(planned)

    def test_what_has_ended_cannot_be_undone(self, planned: Subscription) -> None:
        move_to(planned, MARGIN)
        assert planned_ends.carry_out() == 1
        with pytest.raises(InvalidTransition):
            subscriptions.resume(now(planned))


class TestCarryingOut:
    def test_one_call_at_the_right_moment(
        self, planned: Subscription, deliver: Any, ends_sent: Callable[[], int]
    ) -> None:
        """The clock goes on far beyond: no second call, and no renewal."""
        assert planned.current_period_end
        advance(timedelta(days=70))
        ended = now(planned)
        assert (ended.status, operations_of(planned)) == (SubscriptionStatus.CANCELED, ["done"])
        assert ended.ended_at
        early = planned.current_period_end - ended.ended_at
        assert timedelta(0) < early - MARGIN + timedelta(seconds=2) < timedelta(seconds=10)
        assert ends_sent() == 1
        deliver("conekta")
        assert Invoice.objects.count() == 1
        assert now(planned).status == SubscriptionStatus.CANCELED

    def test_not_before(self, planned: Subscription) -> None:
        move_to(planned, MARGIN + timedelta(minutes=1))
        assert tasks.carry_out_planned_ends() == 0
        assert operations_of(planned) == []
        move_to(planned, MARGIN)
        assert tasks.carry_out_planned_ends() == 1

    def test_the_margin_is_a_setting(self, planned: Subscription, settings: Any) -> None:
        settings.BILLING_PLANNED_END_MINUTES = 24 * 60
        move_to(planned, timedelta(hours=24))
        assert planned_ends.carry_out() == 1

    def test_two_workers_end_it_once(
        self, planned: Subscription, ends_sent: Callable[[], int]
    ) -> None:
        move_to(planned, MARGIN)
        side_by_side(planned_ends.carry_out, planned_ends.carry_out)
        assert now(planned).status == SubscriptionStatus.CANCELED
        assert (operations_of(planned), ends_sent()) == (["done"], 1)

    def test_one_undone_meanwhile_is_left_alone(self, planned: Subscription) -> None:
        move_to(planned, MARGIN)
        stale = Subscription.objects.select_related("customer").get(pk=planned.pk)
        subscriptions.resume(planned)
        assert planned_ends._carry_out(stale) is False
        assert operations_of(planned) == []

    def test_a_provider_that_is_away_is_asked_again(self, planned: Subscription) -> None:
        move_to(planned, MARGIN)
        providers.get("conekta", Simulates).set_faults(answer_500=1)
        assert planned_ends.carry_out() == 0
        assert planned_ends.carry_out() == 1
        assert operations_of(planned) == ["failed", "done"]

    def test_a_lost_answer_is_looked_up_not_sent_again(
        self, planned: Subscription, ends_sent: Callable[[], int]
    ) -> None:
        move_to(planned, MARGIN)
        providers.get("conekta", Simulates).set_faults(timeout_after_success=1)
        assert planned_ends.carry_out() == 0
        assert operations_of(planned) == ["unknown"]
        assert planned_ends.carry_out() == 1
        assert (operations_of(planned), ends_sent()) == (["done"], 1)
        assert now(planned).status == SubscriptionStatus.CANCELED

    def test_a_worker_that_died_before_sending_is_replaced(
        self, planned: Subscription, settings: Any, ends_sent: Callable[[], int]
    ) -> None:
        move_to(planned, MARGIN)
        died = planned_ends._begin(planned)
        assert died
        assert planned_ends.carry_out() == 0
        assert operations_of(planned) == [OperationOutcome.PENDING]
        long_ago = timezone.now() - timedelta(seconds=settings.BILLING_IDEMPOTENCY_LEASE_SECONDS)
        Operation.objects.filter(pk=died.pk).update(created_at=long_ago)
        assert planned_ends.carry_out() == 0
        assert planned_ends.carry_out() == 1
        assert (operations_of(planned), ends_sent()) == (["failed", "done"], 1)

    def test_those_of_a_provider_that_can_are_left_to_it(
        self, organization_de: Any, published: Any
    ) -> None:
        made = subscriptions.create(
            organization_de, plan=published["startup"], interval="monthly", token="tok_visa"
        )
        subscriptions.cancel(made)
        assert planned_ends.next_due(after=clock.now()) is None
        assert not planned_ends.missed().exists()


class TestMissed:
    def test_it_is_ended_late_and_said_aloud(
        self, planned: Subscription, deliver: Any, caplog: Any
    ) -> None:
        """Nobody ran for days: the provider has renewed it meanwhile."""
        move_to(planned, -timedelta(days=2))
        deliver("conekta")
        assert Invoice.objects.count() == 2
        assert list(planned_ends.missed()) == [planned]
        providers.get("conekta", Simulates).set_faults(answer_500=1)
        planned_ends.carry_out()
        assert [each.message for each in caplog.records if each.levelname == "ERROR"] == [
            "planned_end.missed"
        ]
        assert planned_ends.carry_out() == 1
        assert now(planned).status == SubscriptionStatus.CANCELED
        assert not planned_ends.missed().exists()

    def test_what_is_in_time_is_not_missed(self, planned: Subscription) -> None:
        move_to(planned, timedelta(minutes=1))
        assert not planned_ends.missed().exists()
