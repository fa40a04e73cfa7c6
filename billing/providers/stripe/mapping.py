"""Stripe's objects as our types, at the pinned version and at older ones. Pure: dict in, Data out.

Fields that moved are read in both places: an endpoint that was made in Stripe's dashboard renders
its events in the account's own, older version.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from billing.enums import (
    BillingInterval,
    EndReason,
    IncompleteReason,
    InvoiceStatus,
    PaymentMethodType,
    PaymentState,
    PaymentStatus,
    SubscriptionStatus,
)
from billing.providers.stripe.actions import (
    attempts,
    intent_of,
    payment_action,
    subscription_action,
)
from billing.providers.stripe.amounts import (
    optional_amount,
    rate,
    required_amount,
    total_amount,
)
from billing.providers.stripe.declines import decline_code
from billing.providers.stripe.events import subscription_of
from billing.providers.types import (
    JSON,
    CustomerData,
    InvoiceData,
    LineData,
    PaymentData,
    PaymentMethodData,
    PlanData,
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

REFERENCE_KEY = "cobro_reference"
Word = TypeVar("Word", bound=StrEnum)

_INTERVALS = {"month": BillingInterval.MONTHLY, "year": BillingInterval.YEARLY}
METHOD_TYPES = {
    "card": PaymentMethodType.CARD,
    "us_bank_account": PaymentMethodType.BANK_ACCOUNT,
    "sepa_debit": PaymentMethodType.SEPA_DEBIT,
}
_END_REASONS = {
    "cancellation_requested": EndReason.CUSTOMER,
    "payment_failed": EndReason.PAYMENT_FAILED,
    "payment_disputed": EndReason.FRAUD,
}
_PAYMENT_STATUSES = {
    "requires_payment_method": PaymentStatus.PENDING,
    "requires_source": PaymentStatus.PENDING,
    "requires_confirmation": PaymentStatus.PENDING,
    "requires_action": PaymentStatus.REQUIRES_ACTION,
    "requires_source_action": PaymentStatus.REQUIRES_ACTION,
    "processing": PaymentStatus.PROCESSING,
    "requires_capture": PaymentStatus.PROCESSING,
    "succeeded": PaymentStatus.SUCCEEDED,
    "canceled": PaymentStatus.CANCELED,
}
_CHARGE_STATUSES = {
    "succeeded": PaymentStatus.SUCCEEDED,
    "pending": PaymentStatus.PROCESSING,
    "failed": PaymentStatus.FAILED,
}
_COLLECTION = {
    PaymentStatus.PROCESSING: PaymentState.PROCESSING,
    PaymentStatus.FAILED: PaymentState.FAILED,
}
_SETTLED = {
    InvoiceStatus.DRAFT: PaymentState.NONE,
    InvoiceStatus.VOID: PaymentState.NONE,
    InvoiceStatus.PAID: PaymentState.PAID,
}


def customer(source: JSON, *, as_of: datetime) -> CustomerData:
    """Map a customer; a deleted one is answered as id and `deleted` only."""
    settings = part(source, "invoice_settings")
    return CustomerData(
        id=required_id(source),
        email=text(source.get("email")),
        name=text(source.get("name")),
        as_of=as_of,
        default_payment_method_id=remote_id(settings.get("default_payment_method")) or None,
        reference=reference(source),
        is_deleted=source.get("deleted") is True,
        created_at=moment(source.get("created")),
        raw=source,
    )


def payment_method(source: JSON, *, as_of: datetime) -> PaymentMethodData:
    """Map a payment method. Stripe: one without a customer is detached and stays so."""
    kind = text(source.get("type"))
    details = part(source, kind)
    customer_id = remote_id(source.get("customer")) or None
    address = part(source, "billing_details", "address")
    return PaymentMethodData(
        id=required_id(source),
        customer_id=customer_id,
        type=METHOD_TYPES.get(kind, kind),
        as_of=as_of,
        last4=text(details.get("last4")),
        brand=_brand(details),
        exp_month=natural(details.get("exp_month"), 12),
        exp_year=natural(details.get("exp_year"), 9999),
        billing_address={name: line for name, line in address.items() if isinstance(line, str)},
        is_active=customer_id is not None,
        reference=reference(source),
        raw=source,
    )


def subscription(source: JSON, *, as_of: datetime) -> SubscriptionData:
    """Map a subscription. We sell one price each, so its first item tells price and period."""
    item = next(iter(items(source.get("items"))), {})
    raw_status = text(source.get("status"))
    status = member(SubscriptionStatus, raw_status)
    pause = source.get("pause_collection")
    quantity = natural(item.get("quantity", source.get("quantity")))
    return SubscriptionData(
        id=required_id(source),
        customer_id=remote_id(source.get("customer")),
        status=status,
        provider_status=raw_status,
        as_of=as_of,
        price_id=_price_id(item) or _price_id(source) or None,
        quantity=1 if quantity is None else quantity,
        current_period_start=_either(item, source, "current_period_start"),
        current_period_end=_either(item, source, "current_period_end"),
        trial_start=moment(source.get("trial_start")),
        trial_end=moment(source.get("trial_end")),
        cancel_at_period_end=source.get("cancel_at_period_end") is True,
        cancel_at=moment(source.get("cancel_at")),
        canceled_at=moment(source.get("canceled_at")),
        ended_at=moment(source.get("ended_at")),
        end_reason=_end_reason(status, source),
        incomplete_reason=_incomplete_reason(status, source),
        collection_paused=bool(pause),
        has_discount=bool(source.get("discounts") or source.get("discount")),
        resumes_at=moment(part(pause).get("resumes_at")),
        payment_method_id=remote_id(source.get("default_payment_method")) or None,
        latest_invoice_id=remote_id(source.get("latest_invoice")) or None,
        next_action=subscription_action(source),
        reference=reference(source),
        raw=source,
    )


def invoice(source: JSON, *, as_of: datetime) -> InvoiceData:
    """Map an invoice. What is still owed is `amount_remaining`: `amount_due` never shrinks."""
    raw_status = text(source.get("status"))
    status = _invoice_status(source)
    code = currency(source)
    due = required_amount(source, "amount_due", code)
    paid = optional_amount(source, "amount_paid", code)
    if paid is None:
        paid = due if status is InvoiceStatus.PAID else 0
    remaining = optional_amount(source, "amount_remaining", code)
    intent = intent_of(source)
    start, end = _period(source)
    transitions = part(source, "status_transitions")
    return InvoiceData(
        id=required_id(source),
        customer_id=remote_id(source.get("customer")),
        status=status,
        provider_status=raw_status,
        currency=code,
        subtotal_minor=required_amount(source, "subtotal", code),
        total_minor=required_amount(source, "total", code),
        amount_due_minor=max(due - paid, 0) if remaining is None else remaining,
        as_of=as_of,
        amount_paid_minor=paid,
        discount_minor=_discount(source, code),
        tax_minor=_tax(source, code),
        subscription_id=remote_id(subscription_of(source)) or None,
        number=text(source.get("number")),
        payment_state=_payment_state(status, source, intent),
        payment_id=remote_id(intent) or _payment_id(source) or None,
        payment_method_id=remote_id(intent.get("payment_method"))
        or remote_id(source.get("default_payment_method"))
        or None,
        period_start=start,
        period_end=end,
        due_at=moment(source.get("due_date")),
        paid_at=moment(transitions.get("paid_at")),
        next_attempt_at=moment(source.get("next_payment_attempt")),
        hosted_url=text(source.get("hosted_invoice_url")),
        pdf_url=text(source.get("invoice_pdf")),
        lines=tuple(_line(each, code) for each in items(source.get("lines"))),
        reference=reference(source),
        raw=source,
    )


def payment(source: JSON, *, as_of: datetime) -> PaymentData:
    """Map a PaymentIntent, or a Charge that has none."""
    code = currency(source)
    raw_status = text(source.get("status"))
    is_charge = source.get("object") == "charge"
    charge = source if is_charge else _charge(source)
    status = _CHARGE_STATUSES.get(raw_status) if is_charge else _payment_status(source)
    is_paid = status is PaymentStatus.SUCCEEDED
    error = source if is_charge else part(source, "last_payment_error")
    return PaymentData(
        id=required_id(source),
        customer_id=remote_id(source.get("customer")),
        amount_minor=required_amount(source, "amount", code),
        currency=code,
        status=status,
        provider_status=raw_status,
        as_of=as_of,
        invoice_id=remote_id(source.get("invoice")) or None,
        payment_method_id=remote_id(source.get("payment_method"))
        or remote_id(error.get("payment_method"))
        or None,
        decline_code=decline_code(error) if status is PaymentStatus.FAILED else "",
        paid_at=moment(charge.get("created")) if is_paid else None,
        next_action=payment_action(source),
        reference=reference(source),
        raw=source,
    )


def plan(source: JSON, *, as_of: datetime) -> PlanData:
    """Map a price with its product expanded. A price without one amount (tiers, rates below a
    minor unit) is Incomplete: we sell none."""
    code = currency(source)
    product = part(source, "product")
    recurring = part(source, "recurring")
    counts_one = recurring.get("interval_count") == 1
    return PlanData(
        id=required_id(source),
        product_id=remote_id(source.get("product")),
        name=text(product.get("name")),
        amount_minor=required_amount(source, "unit_amount", code),
        currency=code,
        interval=_INTERVALS.get(text(recurring.get("interval"))) if counts_one else None,
        is_active=source.get("active") is True and product.get("active", True) is True,
        as_of=as_of,
        reference=reference(source),
        raw=source,
    )


def reference(source: JSON) -> str | None:
    """Return our own id that the object carries."""
    return text(part(source, "metadata").get(REFERENCE_KEY)) or None


def member(kind: type[Word], word: str) -> Word | None:
    """Return the word as one of ours; None when it is not."""
    return kind(word) if word in list(kind) else None


def _brand(details: JSON) -> str:
    names = (details.get(name) for name in ("brand", "bank_name", "bank_code"))
    return next((name for name in names if isinstance(name, str)), "")


def _price_id(source: JSON) -> str:
    return remote_id(source.get("price")) or remote_id(source.get("plan"))


def _either(item: JSON, source: JSON, name: str) -> datetime | None:
    found = moment(item.get(name))
    return moment(source.get(name)) if found is None else found


def _end_reason(status: SubscriptionStatus | None, source: JSON) -> EndReason | None:
    if status is SubscriptionStatus.INCOMPLETE_EXPIRED:
        return EndReason.PAYMENT_FAILED
    reason = text(part(source, "cancellation_details").get("reason"))
    if status is not SubscriptionStatus.CANCELED or not reason:
        return None
    return _END_REASONS.get(reason, EndReason.PROVIDER)


def _incomplete_reason(status: SubscriptionStatus | None, source: JSON) -> IncompleteReason | None:
    latest = part(source, "latest_invoice")
    if status is not SubscriptionStatus.INCOMPLETE or not latest:
        return None
    state = _collection(intent_of(latest))
    if state is PaymentState.PROCESSING:
        return IncompleteReason.PROCESSING
    if state is PaymentState.VOUCHER_WAITING:
        return IncompleteReason.VOUCHER_WAITING
    return IncompleteReason.REQUIRES_ACTION if subscription_action(source) else None


def _invoice_status(source: JSON) -> InvoiceStatus | None:
    """Versions before 2018-11-08 have no `status`: `paid`, `forgiven` and `closed` tell it."""
    word = text(source.get("status"))
    if word:
        return member(InvoiceStatus, word)
    if source.get("paid") is True:
        return InvoiceStatus.PAID
    if source.get("forgiven") is True:
        return InvoiceStatus.UNCOLLECTIBLE
    return InvoiceStatus.OPEN if source.get("paid") is False else None


def _payment_id(source: JSON) -> str:
    moved = [part(each, "payment") for each in attempts(source)]
    places = [*moved, source]
    found = (remote_id(each.get(name)) for name in ("payment_intent", "charge") for each in places)
    return next(filter(None, found), "")


def _payment_state(status: InvoiceStatus | None, source: JSON, intent: JSON) -> PaymentState | None:
    """Payloads carry no intent; there an invoice that is open after an attempt was not paid by it,
    whichever event's payload it is."""
    if status in _SETTLED:
        return _SETTLED[status]
    if intent or status is not InvoiceStatus.OPEN:
        return _collection(intent)
    was_tried = source.get("attempted") is True or (whole(source.get("attempt_count")) or 0) > 0
    return PaymentState.FAILED if was_tried else PaymentState.NONE


def _collection(intent: JSON) -> PaymentState | None:
    """How collecting goes, by the expanded intent; None when it is not at hand."""
    if not intent:
        return None
    status = _payment_status(intent)
    if status is PaymentStatus.REQUIRES_ACTION:
        is_voucher = text(part(intent, "next_action").get("type")).endswith("_display_details")
        return PaymentState.VOUCHER_WAITING if is_voucher else PaymentState.REQUIRES_ACTION
    if status in (PaymentStatus.PENDING, PaymentStatus.CANCELED):
        return PaymentState.NONE
    return _COLLECTION.get(status) if status else None


def _payment_status(intent: JSON) -> PaymentStatus | None:
    status = _PAYMENT_STATUSES.get(text(intent.get("status")))
    has_failed = status is PaymentStatus.PENDING and part(intent, "last_payment_error")
    return PaymentStatus.FAILED if has_failed else status


def _charge(intent: JSON) -> JSON:
    return part(intent, "latest_charge") or next(iter(items(intent.get("charges"))), {})


def _tax(source: JSON, code: str) -> int:
    for name in ("total_taxes", "total_tax_amounts"):
        if source.get(name) is not None:
            return total_amount(items(source.get(name)), code)
    return optional_amount(source, "tax", code) or 0


def _discount(source: JSON, code: str) -> int:
    """Old versions tell the discount but not its amount: it is what total and tax leave open."""
    amounts = source.get("total_discount_amounts")
    if amounts is not None:
        return total_amount(items(amounts), code)
    if not source.get("discount"):
        return 0
    gross = required_amount(source, "subtotal", code) + _tax(source, code)
    return max(gross - required_amount(source, "total", code), 0)


def _period(source: JSON) -> tuple[datetime | None, datetime | None]:
    """The period that is paid for. Stripe: the invoice's own period_* is the one before, in which
    items were collected; the subscription's line has the one that it bills."""
    billed = [part(each, "period") for each in items(source.get("lines")) if _is_recurring(each)]
    latest = max(billed, key=lambda each: whole(each.get("end")) or 0, default=source)
    names = ("start", "end") if billed else ("period_start", "period_end")
    return moment(latest.get(names[0])), moment(latest.get(names[1]))


def _is_recurring(line: JSON) -> bool:
    details = part(line, "parent", "subscription_item_details")
    kind = part(line, "parent").get("type") or line.get("type")
    is_proration = details.get("proration", line.get("proration")) is True
    return kind in ("subscription_item_details", "subscription") and not is_proration


def _line(source: JSON, code: str) -> LineData:
    quantity = whole(source.get("quantity"))
    return LineData(
        description=text(source.get("description")),
        amount_minor=required_amount(source, "amount", code),
        quantity=1 if quantity is None else quantity,
        unit_rate=_unit_rate(source, code),
    )


def _unit_rate(line: JSON, code: str) -> Decimal | None:
    """In minor units: a metered rate may be smaller than one."""
    price = part(line, "pricing") or part(line, "price")
    found = rate(price.get("unit_amount_decimal"), code)
    return rate(part(line, "plan").get("amount"), code) if found is None else found
