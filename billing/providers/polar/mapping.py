"""Polar's customers, subscriptions, orders and refunds as our types. Pure: dict in, Data out. What
is missing or odd costs its own field only; an unknown status is None.

What is sold is a product (monthly and yearly are two), so a product's id is our price's. Polar is
the merchant of record: it computes and owes tax, so sums are taken and never computed.
"""

from datetime import datetime

from billing.enums import (
    EndReason,
    InvoiceStatus,
    PaymentState,
    PaymentStatus,
    RefundReason,
    RefundStatus,
    SubscriptionStatus,
)
from billing.providers.types import (
    JSON,
    CustomerData,
    InvoiceData,
    LineData,
    PaymentData,
    RefundData,
    SubscriptionData,
)
from billing.providers.values import (
    currency,
    incomplete,
    iso_moment,
    items,
    natural,
    part,
    remote_id,
    required_id,
    text,
    whole,
)

REFERENCE_KEY = "cobro_reference"
# Polar's eight words are ours.
_SUBSCRIPTIONS = {status.value: status for status in SubscriptionStatus}
_INVOICES = {
    "draft": InvoiceStatus.DRAFT,
    "pending": InvoiceStatus.OPEN,
    "paid": InvoiceStatus.PAID,
    "refunded": InvoiceStatus.PAID,
    "partially_refunded": InvoiceStatus.PAID,
    "void": InvoiceStatus.VOID,
}
_STATES = {
    "paid": PaymentState.PAID,
    "refunded": PaymentState.REFUNDED,
    "partially_refunded": PaymentState.PARTIALLY_REFUNDED,
}
_PAYMENTS = {
    "draft": PaymentStatus.PENDING,
    "pending": PaymentStatus.PENDING,
    "paid": PaymentStatus.SUCCEEDED,
    "refunded": PaymentStatus.SUCCEEDED,
    "partially_refunded": PaymentStatus.SUCCEEDED,
    "void": PaymentStatus.CANCELED,
}
PAID_WORDS = tuple(word for word, status in _PAYMENTS.items() if status is PaymentStatus.SUCCEEDED)
_REFUNDS = {
    "pending": RefundStatus.PENDING,
    "succeeded": RefundStatus.SUCCEEDED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.CANCELED,
}
_REASONS = {
    "duplicate": RefundReason.DUPLICATE,
    "fraudulent": RefundReason.FRAUDULENT,
    "customer_request": RefundReason.REQUESTED_BY_CUSTOMER,
}


def customer(source: JSON, *, as_of: datetime) -> CustomerData:
    """Map a customer. Our reference is its external id, which cannot be changed once it is set."""
    return CustomerData(
        id=required_id(source),
        email=text(source.get("email")),
        name=text(source.get("name")),
        as_of=_as_of(source, as_of),
        default_payment_method_id=remote_id(source.get("default_payment_method_id")) or None,
        reference=text(source.get("external_id")) or None,
        is_deleted=iso_moment(source.get("deleted_at")) is not None,
        created_at=iso_moment(source.get("created_at")),
        raw=source,
    )


def subscription(source: JSON, *, as_of: datetime) -> SubscriptionData:
    """Map a subscription. One whose end is planned is active until then: its status says when
    access ended, not the name of an event."""
    status = _SUBSCRIPTIONS.get(text(source.get("status")))
    has_ended = status is SubscriptionStatus.CANCELED
    return SubscriptionData(
        id=required_id(source),
        customer_id=remote_id(source.get("customer_id")),
        status=status,
        provider_status=text(source.get("status")),
        as_of=_as_of(source, as_of),
        price_id=remote_id(source.get("product_id")) or None,
        quantity=natural(source.get("seats")) or 1,
        current_period_start=iso_moment(source.get("current_period_start")),
        current_period_end=iso_moment(source.get("current_period_end")),
        trial_start=iso_moment(source.get("trial_start")),
        trial_end=iso_moment(source.get("trial_end")),
        cancel_at_period_end=source.get("cancel_at_period_end") is True,
        cancel_at=iso_moment(source.get("ends_at")),
        canceled_at=iso_moment(source.get("canceled_at")),
        ended_at=iso_moment(source.get("ended_at")),
        end_reason=_end_reason(source) if has_ended else None,
        has_discount=bool(source.get("discount_id")),
        resumes_at=iso_moment(source.get("resumes_at")),
        reference=reference(source),
        raw=source,
    )


def invoice(source: JSON, *, as_of: datetime) -> InvoiceData:
    """Map an order as what is asked for. `due_amount` is its total less the customer's balance, and
    stays when it was paid (polarsource/polar, models/order.py)."""
    status = _INVOICES.get(text(source.get("status")))
    is_paid, due = status is InvoiceStatus.PAID, _due(source)
    period_start, period_end = _period(source)
    return InvoiceData(
        id=required_id(source),
        customer_id=remote_id(source.get("customer_id")),
        status=status,
        provider_status=text(source.get("status")),
        currency=currency(source),
        subtotal_minor=_amount(source, "subtotal_amount"),
        total_minor=_amount(source, "total_amount"),
        amount_due_minor=due if status is InvoiceStatus.OPEN else 0,
        as_of=_as_of(source, as_of),
        amount_paid_minor=due if is_paid else 0,
        discount_minor=whole(source.get("discount_amount")) or 0,
        tax_minor=whole(source.get("tax_amount")) or 0,
        subscription_id=remote_id(source.get("subscription_id")) or None,
        number=text(source.get("invoice_number")),
        payment_state=_payment_state(source, status),
        payment_id=required_id(source) if is_paid else None,
        period_start=period_start,
        period_end=period_end,
        next_attempt_at=iso_moment(source.get("next_payment_attempt_at")),
        lines=_lines(source),
        reference=reference(source),
        raw=source,
    )


def payment(source: JSON, *, as_of: datetime) -> PaymentData:
    """Map an order as what was collected for it: refunds name the order, and no payment of Polar's
    has a webhook. Its id is therefore that of its invoice."""
    return PaymentData(
        id=required_id(source),
        customer_id=remote_id(source.get("customer_id")),
        amount_minor=_due(source),
        currency=currency(source),
        status=_PAYMENTS.get(text(source.get("status"))),
        provider_status=text(source.get("status")),
        as_of=_as_of(source, as_of),
        invoice_id=required_id(source),
        reference=reference(source),
        raw=source,
    )


def refund(source: JSON, *, as_of: datetime) -> RefundData:
    """Map a refund. Polar's `amount` is without the tax that goes back with it."""
    return RefundData(
        id=required_id(source),
        payment_id=remote_id(source.get("order_id")) or incomplete(source, "order_id"),
        amount_minor=_amount(source, "amount") + (whole(source.get("tax_amount")) or 0),
        currency=currency(source),
        status=_REFUNDS.get(text(source.get("status"))),
        provider_status=text(source.get("status")),
        as_of=_as_of(source, as_of),
        reason=_REASONS.get(text(source.get("reason"))),
        reference=reference(source),
        raw=source,
    )


def reference(source: JSON) -> str | None:
    """Return our own id that the object's metadata carry."""
    return text(part(source, "metadata").get(REFERENCE_KEY)) or None


def _as_of(source: JSON, told: datetime) -> datetime:
    """Polar stamps what it changes: an answer that holds a change is no older than it, even where
    its Date, in whole seconds less the call, says so."""
    return max(told, iso_moment(source.get("modified_at")) or told)


def _amount(source: JSON, name: str) -> int:
    found = whole(source.get(name))
    return int(incomplete(source, name)) if found is None else found


def _due(source: JSON) -> int:
    found = whole(source.get("due_amount"))
    return _amount(source, "total_amount") if found is None else found


def _payment_state(source: JSON, status: InvoiceStatus | None) -> PaymentState | None:
    """A pending order with a next attempt was tried before, in vain."""
    if status is None:
        return None
    is_tried = status is InvoiceStatus.OPEN and bool(source.get("next_payment_attempt_at"))
    return PaymentState.FAILED if is_tried else _STATES.get(text(source.get("status")))


def _period(source: JSON) -> tuple[datetime | None, datetime | None]:
    """The period that an order is for. It holds its subscription as it is now, so it is that one's
    while the order was made in it."""
    cycle = part(source, "subscription")
    start, end = (iso_moment(cycle.get(f"current_period_{each}")) for each in ("start", "end"))
    made = iso_moment(source.get("created_at"))
    is_its_own = start and end and made and start <= made < end
    return (start, end) if is_its_own else (None, None)


def _lines(source: JSON) -> tuple[LineData, ...]:
    return tuple(
        LineData(description=text(each.get("label")), amount_minor=whole(each.get("amount")) or 0)
        for each in items(source.get("items"))
    )


def _end_reason(source: JSON) -> EndReason | None:
    """Polar tells only what a customer said; who says nothing leaves it open."""
    return EndReason.CUSTOMER if text(source.get("customer_cancellation_reason")) else None
