"""Conekta's customers, payment sources, subscriptions and plans as our types. Pure: dict in, Data
out. What is missing or odd costs its own field only; an unknown status is None."""

import re
from datetime import datetime

from billing.enums import (
    BillingInterval,
    EndReason,
    PaymentMethodType,
    SubscriptionStatus,
)
from billing.providers.types import (
    JSON,
    CustomerData,
    PaymentMethodData,
    PlanData,
    SubscriptionData,
)
from billing.providers.values import (
    currency,
    incomplete,
    moment,
    natural,
    part,
    remote_id,
    required_id,
    text,
    whole,
)

REFERENCE_KEY = "cobro_reference"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DIGITS = re.compile(r"[0-9]{1,4}")
_METHOD_TYPES = {
    "card": PaymentMethodType.CARD,
    "cash": PaymentMethodType.OXXO,
    "cash_recurrent": PaymentMethodType.OXXO,
    "oxxo": PaymentMethodType.OXXO,
    "oxxo_recurrent": PaymentMethodType.OXXO,
    "spei": PaymentMethodType.SPEI,
    "spei_recurrent": PaymentMethodType.SPEI,
}
_STATUSES = {
    "in_trial": SubscriptionStatus.TRIALING,
    "active": SubscriptionStatus.ACTIVE,
    "past_due": SubscriptionStatus.PAST_DUE,
    "paused": SubscriptionStatus.PAUSED,
    "canceled": SubscriptionStatus.CANCELED,
    "expired": SubscriptionStatus.CANCELED,
}
_END_REASONS = {"user_cancelation": EndReason.CUSTOMER, "user_cancellation": EndReason.CUSTOMER}
_INTERVALS = {"month": BillingInterval.MONTHLY, "year": BillingInterval.YEARLY}


def customer(source: JSON, *, as_of: datetime) -> CustomerData:
    return CustomerData(
        id=required_id(source),
        email=text(source.get("email")),
        name=text(source.get("name")),
        as_of=as_of,
        default_payment_method_id=remote_id(source.get("default_payment_source_id")) or None,
        reference=text(source.get("custom_reference")) or reference(source),
        is_deleted=source.get("deleted") is True,
        created_at=moment(source.get("created_at")),
        raw=source,
    )


def payment_method(source: JSON, *, as_of: datetime) -> PaymentMethodData:
    """Map a payment source of any type. Conekta: a card's month and year are texts, "10" and "25";
    a reference to pay in cash or by transfer has no status."""
    kind = text(source.get("type"))
    return PaymentMethodData(
        id=required_id(source),
        customer_id=remote_id(source.get("parent_id")) or None,
        type=_METHOD_TYPES.get(kind, kind),
        as_of=as_of,
        last4=text(source.get("last4")),
        brand=text(source.get("brand")),
        exp_month=_number(source.get("exp_month"), 12),
        exp_year=_year(source.get("exp_year")),
        is_active=source.get("payment_source_status", "active") in ("active", None)
        and source.get("deleted") is not True,
        raw=source,
    )


def subscription(source: JSON, *, as_of: datetime) -> SubscriptionData:
    """Map a subscription. It has no metadata, hence no reference of ours; no quantity; and no end
    that is planned. See `subscription_status`."""
    status = subscription_status(source)
    has_ended = status is SubscriptionStatus.CANCELED
    canceled_at = moment(source.get("canceled_at"))
    return SubscriptionData(
        id=required_id(source),
        customer_id=remote_id(source.get("customer_id")),
        status=status,
        provider_status=text(source.get("status")),
        as_of=as_of,
        price_id=remote_id(source.get("plan_id")) or None,
        current_period_start=moment(source.get("billing_cycle_start")),
        current_period_end=moment(source.get("billing_cycle_end")),
        trial_start=moment(source.get("trial_start")),
        trial_end=moment(source.get("trial_end")),
        canceled_at=canceled_at,
        ended_at=canceled_at if has_ended else None,
        end_reason=_end_reason(source) if has_ended else None,
        payment_method_id=remote_id(source.get("card_id")) or None,
        latest_invoice_id=remote_id(source.get("last_billing_cycle_order_id")) or None,
        raw=source,
    )


def subscription_status(source: JSON) -> SubscriptionStatus | None:
    """Return the status, None for a word that is none of ours. One that was never paid is past_due
    without a cycle (specification, mocks): our incomplete."""
    status = _STATUSES.get(text(source.get("status")))
    if status is SubscriptionStatus.PAST_DUE and moment(source.get("billing_cycle_start")) is None:
        return SubscriptionStatus.INCOMPLETE
    return status


def plan(source: JSON, *, as_of: datetime) -> PlanData:
    """Map a plan, which is a price of its own. Its id is our reference where we chose it."""
    plan_id = required_id(source)
    every = whole(source.get("frequency"))
    return PlanData(
        id=plan_id,
        product_id="",
        name=text(source.get("name")),
        amount_minor=amount(source),
        currency=currency(source),
        interval=_INTERVALS.get(text(source.get("interval"))) if every == 1 else None,
        is_active=source.get("deleted") is not True,
        as_of=as_of,
        reference=plan_id if _UUID.fullmatch(plan_id) else None,
        raw=source,
    )


def amount(source: JSON) -> int:
    """Return an object's amount in centavos; raise Incomplete when it is no integer."""
    found = whole(source.get("amount"))
    return int(incomplete(source, "amount")) if found is None else found


def reference(source: JSON) -> str | None:
    """Return our own id that the object's metadata carry."""
    return text(part(source, "metadata").get(REFERENCE_KEY)) or None


def made_at(source: JSON) -> int:
    """Return when an object was made, in Unix seconds, to sort by; 0 where it does not say."""
    return whole(source.get("created_at")) or 0


def _end_reason(source: JSON) -> EndReason | None:
    if source.get("status") == "expired":
        return EndReason.TERM_COMPLETED
    reason = text(source.get("canceled_reason"))
    return _END_REASONS.get(reason, EndReason.PROVIDER) if reason else None


def _number(value: object, limit: int) -> int | None:
    return natural(int(text(value)) if _DIGITS.fullmatch(text(value)) else value, limit)


def _year(value: object) -> int | None:
    year = _number(value, 9999)
    return year + 2000 if year is not None and year < 100 else year
