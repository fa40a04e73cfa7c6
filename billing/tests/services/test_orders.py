"""The orders of six events of one life, each on a subscription of its own, side by side: one end
state. All 720 for two workers on PostgreSQL; every seventh for one worker and on SQLite.

What counts there is the arithmetic of the orders; that two workers do not overwrite each other is
only proven on PostgreSQL (SQLite runs one transaction at a time).
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, models

from billing.enums import ChangeOutcome, WebhookState
from billing.models import (
    Customer,
    Dispute,
    Invoice,
    Organization,
    Payment,
    PaymentMethod,
    Refund,
    StateChange,
    Subscription,
    WebhookEvent,
)
from billing.providers.base import ReceivesWebhooks
from billing.registry import providers
from billing.services import webhooks
from billing.services.webhooks import intake
from billing.tests.services import sandbox_objects as objects
from billing.tests.services.sandbox_objects import ALIAS, CREATED, PRICE_ID, delivery

pytestmark = pytest.mark.django_db(transaction=True)

ORDERS = list(permutations(range(6)))
MIRRORED = (Customer, PaymentMethod, Subscription, Invoice, Payment, Refund, Dispute)
# How a row came to its state: counters and times that differ with the way taken.
BOOKKEEPING = {"provider_version", "sync_seq", "created_at", "updated_at"}
DECLINED = {"status": "failed", "decline_code": "card_declined", "paid_at": None}
ENDED = {
    "status": "canceled",
    "canceled_at": CREATED + 5,
    "ended_at": CREATED + 5,
    "end_reason": "payment_failed",
}
Event = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Life:
    """Six events in the order in which they happened, and what is known before the first comes.

    `unheard` are objects that the provider holds and no event tells of.
    """

    name: str
    events: Callable[[str, str], list[Event]]
    ends_as: dict[str, str]
    payment_state: str = ""
    unheard: Callable[[str, str], list[dict[str, Any]]] = lambda token, reference: []
    has_customer: bool = False
    has_subscription: bool = False


def first_purchase(token: str, reference: str) -> list[Event]:
    """Nothing is known but the reserved customer row, which its metadata names."""
    return [
        ("payment_method.attached", objects.payment_method(token)),
        ("subscription.created", _incomplete(token)),
        ("invoice.created", objects.invoice(token)),
        ("payment.succeeded", objects.payment(token)),
        ("invoice.paid", objects.paid_invoice(token)),
        ("subscription.updated", objects.subscription(token)),
    ]


def failed_then_paid(token: str, reference: str) -> list[Event]:
    """One payment that is tried twice; on equal stamps only the provider knows the end."""
    failed = {"payment_state": "failed", "payment": f"pay_{token}"}
    return [
        ("payment.failed", objects.payment(token, **DECLINED)),
        ("invoice.payment_failed", objects.invoice(token, **failed)),
        ("subscription.updated", _named(token, reference, status="past_due")),
        ("payment.succeeded", objects.payment(token)),
        ("invoice.paid", objects.paid_invoice(token)),
        ("subscription.updated", _named(token, reference)),
    ]


def ended(token: str, reference: str) -> list[Event]:
    """A renewal fails for good; the customer's card changed on the way."""
    failed = {"payment_state": "failed", "next_attempt_at": CREATED + 86_400}
    return [
        ("subscription.updated", objects.subscription(token)),
        ("invoice.payment_failed", objects.invoice(token, **failed)),
        ("subscription.updated", objects.subscription(token, status="past_due")),
        ("customer.updated", objects.customer(token, default_payment_method=f"pm_{token}")),
        (
            "invoice.updated",
            objects.invoice(token, status="uncollectible", payment_state="failed"),
        ),
        ("subscription.canceled", objects.subscription(token, **ENDED)),
    ]


def charged_back(token: str, reference: str) -> list[Event]:
    """A part is sent back, then the bank takes the payment; the invoice is told last of all."""
    return [
        ("payment.succeeded", objects.payment(token)),
        ("invoice.paid", objects.paid_invoice(token)),
        ("refund.created", objects.refund(token, status="pending")),
        ("refund.updated", objects.refund(token)),
        ("dispute.created", objects.dispute(token)),
        ("invoice.updated", objects.paid_invoice(token)),
    ]


def sent_back(token: str, reference: str) -> list[Event]:
    """What went back comes back: the refund fails after it succeeded, the dispute is won."""
    return [
        ("invoice.paid", objects.paid_invoice(token)),
        ("refund.created", objects.refund(token, amount=2999)),
        ("dispute.created", objects.dispute(token)),
        ("dispute.closed", objects.dispute(token, status="won")),
        ("refund.failed", objects.refund(token, amount=2999, status="failed")),
        ("invoice.updated", objects.paid_invoice(token)),
    ]


def _incomplete(token: str) -> dict[str, Any]:
    return objects.subscription(
        token, status="incomplete", incomplete_reason="processing", payment_method=None
    )


def _named(token: str, reference: str, **changes: Any) -> dict[str, Any]:
    return objects.subscription(token, reference=reference, **changes)


FIRST_PURCHASE = Life(
    "first purchase",
    first_purchase,
    {"subscription": "active", "invoice": "paid", "payment": "succeeded"},
)
FAILED_THEN_PAID = Life(
    "failed then paid",
    failed_then_paid,
    {"subscription": "active", "invoice": "paid", "payment": "succeeded"},
    has_customer=True,
    has_subscription=True,
)
ENDED_LIFE = Life(
    "ended",
    ended,
    {"subscription": "canceled", "invoice": "uncollectible"},
    has_customer=True,
)

CHARGED_BACK = Life(
    "charged back",
    charged_back,
    {"refund": "succeeded", "dispute": "needs_response", "invoice": "paid"},
    payment_state="charged_back",
    unheard=lambda token, reference: [_named(token, reference)],
    has_customer=True,
    has_subscription=True,
)
SENT_BACK = Life(
    "sent back",
    sent_back,
    {"refund": "failed", "dispute": "won", "payment": "succeeded"},
    payment_state="paid",
    unheard=lambda token, reference: [_named(token, reference), objects.payment(token)],
    has_customer=True,
    has_subscription=True,
)


@dataclass(frozen=True)
class Run:
    """How the events come: all at once or by position, with which stamps, to how many workers."""

    life: Life
    stamps: Sequence[int]
    workers: int
    as_batch: bool
    is_signed: bool = False
    can_fetch: bool = True

    @property
    def orders(self) -> list[tuple[int, ...]]:
        has_rivals = self.workers > 1 and connection.vendor == "postgresql"
        return ORDERS[:: 1 if has_rivals else 7]

    def __str__(self) -> str:
        how = "one batch" if self.as_batch else "by position"
        stamps = "equal" if len(set(self.stamps)) == 1 else "different"
        extra = "" if self.can_fetch else ", unreadable"
        return f"{self.life.name}, {how}, {stamps}, {self.workers} workers{extra}"


EQUAL = [CREATED] * 6
DIFFERENT = [CREATED + second for second in range(6)]
# Ahead of the provider's own clock, so that answers look older than the events they answer: an
# early event may then seem to leave a final state that was fetched, and is refused.
AHEAD = [4_000_000_000 + second for second in range(6)]
RUNS = [
    Run(FAILED_THEN_PAID, stamps, workers, as_batch)
    for stamps in (EQUAL, DIFFERENT)
    for workers in (1, 2)
    for as_batch in (False, True)
] + [
    Run(FIRST_PURCHASE, EQUAL, 2, as_batch=True, is_signed=True),
    Run(FIRST_PURCHASE, DIFFERENT, 2, as_batch=False, can_fetch=False),
    Run(FAILED_THEN_PAID, AHEAD, 2, as_batch=False),
    Run(ENDED_LIFE, EQUAL, 2, as_batch=False),
    Run(ENDED_LIFE, DIFFERENT, 1, as_batch=True),
    Run(CHARGED_BACK, EQUAL, 2, as_batch=False),
    Run(CHARGED_BACK, DIFFERENT, 2, as_batch=False),
    Run(CHARGED_BACK, DIFFERENT, 1, as_batch=True),
    Run(SENT_BACK, EQUAL, 1, as_batch=True),
    Run(SENT_BACK, DIFFERENT, 2, as_batch=False),
]


@pytest.mark.parametrize("run", RUNS, ids=str)
def test_every_order_ends_in_the_same_state(run: Run, sandbox: Any, settings: Any) -> None:
    if run.as_batch and run.workers == 1:
        settings.BILLING_DRAIN_BATCH_SIZE = 6 * len(run.orders)
    lives = _prepare(run)
    for delivered in _deliveries(run, lives):
        _take_in(run, delivered)
        _drain(run.workers)
    _assert_all_processed(run)
    _assert_one_change_per_event(run)
    _assert_one_end_state(run)


def _drain(workers: int) -> None:
    if workers == 1:
        _work()
    else:
        objects.side_by_side(*[_work] * workers)


def _work() -> None:
    """As a worker does: a drain that ran out of time is followed by the next."""
    has_more = True
    while has_more:
        _, has_more = webhooks.drain()


def _prepare(run: Run) -> list[list[Event]]:
    """An organization for each order, with what is known of it; its objects there as they end."""
    tokens = [f"{index:03d}" for index in range(len(run.orders))]
    organizations = Organization.objects.bulk_create(Organization(name=each) for each in tokens)
    customers = Customer.objects.bulk_create(
        Customer(
            organization=organization,
            provider=ALIAS,
            mode="sandbox",
            provider_customer_id=f"cus_{token}" if run.life.has_customer else None,
        )
        for token, organization in zip(tokens, organizations, strict=True)
    )
    price_row = objects.make_price()
    reserved = [
        Subscription(
            organization=customer.organization,
            customer=customer,
            provider=ALIAS,
            mode="sandbox",
            plan=price_row.plan,
            price=price_row,
            provider_price_id=PRICE_ID,
        )
        for customer in customers
    ]
    if run.life.has_subscription:
        Subscription.objects.bulk_create(reserved)
    references = [str(row.pk) for row in reserved]
    lives = list(map(run.life.events, tokens, references))
    unheard = [each for found in map(run.life.unheard, tokens, references) for each in found]
    final = [body for life in lives for body in _final(life)] if run.can_fetch else []
    named = [
        objects.customer(token, reference=str(row.pk))
        for token, row in zip(tokens, customers, strict=True)
    ]
    # A later body of the same object replaces an earlier one.
    objects.keep(*named, *unheard, *final)
    return lives


def _final(life: list[Event]) -> list[dict[str, Any]]:
    return list({body["id"]: body for _, body in life}.values())


def _deliveries(run: Run, lives: list[list[Event]]) -> list[list[tuple[dict[str, str], bytes]]]:
    """Per drain, the deliveries before it: one position of each order, or all of them."""
    rounds = [
        [
            delivery(
                f"evt_{life}_{order[position]}",
                *lives[life][order[position]],
                created=run.stamps[order[position]],
            )
            for life, order in enumerate(run.orders)
        ]
        for position in range(6)
    ]
    if run.as_batch:
        return [[each for life in zip(*rounds, strict=True) for each in life]]
    return rounds


def _take_in(run: Run, deliveries: list[tuple[dict[str, str], bytes]]) -> None:
    if run.is_signed:
        answers = [webhooks.receive(ALIAS, body, headers) for headers, body in deliveries]
        assert set(answers) == {"accepted"}
        return
    provider = providers.get(ALIAS, ReceivesWebhooks)
    WebhookEvent.objects.bulk_create(
        intake._row(ALIAS, provider.parse_webhook_event(body, headers), body, headers)
        for headers, body in deliveries
    )


def _assert_all_processed(run: Run) -> None:
    counts = Counter(WebhookEvent.objects.values_list("state", flat=True))
    assert counts == {WebhookState.PROCESSED: 6 * len(run.orders)}, _first_error()


def _first_error() -> str:
    event = WebhookEvent.objects.exclude(state=WebhookState.PROCESSED).first()
    return f"{event}: {event.outcome} {event.error_message}" if event else ""


def _assert_one_change_per_event(run: Run) -> None:
    changes = list(
        StateChange.objects.exclude(event_id=None).values_list("event_id", "outcome", "code")
    )
    assert len(changes) == len({event_id for event_id, _, _ in changes}) == 6 * len(run.orders)
    if run.stamps is not AHEAD:
        assert ChangeOutcome.REFUSED not in {outcome for _, outcome, _ in changes}
        assert {code for _, _, code in changes} == {""}


def _assert_one_end_state(run: Run) -> None:
    life = run.life
    names = {
        row.pk: f"{model._meta.model_name} of {token}"
        for model in MIRRORED
        for row in model._default_manager.all()
        for token in [_token(row)]
    }
    for model in MIRRORED:
        rows = list(model._default_manager.all())
        assert len(rows) in (0, len(run.orders)), model
        states = Counter(_normalised(row, names) for row in rows)
        assert len(states) <= 1, _difference(list(states))
    for name, status in life.ends_as.items():
        (model,) = (each for each in MIRRORED if each._meta.model_name == name)
        assert set(model._default_manager.values_list("status", flat=True)) == {status}
    if life.payment_state:
        assert set(Invoice.objects.values_list("payment_state", flat=True)) == {life.payment_state}
    _assert_links()


def _assert_links() -> None:
    """The same for all is not enough: the links must be there and lead to the own relatives."""
    for row in Subscription.objects.select_related("customer", "price", "payment_method"):
        assert row.price
        assert row.plan_id == row.price.plan_id
        assert row.organization_id == row.customer.organization_id
        if PaymentMethod.objects.exists():
            assert row.payment_method
    for bill in Invoice.objects.select_related("subscription"):
        assert bill.subscription
        assert _token(bill.subscription) == _token(bill)
    for attempt in Payment.objects.select_related("invoice"):
        assert attempt.invoice
        assert _token(attempt.invoice) == _token(attempt)
    for model in (Refund, Dispute):
        for row in model._default_manager.select_related("payment"):
            assert _token(row.payment) == _token(row)


def _token(row: Any) -> str:
    remote_ids = (
        "provider_refund_id",
        "provider_dispute_id",
        "provider_payment_id",
        "provider_invoice_id",
        "provider_subscription_id",
        "provider_payment_method_id",
        "provider_customer_id",
    )
    return next(getattr(row, name)[-3:] for name in remote_ids if hasattr(row, name))


def _normalised(row: models.Model, names: dict[Any, str]) -> str:
    """Every column as text, ids replaced by whom they name and the life's number by a star."""
    token = _token(row)
    columns = {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if field.name not in BOOKKEEPING
    }
    columns |= {name: names[key] for name, key in columns.items() if _is_name(key, names)}
    organization_id = str(columns.pop("organization_id"))
    columns["provider_data"] = {
        name: value for name, value in columns["provider_data"].items() if name != "reference"
    }
    text = json.dumps(columns, default=_plain, sort_keys=True)
    assert organization_id not in text
    for prefix in ("cus", "pm", "sub", "inv", "pay", "re", "dp"):
        text = text.replace(f"{prefix}_{token}", f"{prefix}_*")
    return text.replace(f"of {token}", "of *")


def _is_name(key: object, names: dict[Any, str]) -> bool:
    return isinstance(key, UUID) and key in names


def _plain(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def _difference(states: list[str]) -> str:
    one, other = (json.loads(each) for each in states[:2])
    return str({key: (one[key], other[key]) for key in one if one[key] != other[key]})
