"""Pure translation of the sandbox's JSON into the dataclasses of the border."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from billing.enums import (
    Aggregation,
    BillingInterval,
    CheckoutMode,
    CheckoutStatus,
    DisputeStatus,
    EndReason,
    EventKind,
    IncompleteReason,
    InvoiceStatus,
    MandateStatus,
    NextActionType,
    PaymentState,
    PaymentStatus,
    RefundReason,
    RefundStatus,
    SetupStatus,
    SubscriptionStatus,
)
from billing.providers.sandbox import clock
from billing.providers.sandbox.events import API_VERSION
from billing.providers.types import (
    JSON,
    CheckoutData,
    CustomerData,
    DisputeData,
    InvoiceData,
    LineData,
    MeterData,
    NextAction,
    ObjectData,
    PaymentData,
    PaymentMethodData,
    PlanData,
    PortalSessionData,
    PreviewData,
    RefundData,
    SetupSessionData,
    SubscriptionData,
    WebhookEndpointData,
)

E = TypeVar("E", bound=StrEnum)


def customer(raw: JSON, as_of: datetime) -> CustomerData:
    return CustomerData(
        id=_text(raw, "id"),
        email=_text(raw, "email"),
        name=_text(raw, "name"),
        as_of=as_of,
        default_payment_method_id=_optional(raw, "default_payment_method"),
        reference=_optional(raw, "reference"),
        is_deleted=_flag(raw, "deleted"),
        created_at=_time(raw, "created"),
        raw=raw,
    )


def payment_method(raw: JSON, as_of: datetime) -> PaymentMethodData:
    return PaymentMethodData(
        id=_text(raw, "id"),
        customer_id=_optional(raw, "customer"),
        type=_text(raw, "type"),
        as_of=as_of,
        last4=_text(raw, "last4"),
        brand=_text(raw, "brand"),
        exp_month=_optional_number(raw, "exp_month"),
        exp_year=_optional_number(raw, "exp_year"),
        billing_address=_texts(raw, "billing_address"),
        is_active=_flag(raw, "active"),
        reference=_optional(raw, "reference"),
        raw=raw,
    )


def setup_session(raw: JSON, as_of: datetime) -> SetupSessionData:
    return SetupSessionData(
        id=_text(raw, "id"),
        customer_id=_text(raw, "customer"),
        status=_known(SetupStatus, raw, "status"),
        provider_status=_text(raw, "status"),
        as_of=as_of,
        client_secret=_text(raw, "client_secret"),
        payment_method_id=_optional(raw, "payment_method"),
        next_action=_next_action(raw),
        mandate_id=_optional(raw, "mandate"),
        mandate_status=_known(MandateStatus, raw, "mandate_status"),
        decline_code=_text(raw, "decline_code"),
        reference=_optional(raw, "reference"),
        raw=raw,
    )


def subscription(raw: JSON, as_of: datetime) -> SubscriptionData:
    return SubscriptionData(
        id=_text(raw, "id"),
        customer_id=_text(raw, "customer"),
        status=_known(SubscriptionStatus, raw, "status"),
        provider_status=_text(raw, "status"),
        as_of=as_of,
        price_id=_optional(raw, "price"),
        quantity=_number(raw, "quantity"),
        current_period_start=_time(raw, "current_period_start"),
        current_period_end=_time(raw, "current_period_end"),
        trial_start=_time(raw, "trial_start"),
        trial_end=_time(raw, "trial_end"),
        cancel_at_period_end=_flag(raw, "cancel_at_period_end"),
        cancel_at=_time(raw, "cancel_at"),
        canceled_at=_time(raw, "canceled_at"),
        ended_at=_time(raw, "ended_at"),
        end_reason=_known(EndReason, raw, "end_reason"),
        incomplete_reason=_known(IncompleteReason, raw, "incomplete_reason"),
        has_discount=bool(raw.get("coupon")),
        payment_method_id=_optional(raw, "payment_method"),
        latest_invoice_id=_optional(raw, "latest_invoice"),
        next_action=_next_action(raw),
        reference=_optional(raw, "reference"),
        raw=raw,
    )


def preview(raw: JSON, as_of: datetime) -> PreviewData:
    return PreviewData(
        currency=_text(raw, "currency"),
        subtotal_minor=_number(raw, "subtotal"),
        total_minor=_number(raw, "total"),
        due_now_minor=_number(raw, "due_now"),
        as_of=as_of,
        discount_minor=_number(raw, "discount"),
        tax_minor=_number(raw, "tax"),
        billed_at=_time(raw, "billed_at"),
        period_start=_time(raw, "period_start"),
        period_end=_time(raw, "period_end"),
        lines=_lines(raw),
        raw=raw,
    )


def invoice(raw: JSON, as_of: datetime) -> InvoiceData:
    return InvoiceData(
        id=_text(raw, "id"),
        customer_id=_text(raw, "customer"),
        status=_known(InvoiceStatus, raw, "status"),
        provider_status=_text(raw, "status"),
        currency=_text(raw, "currency"),
        subtotal_minor=_number(raw, "subtotal"),
        total_minor=_number(raw, "total"),
        amount_due_minor=_number(raw, "amount_due"),
        as_of=as_of,
        amount_paid_minor=_number(raw, "amount_paid"),
        discount_minor=_number(raw, "discount"),
        tax_minor=_number(raw, "tax"),
        subscription_id=_optional(raw, "subscription"),
        number=_text(raw, "number"),
        payment_state=_known(PaymentState, raw, "payment_state"),
        payment_id=_optional(raw, "payment"),
        payment_method_id=_optional(raw, "payment_method"),
        period_start=_time(raw, "period_start"),
        period_end=_time(raw, "period_end"),
        due_at=_time(raw, "due_at"),
        paid_at=_time(raw, "paid_at"),
        next_attempt_at=_time(raw, "next_attempt_at"),
        hosted_url=_text(raw, "hosted_url"),
        pdf_url=_text(raw, "pdf_url"),
        lines=_lines(raw),
        reference=_optional(raw, "reference"),
        raw=raw,
    )


def payment(raw: JSON, as_of: datetime) -> PaymentData:
    return PaymentData(
        id=_text(raw, "id"),
        customer_id=_text(raw, "customer"),
        amount_minor=_number(raw, "amount"),
        currency=_text(raw, "currency"),
        status=_known(PaymentStatus, raw, "status"),
        provider_status=_text(raw, "status"),
        as_of=as_of,
        invoice_id=_optional(raw, "invoice"),
        payment_method_id=_optional(raw, "payment_method"),
        decline_code=_text(raw, "decline_code"),
        paid_at=_time(raw, "paid_at"),
        next_action=_next_action(raw),
        reference=_optional(raw, "reference"),
        raw=raw,
    )


def refund(raw: JSON, as_of: datetime) -> RefundData:
    return RefundData(
        id=_text(raw, "id"),
        payment_id=_text(raw, "payment"),
        amount_minor=_number(raw, "amount"),
        currency=_text(raw, "currency"),
        status=_known(RefundStatus, raw, "status"),
        provider_status=_text(raw, "status"),
        as_of=as_of,
        reason=_known(RefundReason, raw, "reason"),
        failure_code=_text(raw, "failure_code"),
        reference=_optional(raw, "reference"),
        raw=raw,
    )


def dispute(raw: JSON, as_of: datetime) -> DisputeData:
    return DisputeData(
        id=_text(raw, "id"),
        payment_id=_text(raw, "payment"),
        amount_minor=_number(raw, "amount"),
        currency=_text(raw, "currency"),
        status=_known(DisputeStatus, raw, "status"),
        provider_status=_text(raw, "status"),
        as_of=as_of,
        reason=_text(raw, "reason"),
        evidence_due_at=_time(raw, "evidence_due_at"),
        raw=raw,
    )


def plan(raw: JSON, as_of: datetime) -> PlanData:
    return PlanData(
        id=_text(raw, "id"),
        product_id=_text(raw, "product"),
        name=_text(raw, "name"),
        amount_minor=_number(raw, "amount"),
        currency=_text(raw, "currency"),
        interval=_known(BillingInterval, raw, "interval"),
        is_active=_flag(raw, "active"),
        as_of=as_of,
        reference=_optional(raw, "reference"),
        raw=raw,
    )


def checkout(raw: JSON, as_of: datetime) -> CheckoutData:
    return CheckoutData(
        id=_text(raw, "id"),
        customer_id=_text(raw, "customer"),
        mode=_known(CheckoutMode, raw, "mode"),
        status=_known(CheckoutStatus, raw, "status"),
        provider_status=_text(raw, "status"),
        as_of=as_of,
        url=_text(raw, "url"),
        is_paid=_flag(raw, "paid"),
        total_minor=_number(raw, "total"),
        currency=_text(raw, "currency"),
        expires_at=_time(raw, "expires_at"),
        subscription_id=_optional(raw, "subscription"),
        payment_id=_optional(raw, "payment"),
        invoice_id=_optional(raw, "invoice"),
        setup_session_id=_optional(raw, "setup_session"),
        reference=_optional(raw, "reference"),
        raw=raw,
    )


def portal_session(raw: JSON, as_of: datetime) -> PortalSessionData:
    return PortalSessionData(
        id=_text(raw, "id"),
        customer_id=_text(raw, "customer"),
        as_of=as_of,
        url=_text(raw, "url"),
        expires_at=_time(raw, "expires_at"),
        raw=raw,
    )


def meter(raw: JSON, as_of: datetime) -> MeterData:
    return MeterData(
        id=_text(raw, "id"),
        event_name=_text(raw, "event_name"),
        name=_text(raw, "name"),
        aggregation=_known(Aggregation, raw, "aggregation"),
        is_active=_flag(raw, "active"),
        as_of=as_of,
        raw=raw,
    )


def webhook_endpoint(raw: JSON, as_of: datetime) -> WebhookEndpointData:
    version = _text(raw, "api_version")
    return WebhookEndpointData(
        id=_text(raw, "id"),
        url=_text(raw, "url"),
        event_types=frozenset(_list(raw, "event_types")),
        api_version=version,
        is_pinned=version == API_VERSION,
        is_active=_flag(raw, "active"),
        as_of=as_of,
        secret=_text(raw, "secret") if "secret" in raw else "",
        raw={name: value for name, value in raw.items() if name != "secret"},
    )


_BY_KIND: dict[EventKind, Callable[[JSON, datetime], ObjectData]] = {
    EventKind.CUSTOMER: customer,
    EventKind.PAYMENT_METHOD: payment_method,
    EventKind.SUBSCRIPTION: subscription,
    EventKind.INVOICE: invoice,
    EventKind.PAYMENT: payment,
    EventKind.REFUND: refund,
    EventKind.DISPUTE: dispute,
}


def event_object(kind: EventKind, payload: JSON, as_of: datetime) -> ObjectData | None:
    """Return the object of an event's body; None when the body does not hold it whole."""
    try:
        return _BY_KIND[kind](_mapping(_mapping(payload, "data"), "object"), as_of)
    except (KeyError, TypeError, ValueError):
        return None


def _text(raw: JSON, name: str) -> str:
    value = raw[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not text")
    return value


def _optional(raw: JSON, name: str) -> str | None:
    return None if raw[name] is None else _text(raw, name)


def _number(raw: JSON, name: str) -> int:
    value = raw[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is not an integer")
    return value


def _optional_number(raw: JSON, name: str) -> int | None:
    return None if raw[name] is None else _number(raw, name)


def _flag(raw: JSON, name: str) -> bool:
    value = raw[name]
    if not isinstance(value, bool):
        raise TypeError(f"{name} is not true or false")
    return value


def _time(raw: JSON, name: str) -> datetime | None:
    return None if raw[name] is None else clock.moment(_number(raw, name))


def _mapping(raw: JSON, name: str) -> JSON:
    value = raw[name]
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is not an object")
    return value


def _texts(raw: JSON, name: str) -> dict[str, str]:
    values = _mapping(raw, name)
    return {key: _text(values, key) for key in values}


def _known(words: type[E], raw: JSON, name: str) -> E | None:
    # A word that is not ours maps to None; the raw word stays beside it.
    value = _optional(raw, name)
    return words(value) if value in set(words) else None


def _next_action(raw: JSON) -> NextAction | None:
    if raw["next_action"] is None:
        return None
    action = _mapping(raw, "next_action")
    return NextAction(type=NextActionType(_text(action, "type")), details=_texts(action, "details"))


def _list(raw: JSON, name: str) -> list[Any]:
    value = raw[name]
    if not isinstance(value, list):
        raise TypeError(f"{name} is not a list")
    return value


def _lines(raw: JSON) -> tuple[LineData, ...]:
    lines = _list(raw, "lines")
    return tuple(
        LineData(
            description=_text(line, "description"),
            amount_minor=_number(line, "amount"),
            quantity=_number(line, "quantity"),
        )
        for line in lines
    )
