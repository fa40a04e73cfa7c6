"""Old bodies and keys are forgotten, what is due never, ids never."""

import time
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from billing import tasks
from billing.conf import conf
from billing.enums import TransactionType, WebhookState
from billing.errors import PayloadPruned
from billing.models import (
    IdempotencyKey,
    Invoice,
    Organization,
    RoutingDecision,
    StateChange,
    Subscription,
    SubscriptionPlan,
    WebhookEvent,
)
from billing.services import prune, routing, subscriptions, webhooks
from billing.services.webhooks import intake
from billing.tests.services import sandbox_objects as objects
from billing.tests.services.sandbox_objects import side_by_side
from project.celery import app

pytestmark = pytest.mark.django_db(transaction=True)

SETTLED = {WebhookState.PROCESSED, WebhookState.IGNORED}
LONG_AGO = timedelta(days=91)


@pytest.fixture(autouse=True)
def _ninety_days(settings: Any) -> None:
    settings.BILLING_PAYLOAD_DAYS = 90


def event(name: str, state: str, age: timedelta = LONG_AGO, **values: Any) -> WebhookEvent:
    then = timezone.now() - age
    return WebhookEvent.objects.create(
        **{
            "provider": "stripe",
            "mode": "sandbox",
            "provider_event_id": name,
            "event_type": "invoice.paid",
            "occurred_at": then,
            "received_at": then,
            "next_attempt_at": then,
            "state": state,
            "processed_at": then if state in SETTLED else None,
            "body": '{"told": "once"}',
            "headers": {"user-agent": "provider"},
            **values,
        }
    )


def key(name: str, age: timedelta, **values: Any) -> IdempotencyKey:
    organization, _ = Organization.objects.get_or_create(name="Software")
    row = IdempotencyKey.objects.create(
        **{
            "organization": organization,
            "key": name,
            "fingerprint": "f",
            "status": "done",
            "locked_until": timezone.now() - age,
            **values,
        }
    )
    then = timezone.now() - age
    IdempotencyKey.objects.filter(pk=row.pk).update(created_at=then, updated_at=then)
    return row


def without_body() -> set[str]:
    return set(
        WebhookEvent.objects.filter(body="", headers={}).values_list("provider_event_id", flat=True)
    )


@pytest.mark.parametrize("state", WebhookState)
def test_only_what_is_settled_loses_its_body(state: WebhookState) -> None:
    event("evt_1", state.value)
    pruned = prune.run()
    assert pruned.bodies == (1 if state in SETTLED else 0)
    assert without_body() == ({"evt_1"} if state in SETTLED else set())


def test_the_age_counts_from_the_settlement() -> None:
    event("old", "processed")
    event("young", "processed", timedelta(days=89))
    event("replayed", "processed", processed_at=timezone.now() - timedelta(days=1))
    assert prune.run() == prune.Pruned(bodies=1, keys=0, decisions=0)
    assert without_body() == {"old"}
    assert prune.run() == prune.Pruned(bodies=0, keys=0, decisions=0)


def test_the_setting_says_how_old(settings: Any) -> None:
    settings.BILLING_PAYLOAD_DAYS = 7
    assert conf.payload_age == timedelta(days=7)
    event("old", "ignored", timedelta(days=8))
    assert prune.run().bodies == 1


def test_the_id_stays_and_keeps_the_event_from_coming_twice(sandbox: Any) -> None:
    objects.make_price()
    objects.make_customer("001")
    headers, body = objects.delivery("evt_1", "subscription.updated", objects.subscription("001"))
    assert webhooks.receive("stripe", body, headers) == "accepted"
    webhooks.drain()
    long_ago = timezone.now() - LONG_AGO
    WebhookEvent.objects.update(received_at=long_ago, processed_at=long_ago)
    assert prune.run().bodies == 1
    assert webhooks.receive("stripe", body, headers) == "already_processed"
    webhooks.drain()
    assert StateChange.objects.exclude(event_id=None).count() == 1


class TestReplay:
    def test_of_what_was_pruned_is_refused_and_says_why(self, sandbox: Any) -> None:
        row = event("evt_1", "processed")
        prune.run()
        row.refresh_from_db()
        with pytest.raises(PayloadPruned, match="evt_1 was emptied for its age"):
            webhooks.retry(row)
        row.refresh_from_db()
        assert row.state == "processed"
        assert not StateChange.objects.exists()

    def test_the_command_says_so_and_goes_on(self, sandbox: Any) -> None:
        row = event("evt_1", "ignored", body="", headers={})
        out = StringIO()
        call_command("billing_replay_webhooks", f"--id={row.pk}", stdout=out, stderr=out)
        assert "cannot be replayed" in out.getvalue()
        assert "0 events are due again" in out.getvalue()

    def test_what_was_read_before_the_pruning_is_refused_too(
        self, sandbox: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Pruned between the look and the write: it must not become due without a body."""
        headers, body = objects.delivery(
            "evt_1", "subscription.updated", objects.subscription("001")
        )
        row = event("evt_1", "processed", body=body.decode())
        prune.run()
        with pytest.raises(PayloadPruned):
            webhooks.retry(row)
        assert WebhookEvent.objects.get().state == "processed"


class TestKeys:
    def test_are_kept_for_a_day_after_their_last_use(self) -> None:
        day = timedelta(hours=24)
        key("old", day + timedelta(minutes=1))
        key("young", day - timedelta(minutes=1))
        retried = key("retried", 2 * day)
        IdempotencyKey.objects.filter(pk=retried.pk).update(updated_at=timezone.now())
        running = key("running", 2 * day, status="running")
        later = timezone.now() + timedelta(minutes=1)
        IdempotencyKey.objects.filter(pk=running.pk).update(locked_until=later)
        assert prune.run().keys == 1
        kept = set(IdempotencyKey.objects.values_list("key", flat=True))
        assert kept == {"young", "retried", "running"}


class TestDecisions:
    @pytest.fixture
    def bought(
        self, organization_mx: Organization, published: dict[str, SubscriptionPlan], deliver: Any
    ) -> Subscription:
        """A subscription and its invoice, by a decision of long ago."""
        made = subscriptions.create(
            organization_mx, plan=published["startup"], interval="monthly", token="tok_visa"
        )
        deliver(made.provider)
        assert Invoice.objects.get().decision_id == made.decision_id
        return made

    def decide(self, organization: Any, age: timedelta) -> RoutingDecision:
        inquiry = routing.Inquiry(transaction_type=TransactionType.SUBSCRIPTION)
        made = routing.decide(organization, inquiry)
        RoutingDecision.objects.filter(pk=made.pk).update(created_at=timezone.now() - age)
        return made

    def test_go_after_thirty_days_where_nothing_came_of_them(self, bought: Subscription) -> None:
        RoutingDecision.objects.update(created_at=timezone.now() - timedelta(days=400))
        self.decide(bought.organization, timedelta(days=31))
        young = self.decide(bought.organization, timedelta(days=29))
        assert prune.count().decisions == prune.run().decisions == 1
        assert set(RoutingDecision.objects.all()) == {bought.decision, young}

    def test_of_an_invoice_alone_stay(self, bought: Subscription) -> None:
        RoutingDecision.objects.update(created_at=timezone.now() - timedelta(days=400))
        Subscription.objects.update(decision=None)
        assert prune.run().decisions == 0

    def test_stay_while_a_purchase_may_name_them(
        self, organization_mx: Organization, sandbox: Any, settings: Any
    ) -> None:
        settings.BILLING_DECISION_HOURS = 24 * 40
        self.decide(organization_mx, timedelta(days=60))
        assert prune.run().decisions == 0


class TestBatches:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(prune, "BATCH_SIZE", 2)

    def test_all_are_found(self) -> None:
        for number in range(7):
            event(f"evt_{number}", "processed")
            key(f"key_{number}", timedelta(days=2))
        assert prune.run() == prune.Pruned(bodies=7, keys=7, decisions=0)
        assert len(without_body()) == 7

    def test_of_one_moment_too(self) -> None:
        then = timezone.now() - LONG_AGO
        for number in range(7):
            event(f"evt_{number}", "processed", received_at=then)
        assert prune.run().bodies == 7

    def test_ends_when_the_time_is_up(self) -> None:
        event("evt_1", "processed")
        assert prune.run(seconds=0) == prune.Pruned(bodies=0, keys=0, decisions=0, has_more=True)
        assert without_body() == set()

    def test_two_at_once_forget_each_once(self) -> None:
        for number in range(20):
            event(f"evt_{number}", "processed")
        one, other = side_by_side(prune.run, prune.run)
        assert one.bodies + other.bodies == 20


@pytest.mark.postgres
def test_what_is_replayed_meanwhile_keeps_its_body(sandbox: Any) -> None:
    """The pruner has chosen the event, a replay made it due and commits only now."""
    headers, body = objects.delivery("evt_1", "subscription.updated", objects.subscription("001"))
    row = event("evt_1", "processed", body=body.decode())

    def replay() -> None:
        with transaction.atomic():
            intake.retry(row)
            time.sleep(1)

    def prune_meanwhile() -> prune.Pruned:
        time.sleep(0.3)
        return prune.run()

    _, pruned = side_by_side(replay, prune_meanwhile)
    assert pruned.bodies == 0
    row.refresh_from_db()
    assert (row.state, row.body) == ("pending", body.decode())


class TestDoors:
    def test_the_command(self) -> None:
        event("evt_1", "processed")
        key("key_1", timedelta(days=2))
        out = StringIO()
        call_command("billing_prune", "--dry-run", stdout=out)
        assert without_body() == set()
        call_command("billing_prune", stdout=out)
        assert without_body() == {"evt_1"}
        assert not IdempotencyKey.objects.exists()
        assert out.getvalue().splitlines() == [
            "1 bodies, 1 keys and 0 decisions would be forgotten",
            "1 bodies, 1 keys and 0 decisions are forgotten",
        ]

    def test_the_task(self) -> None:
        event("evt_1", "processed")
        assert tasks.forget_what_is_old() == 1

    def test_beat_has_it_done_every_day(self) -> None:
        entry = app.conf.beat_schedule["prune"]
        assert entry["task"] in app.tasks
        assert entry["schedule"].is_due(timezone.now() - timedelta(hours=24)).is_due
