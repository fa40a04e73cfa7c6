"""Effects that follow a commit: plans pushed to providers by the worker."""

from typing import Any

import pytest
from django.utils import timezone

from billing.errors import LeaseLost
from billing.models import OutboxMessage, ProviderPrice, SubscriptionPlan
from billing.providers.base import ReadsPlans, Simulates
from billing.registry import providers
from billing.services import outbox
from billing.services import plans as plan_service

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def plan(plans: dict[str, SubscriptionPlan]) -> SubscriptionPlan:
    return plans["startup"]


def make_due() -> None:
    OutboxMessage.objects.update(next_attempt_at=timezone.now())


def drain_all() -> None:
    has_more = True
    while has_more:
        _, has_more = outbox.drain()


def test_a_push_publishes_each_price_where_it_is_taken(plan: SubscriptionPlan) -> None:
    count = plan_service.push(plan)
    assert count == OutboxMessage.objects.count() > 0
    assert not ProviderPrice.objects.exists()
    drain_all()
    assert set(OutboxMessage.objects.values_list("state", flat=True)) == {"done"}
    assert ProviderPrice.objects.count() == count
    for alias in providers.aliases():
        remote = {each.id for each in providers.get(alias, ReadsPlans).list_plans()}
        ours = ProviderPrice.objects.filter(provider=alias)
        assert remote == set(ours.values_list("provider_price_id", flat=True))


def test_pushing_again_makes_nothing_twice(plan: SubscriptionPlan) -> None:
    plan_service.push(plan)
    drain_all()
    before = ProviderPrice.objects.count()
    plan_service.push(plan)
    drain_all()
    assert ProviderPrice.objects.count() == before
    assert len(providers.get("stripe", ReadsPlans).list_plans()) == 4


def send_to_nobody() -> None:
    message = OutboxMessage.objects.first()
    message.payload["alias"] = "nobody"
    message.save()


def test_a_provider_that_is_away_costs_no_try(plan: SubscriptionPlan) -> None:
    plan_service.push(plan)
    providers.get("stripe", Simulates).set_faults(answer_500=1)
    drain_all()
    postponed = OutboxMessage.objects.exclude(state="done").get()
    assert (postponed.state, postponed.attempts) == ("pending", 0)
    assert postponed.next_attempt_at > timezone.now()
    assert "answer_500" in postponed.error_message
    make_due()
    drain_all()
    assert not OutboxMessage.objects.exclude(state="done").exists()


def test_a_failure_backs_off_and_holds_up_nobody(plan: SubscriptionPlan) -> None:
    plan_service.push(plan)
    send_to_nobody()
    drain_all()
    failed = OutboxMessage.objects.get(state="failed")
    assert failed.attempts == 1
    assert 7 < (failed.next_attempt_at - timezone.now()).total_seconds() < 13
    assert "nobody" in failed.error_message
    assert OutboxMessage.objects.filter(state="done").count() == OutboxMessage.objects.count() - 1


def test_it_is_dead_after_eight_tries(plan: SubscriptionPlan) -> None:
    plan_service.push(plan)
    OutboxMessage.objects.exclude(pk=OutboxMessage.objects.first().pk).delete()
    send_to_nobody()
    message = OutboxMessage.objects.get()
    for tries in range(1, 9):
        make_due()
        outbox.drain()
        message.refresh_from_db()
        assert message.attempts == tries
    assert message.state == "dead"
    make_due()
    assert outbox.drain() == (0, False)


def test_an_unknown_topic_fails_visibly(db: Any) -> None:
    OutboxMessage.objects.create(
        topic="nobody.knows", dedupe_key="1", next_attempt_at=timezone.now()
    )
    outbox.drain()
    message = OutboxMessage.objects.get()
    assert (message.state, message.attempts) == ("failed", 1)
    assert "nobody.knows" in message.error_message


def test_a_lost_lease_stops_one_message_only(
    plan: SubscriptionPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_service.push(plan)
    original = outbox.mark
    lost: list[Any] = []

    def mark(model: Any, claim_id: Any, rows: list[Any], **changes: Any) -> None:
        if not lost:
            lost.append(rows)
            raise LeaseLost("taken over")
        original(model, claim_id, rows, **changes)

    monkeypatch.setattr(outbox, "mark", mark)
    outbox.drain()
    assert OutboxMessage.objects.filter(state="pending").count() == 1
