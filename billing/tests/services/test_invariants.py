"""Each statement holds over a real life, and one planted fault turns exactly that one red."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import F
from django.test import override_settings
from django.utils import timezone

from billing.enums import DisputeStatus, RefundReason
from billing.models import (
    Customer,
    IdempotencyKey,
    Invoice,
    Operation,
    Organization,
    OutboxMessage,
    Payment,
    PaymentMethod,
    Price,
    StateChange,
    Subscription,
    WebhookEvent,
)
from billing.providers.base import Simulates
from billing.providers.types import Ref
from billing.registry import providers
from billing.services import invariants, outbox, refunds, subscriptions, webhooks
from billing.services import plans as plan_service
from billing.tests.services import sandbox_objects as objects
from billing.tests.services.sandbox_objects import side_by_side

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def life(
    organization_de: Any, organization_mx: Any, published: Any, deliver: Any, monkeypatch: Any
) -> None:
    """Two customers: one has left, the other got money back. An event of each state; messages,
    operations, keys."""
    for organization in (organization_de, organization_mx):
        row = subscriptions.create(
            organization, plan=published["startup"], interval="monthly", token="tok_visa"
        )
        deliver(row.provider)
    subscriptions.cancel(row, at_period_end=False)
    deliver(row.provider)
    send_back(Payment.objects.get(organization=organization_de), deliver)
    objects.deliver("evt_unused", "ping", {"object": "ping"})
    objects.deliver("evt_orphan", "invoice.created", objects.invoice("unknown"))
    objects.deliver("evt_poison", "subscription.updated", objects.subscription("poison"))
    webhooks.drain()
    WebhookEvent.objects.filter(provider_event_id="evt_poison").update(
        state="dead", attempts=8, error_message="ValueError: poison"
    )
    webhooks.retry(WebhookEvent.objects.filter(state="processed").order_by("received_at")[0])
    webhooks.drain()
    plan_service.push(published["startup"])
    outbox.drain()
    IdempotencyKey.objects.create(
        organization=organization_de,
        key="key-1",
        fingerprint="f",
        status="done",
        locked_until=timezone.now(),
        response_status=201,
        response_body="{}",
    )


def send_back(payment: Payment, deliver: Any) -> None:
    """A part is refunded, another one in vain, and the bank asks about the rest."""
    bank: Any = providers.get(payment.provider, Simulates)
    for amount in (100, 200):
        refund = refunds.create(payment, reason=RefundReason.DUPLICATE, amount_minor=amount)
    bank.fail_refund(Ref(id=str(refund.provider_refund_id)))
    dispute = bank.open_dispute(payment.ref)
    deliver(payment.provider)
    bank.close_dispute(Ref(id=dispute.id), DisputeStatus.WON)
    deliver(payment.provider)


CHEAP = [name for name in invariants.STATEMENTS if not name.startswith("constraints")]


def violated(*names: str) -> set[str]:
    return {found.statement.name for found in invariants.check(names) if found.count}


def processed() -> WebhookEvent:
    """A processed event that was never replayed."""
    replayed = StateChange.objects.filter(code="replayed").values("object_id")
    return WebhookEvent.objects.filter(state="processed").exclude(pk__in=replayed)[0]


def applied(**kind: Any) -> StateChange:
    return StateChange.objects.filter(outcome="applied", **kind).order_by("-created_at")[0]


def change(model: Any, *, of: dict[str, Any] | None = None, **values: Any) -> None:
    """Update one row behind everybody's back."""
    row = model.objects.filter(**(of or {})).order_by("created_at")[0]
    assert model.objects.filter(pk=row.pk).update(**values) == 1


def again(change: StateChange, **values: Any) -> None:
    """Write one more row in the ledger, like `change` but for `values`."""
    for name, value in {"pk": uuid.uuid4(), **values}.items():
        setattr(change, name, value)
    change._state.adding = True
    change.save(force_insert=True)


def lose_a_claim() -> None:
    """The same event is applied by a second worker, as without the fence of the claim's id."""
    again(StateChange.objects.filter(event_id=processed().pk)[0], outcome="unchanged")


def pay_twice() -> None:
    payment = Payment.objects.filter(status="succeeded", invoice__isnull=False)[0]
    again_id = uuid.uuid4()
    payment.pk, payment.provider_payment_id = again_id, "pay_again"
    payment.sync_seq = payment.refunded_minor = 0
    payment._state.adding = True
    payment.save(force_insert=True)


def bill_in_another_currency() -> None:
    payment = Payment.objects.filter(invoice__isnull=False)[0]
    Invoice.objects.filter(pk=payment.invoice_id).update(currency="CHF")
    Payment.objects.filter(invoice=payment.invoice_id).update(currency="CHF")


def refund_too_much() -> None:
    """Reserved beside what another one has reserved."""
    payment = Payment.objects.filter(refunded_minor__gt=0)[0]
    refund = payment.refunds.filter(status="succeeded")[0]
    amount = payment.amount_minor - payment.refunded_minor + 1
    refund.pk, refund.provider_refund_id, refund.amount_minor = uuid.uuid4(), None, amount
    refund.sync_seq, refund.status = 0, "pending"
    refund._state.adding = True
    refund.save(force_insert=True)
    Operation.objects.filter(verb=refunds.CREATE).update(subject_id=refund.pk, outcome="unknown")


def miscount_refunds() -> None:
    payment = Payment.objects.filter(refunded_minor__gt=0)[0]
    for rows in (Payment.objects.filter(pk=payment.pk), Invoice.objects.filter(payments=payment)):
        assert rows.update(refunded_minor=F("refunded_minor") + 1) == 1


def move_to_another_organization() -> None:
    change(PaymentMethod, organization=Organization.objects.create(name="Thief"))


def borrow_a_default_method() -> None:
    other = PaymentMethod.objects.order_by("created_at")[0]
    Customer.objects.create(
        organization=Organization.objects.create(name="Borrower"),
        provider=other.provider,
        mode=other.mode,
        default_payment_method_id=other.provider_payment_method_id,
    )


def revive() -> None:
    """The ended subscription is active again, and its history says so."""
    row = Subscription.objects.get(status="canceled")
    told = applied(object_type="subscription", object_id=row.pk)
    again(told, from_state="canceled", to_state="active", event_id=None)
    Subscription.objects.filter(pk=row.pk).update(status="active", ended_at=None)


def break_history() -> None:
    row = applied(object_type="subscription", to_state="canceled")
    StateChange.objects.filter(pk=row.pk).update(from_state="past_due")


def lose_the_beginning() -> None:
    """A card was written, and the ledger tells only what did not change it."""
    card = PaymentMethod.objects.order_by("created_at")[0]
    changes = StateChange.objects.filter(object_type="paymentmethod", object_id=card.pk)
    assert changes.update(outcome="unchanged", from_state="attached")


def reserve_without_operation() -> None:
    Operation.objects.filter(verb="subscription.create").update(verb="subscription.guess")
    change(Subscription, of={"ended_at": None}, provider_subscription_id=None)


def forget_the_result() -> None:
    change(Subscription, of={"ended_at": None}, provider_subscription_id=None)


def drop_the_slot() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX billing_subscription_slot")


FAULTS: dict[str, Callable[[], Any]] = {
    "settled_event_has_its_time": lambda: change(
        WebhookEvent, of={"state": "processed"}, processed_at=None
    ),
    "processed_event_has_its_effect": lambda: StateChange.objects.filter(
        event_id=processed().pk
    ).update(event_id=None),
    "event_has_one_effect": lose_a_claim,
    "open_event_has_no_effect": lambda: WebhookEvent.objects.filter(pk=processed().pk).update(
        state="pending", processed_at=None
    ),
    "failed_event_says_why": lambda: change(WebhookEvent, of={"state": "dead"}, error_message=""),
    "open_event_has_its_body": lambda: change(WebhookEvent, of={"state": "dead"}, body=""),
    "event_claim_is_whole": lambda: change(
        WebhookEvent, of={"state": "waiting"}, claim_id=uuid.uuid4()
    ),
    "ledger_names_what_exists": lambda: StateChange.objects.filter(
        pk=applied(object_type="customer", cause="api").pk
    ).update(event_id=uuid.uuid4()),
    "final_state_is_final": revive,
    "history_is_unbroken": break_history,
    "state_is_what_the_ledger_told": lambda: change(Invoice, status="uncollectible"),
    "mirrored_row_has_a_history": lose_the_beginning,
    "one_organization": move_to_another_organization,
    "one_provider": lambda: change(Payment, mode="live"),
    "default_method_is_their_own": borrow_a_default_method,
    "planned_end_is_kept": lambda: change(
        Subscription, of={"ended_at": None}, cancel_at=timezone.now() - timedelta(days=2)
    ),
    "invoice_lines_add_up": lambda: change(
        Invoice, line_items=[{"amount_minor": 1}, {"amount_minor": 2}]
    ),
    "invoice_total_adds_up": lambda: change(Invoice, discount_minor=1),
    "paid_invoice_owes_nothing": lambda: change(Invoice, of={"status": "paid"}, amount_due_minor=1),
    "invoice_is_paid_once": pay_twice,
    "refunds_are_within_their_payment": refund_too_much,
    "payment_knows_what_has_gone": miscount_refunds,
    "invoice_knows_what_has_gone": lambda: change(
        Invoice, of={"refunded_minor__gt": 0}, payment_state="paid"
    ),
    "payment_in_its_invoices_currency": lambda: change(Payment, currency="CHF"),
    "invoice_in_the_sold_currency": bill_in_another_currency,
    "sold_price_is_frozen": lambda: change(
        Price, of={"provider_prices__isnull": False}, published_amount_minor=None
    ),
    "operation_has_its_end": lambda: change(Operation, finished_at=None),
    "creation_has_its_result": forget_the_result,
    "reservation_is_carried_out": reserve_without_operation,
    "sent_message_has_its_time": lambda: change(OutboxMessage, processed_at=None),
    "message_claim_is_whole": lambda: change(OutboxMessage, claimed_until=timezone.now()),
    "failed_message_says_why": lambda: change(
        OutboxMessage, state="dead", processed_at=None, attempts=8
    ),
    "done_key_has_its_answer": lambda: change(IdempotencyKey, response_status=None),
    "constraints_are_in_the_database": drop_the_slot,
}


def test_every_statement_has_a_fault() -> None:
    assert set(FAULTS) == set(invariants.STATEMENTS)


def test_all_hold_over_a_real_life(life: None) -> None:
    states = set(WebhookEvent.objects.values_list("state", flat=True))
    assert states == {"processed", "ignored", "waiting", "dead"}
    assert violated() == set()


def test_each_planted_fault_turns_its_statement_red_and_no_other(life: None) -> None:
    """In one life, each in a transaction of its own that is rolled back."""
    found = {}
    for name, plant in FAULTS.items():
        with transaction.atomic():
            plant()
            found[name] = violated(*{*CHEAP, name})
            transaction.set_rollback(True)
    assert found == {name: {name} for name in FAULTS}
    assert violated() == set()


@pytest.mark.postgres
def test_they_hold_at_any_moment_while_workers_drain(sandbox: Any) -> None:
    """Each is one statement, so it sees an event and its effect, or neither."""
    objects.make_price()
    Price.objects.update(published_amount_minor=F("amount_minor"), published_currency="USD")
    for number in range(40):
        objects.make_customer(f"{number:03}")
        for step, status in enumerate(("incomplete", "active", "past_due", "canceled")):
            ended = {"ended_at": objects.CREATED + step} if status == "canceled" else {}
            objects.deliver(
                f"evt_{number}_{step}",
                "subscription.updated",
                objects.subscription(f"{number:03}", status=status, **ended),
                objects.CREATED + step,
            )
    looks: list[set[str]] = []

    def look() -> None:
        while WebhookEvent.objects.filter(state="pending").exists() or not looks:
            looks.append(violated(*CHEAP))

    with override_settings(BILLING_DRAIN_BATCH_SIZE=5):
        side_by_side(look, webhooks.drain, webhooks.drain)
    assert set().union(*looks) == set()
    assert WebhookEvent.objects.filter(state="processed").count() == 160
    assert violated(*CHEAP) == set()


class TestCommand:
    def test_says_each_statement_and_that_it_holds(self, life: None) -> None:
        out = StringIO()
        call_command("billing_invariants", stdout=out)
        lines = out.getvalue().splitlines()
        assert len(lines) == len(invariants.STATEMENTS) + 1
        assert all(line.startswith("ok") for line in lines[:-1])
        assert lines[-1] == f"{len(invariants.STATEMENTS)} hold, 0 violated"

    def test_shows_examples_and_fails(self, db: None) -> None:
        ids = sorted(
            str(WebhookEvent.objects.create(**unprocessed(number), state="processed").pk)
            for number in range(3)
        )
        out = StringIO()
        with pytest.raises(CommandError, match="1 of 1 statements are violated") as raised:
            call_command(
                "billing_invariants", "processed_event_has_its_effect", "--examples=2", stdout=out
            )
        assert raised.value.returncode == 1
        marked, detail, last = out.getvalue().splitlines()
        assert marked.startswith("VIOLATED  processed_event_has_its_effect: ")
        count, shown = detail.strip().split(" times, for example ")
        assert count == "3"
        assert len(shown.split(", ")) == 2
        assert set(shown.split(", ")) < set(ids)
        assert last == "0 hold, 1 violated"

    def test_refuses_a_name_that_is_none(self) -> None:
        with pytest.raises(CommandError, match="No such statement: nonsense"):
            call_command("billing_invariants", "nonsense")

    def test_costs_one_query_for_each_statement(
        self, life: None, django_assert_max_num_queries: Any
    ) -> None:
        """But for the one that asks the database for each table's constraints."""
        with django_assert_max_num_queries(len(CHEAP)):
            assert not any(found.count for found in invariants.check(CHEAP))


def unprocessed(number: int) -> dict[str, Any]:
    now = timezone.now()
    return {
        "provider": "stripe",
        "mode": "sandbox",
        "provider_event_id": f"evt_{number}",
        "event_type": "invoice.paid",
        "occurred_at": now,
        "received_at": now,
        "next_attempt_at": now,
        "body": "{}",
    }
