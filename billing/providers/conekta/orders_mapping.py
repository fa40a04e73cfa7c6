"""Conekta's orders as our invoices and their charges as our payments. Pure: dict in, Data out.

Conekta has no invoices: the order of a cycle, or of a single payment, is one. What is missing or
odd costs its own field only; an unknown status is None.
"""

from collections.abc import Iterable
from datetime import datetime

from billing.enums import InvoiceStatus, NextActionType, PaymentState, PaymentStatus
from billing.providers.conekta.declines import decline_code
from billing.providers.conekta.mapping import amount, made_at, reference
from billing.providers.conekta.vouchers import voucher
from billing.providers.types import (
    JSON,
    InvoiceData,
    LineData,
    NextAction,
    PaymentData,
    SubscriptionData,
)
from billing.providers.values import (
    currency,
    items,
    moment,
    natural,
    part,
    remote_id,
    required_id,
    text,
    whole,
)

_INVOICES = {
    "pending_payment": InvoiceStatus.OPEN,
    "pre_authorized": InvoiceStatus.OPEN,
    "declined": InvoiceStatus.OPEN,
    "paid": InvoiceStatus.PAID,
    "refunded": InvoiceStatus.PAID,
    "partially_refunded": InvoiceStatus.PAID,
    "charged_back": InvoiceStatus.PAID,
    "expired": InvoiceStatus.VOID,
    "canceled": InvoiceStatus.VOID,
    "voided": InvoiceStatus.VOID,
}
_STATES = {
    "declined": PaymentState.FAILED,
    "paid": PaymentState.PAID,
    "refunded": PaymentState.REFUNDED,
    "partially_refunded": PaymentState.PARTIALLY_REFUNDED,
    "charged_back": PaymentState.CHARGED_BACK,
    "expired": PaymentState.NONE,
    "canceled": PaymentState.NONE,
    "voided": PaymentState.NONE,
}
_PAYMENTS = {
    "pending_payment": PaymentStatus.PENDING,
    "pre_authorized": PaymentStatus.PENDING,
    "pending_confirmation": PaymentStatus.PROCESSING,
    "paid": PaymentStatus.SUCCEEDED,
    "refunded": PaymentStatus.SUCCEEDED,
    "partially_refunded": PaymentStatus.SUCCEEDED,
    "charged_back": PaymentStatus.SUCCEEDED,
    "declined": PaymentStatus.FAILED,
    "expired": PaymentStatus.CANCELED,
    "canceled": PaymentStatus.CANCELED,
    "voided": PaymentStatus.CANCELED,
}
RECURRENT = "recurrent"


def invoice(
    source: JSON, *, as_of: datetime, subscription: SubscriptionData | None = None
) -> InvoiceData:
    """Map an order. It does not name its subscription: whoever knows it gives it, with the cycle
    where that is this order's."""
    status = invoice_status(source)
    total, code = amount(source), currency(source)
    is_paid, is_open = status is InvoiceStatus.PAID, status is InvoiceStatus.OPEN
    tax, discount = (_sum(source, name) for name in ("tax_lines", "discount_lines"))
    charge = current_charge(source)
    cycle = subscription if subscription and _is_cycle_of(source, subscription) else None
    return InvoiceData(
        id=required_id(source),
        customer_id=owner(source),
        status=status,
        provider_status=text(source.get("payment_status")),
        currency=code,
        subtotal_minor=max(total - tax + discount, 0),
        total_minor=total,
        amount_due_minor=total if is_open else 0,
        as_of=as_of,
        amount_paid_minor=total if is_paid else 0,
        discount_minor=discount,
        tax_minor=tax,
        subscription_id=subscription.id if subscription else None,
        payment_state=_payment_state(source, charge),
        payment_id=remote_id(charge) or None,
        period_start=cycle.current_period_start if cycle else None,
        period_end=cycle.current_period_end if cycle else None,
        due_at=_due_at(source),
        paid_at=moment(charge.get("paid_at")) if is_paid else None,
        hosted_url=text(part(source, "checkout").get("url")) if is_open else "",
        lines=_lines(source),
        reference=reference(source),
        raw=source,
    )


def invoice_status(source: JSON) -> InvoiceStatus | None:
    """Return an order's status as an invoice's. One that nobody has begun to pay does not tell any
    (specification, POST /orders, example "checkout"). A voucher may expire while another waits."""
    word, is_waited_for = text(source.get("payment_status")), any(map(_waits, charges(source)))
    is_begun = "payment_status" in source or charges(source)
    if not is_begun or (word == "expired" and is_waited_for):
        return InvoiceStatus.OPEN
    return _INVOICES.get(word)


def payment(source: JSON, *, as_of: datetime, order: JSON | None = None) -> PaymentData:
    """Map a charge. What the customer must do for 3-D Secure stands in its order, which is given
    where it is at hand."""
    status = _PAYMENTS.get(text(source.get("status")))
    code = currency(source)
    charged = amount(source)
    action = _action(source, charged, code, order) if status is PaymentStatus.PENDING else None
    is_redirected = action is not None and action.type is NextActionType.REDIRECT
    return PaymentData(
        id=required_id(source),
        customer_id=remote_id(source.get("customer_id")) or owner(order or {}),
        amount_minor=charged,
        currency=code,
        status=PaymentStatus.REQUIRES_ACTION if is_redirected else status,
        provider_status=text(source.get("status")),
        as_of=as_of,
        invoice_id=remote_id(source.get("order_id")) or remote_id(order) or None,
        decline_code=decline_code_of(source) if status is PaymentStatus.FAILED else "",
        paid_at=moment(source.get("paid_at")),
        next_action=action,
        reference=text(source.get("reference_id")) or None,
        raw=source,
    )


def told_invoice(source: JSON, *, as_of: datetime) -> InvoiceData | None:
    """Map an event's order; None for a cycle, whose subscription only a fetch tells."""
    return None if is_recurrent(source) else invoice(source, as_of=as_of)


def told_payment(source: JSON, *, as_of: datetime) -> PaymentData | None:
    """Map an event's charge; None where what the customer must do stands in its order, or whose it
    is."""
    found = payment(source, as_of=as_of)
    is_waiting = found.status is PaymentStatus.PENDING and found.next_action is None
    return None if is_waiting or not found.customer_id else found


def payments(order: JSON, *, as_of: datetime) -> list[PaymentData]:
    """Map an order's charges, the newest first."""
    return [payment(each, as_of=as_of, order=order) for each in charges(order)]


def owner(order: JSON) -> str:
    """The id of the customer whose order it is; '' for a passer-by's."""
    return remote_id(part(order, "customer_info").get("customer_id"))


def charges(order: JSON) -> list[JSON]:
    """An order's charges, the newest first."""
    return newest_first(items(order.get("charges")))


def newest_first(found: list[JSON]) -> list[JSON]:
    """Of one second, what Conekta names later is the newer one."""
    latest = found[::-1]
    latest.sort(key=made_at, reverse=True)
    return latest


def current_charge(order: JSON) -> JSON:
    """The charge that has paid an order, else one that waits, else the newest; empty where there is
    none."""
    found = charges(order)
    best = (each for fits in (_is_collected, _waits) for each in filter(fits, found))
    return next(best, found[0] if found else {})


def charge_for(order: JSON, reference: str) -> JSON:
    """The order's charge that carries a reference of ours; empty where there is none."""
    ours = (each for each in charges(order) if each.get("reference_id") == reference)
    return next(ours, {}) if reference else {}


def _waits(charge: JSON) -> bool:
    return charge.get("status") == "pending_payment"


def _is_collected(charge: JSON) -> bool:
    return _PAYMENTS.get(text(charge.get("status"))) is PaymentStatus.SUCCEEDED


def is_recurrent(order: JSON) -> bool:
    """Whether an order is a cycle of some subscription."""
    return order.get("processing_mode") == RECURRENT


def subscription_of(
    order: JSON, subscriptions: Iterable[SubscriptionData]
) -> SubscriptionData | None:
    """Whose cycle a recurrent order is: the one that names it as its last, or the only one."""
    if not is_recurrent(order):
        return None
    known = list(subscriptions)
    named = (each for each in known if _is_cycle_of(order, each))
    return next(named, known[0] if len(known) == 1 else None)


def _is_cycle_of(order: JSON, subscription: SubscriptionData) -> bool:
    return subscription.latest_invoice_id == order.get("id")


def _sum(source: JSON, name: str) -> int:
    return sum(natural(each.get("amount")) or 0 for each in items(source.get(name)))


def _lines(source: JSON) -> tuple[LineData, ...]:
    return tuple(
        LineData(
            description=text(each.get("name")),
            amount_minor=(whole(each.get("unit_price")) or 0)
            * (natural(each.get("quantity")) or 1),
            quantity=natural(each.get("quantity")) or 1,
        )
        for each in items(source.get("line_items"))
    )


def _due_at(source: JSON) -> datetime | None:
    """Until when a voucher of it can be paid."""
    waiting = filter(_waits, charges(source))
    ends = (moment(part(each, "payment_method").get("expires_at")) for each in waiting)
    return max((each for each in ends if each), default=None)


def _payment_state(source: JSON, charge: JSON) -> PaymentState | None:
    word = text(source.get("payment_status"))
    if word in _STATES and not _waits(charge):
        return _STATES[word]
    if invoice_status(source) is None:
        return None
    if _redirect(source):
        return PaymentState.REQUIRES_ACTION
    if not charge:
        return PaymentState.NONE
    is_voucher = voucher(charge, 0, "") is not None
    return PaymentState.VOUCHER_WAITING if is_voucher else PaymentState.PROCESSING


def _action(charge: JSON, charged: int, code: str, order: JSON | None) -> NextAction | None:
    details = voucher(charge, charged, code)
    if details:
        return NextAction(type=NextActionType.DISPLAY_VOUCHER, details=details)
    url = _redirect(order or {})
    return NextAction(type=NextActionType.REDIRECT, details={"url": url}) if url else None


def _redirect(order: JSON) -> str:
    return text(part(order, "next_action", "redirect_to_url").get("url"))


def decline_code_of(charge: JSON) -> str:
    """Why a charge was refused, one of our codes."""
    return decline_code(text(charge.get("failure_code")))
