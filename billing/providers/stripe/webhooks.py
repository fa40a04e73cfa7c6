"""Stripe's webhook deliveries: genuine, read, and their object as ours."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from billing.enums import EventKind, InvoiceStatus, PaymentState, PaymentStatus
from billing.providers.base import ReceivesWebhooks
from billing.providers.options import secrets_of
from billing.providers.stripe import events, mapping, returned, signatures
from billing.providers.stripe.backend import StripeBackend
from billing.providers.types import (
    JSON,
    CustomerData,
    InvoiceData,
    ObjectData,
    PaymentData,
    PaymentMethodData,
    ProviderEvent,
)
from billing.providers.values import Incomplete, text

_OBJECTS = {
    EventKind.CUSTOMER: ("customer",),
    EventKind.PAYMENT_METHOD: ("payment_method",),
    EventKind.SUBSCRIPTION: ("subscription",),
    EventKind.INVOICE: ("invoice",),
    EventKind.PAYMENT: ("payment_intent",),
    EventKind.REFUND: ("refund",),
    EventKind.DISPUTE: ("dispute",),
}


class Webhooks(StripeBackend, ReceivesWebhooks):
    def __init__(self, *, alias: str, mode: str, options: Mapping[str, Any]) -> None:
        super().__init__(alias=alias, mode=mode, options=options)
        self._secrets = secrets_of(options.get("webhook_secret"))

    def verify_webhook_signature(self, body: bytes, headers: Mapping[str, str]) -> None:
        signatures.verify(body, headers, self._secrets)

    def parse_webhook_event(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        return events.parse(body)

    def map_webhook_object(
        self, kind: EventKind, payload: JSON, event: ProviderEvent
    ) -> ObjectData | None:
        source = events.object_of(payload)
        if source is None or source.get("object") not in _OBJECTS[kind]:
            return None
        try:
            data = _told(_MAPPERS[kind](source, as_of=event.occurred_at), event, payload)
        except Incomplete:
            return None
        return None if _leaves_open_how_it_went(data, event.type) else data


_MAPPERS: dict[EventKind, Callable[..., ObjectData]] = {
    EventKind.CUSTOMER: mapping.customer,
    EventKind.PAYMENT_METHOD: mapping.payment_method,
    EventKind.SUBSCRIPTION: mapping.subscription,
    EventKind.INVOICE: mapping.invoice,
    EventKind.PAYMENT: mapping.payment,
    EventKind.REFUND: returned.refund,
    EventKind.DISPUTE: returned.dispute,
}
_COLLECTION = {
    "invoice.payment_failed": PaymentState.FAILED,
    "invoice.payment_action_required": PaymentState.REQUIRES_ACTION,
}


def _told(data: ObjectData, event: ProviderEvent, payload: JSON) -> ObjectData:
    """Add what only the event tells, by its type or by what it changed."""
    if isinstance(data, CustomerData) and event.type == "customer.deleted":
        return replace(data, is_deleted=True)
    if isinstance(data, PaymentMethodData) and data.customer_id is None:
        return replace(data, customer_id=text(events.former_customer(payload)) or None)
    if isinstance(data, InvoiceData):
        return _told_invoice(data, event.type)
    if isinstance(data, PaymentData):
        return _told_payment(data, event)
    return data


def _told_invoice(data: InvoiceData, event_type: str) -> InvoiceData:
    if event_type == "invoice.deleted":
        return replace(data, status=InvoiceStatus.VOID, payment_state=PaymentState.NONE)
    if data.status is InvoiceStatus.OPEN and event_type in _COLLECTION:
        return replace(data, payment_state=_COLLECTION[event_type])
    return data


def _leaves_open_how_it_went(data: ObjectData, event_type: str) -> bool:
    """An open invoice that was tried: its payment, which payloads leave out, tells whether the bank
    refused, takes days for a debit, or waits for the customer."""
    is_told = event_type in _COLLECTION
    return (
        isinstance(data, InvoiceData)
        and data.status is InvoiceStatus.OPEN
        and data.payment_state is not PaymentState.NONE
        and not is_told
    )


def _told_payment(data: PaymentData, event: ProviderEvent) -> PaymentData:
    is_new = event.type == "payment_intent.succeeded" and data.status is PaymentStatus.SUCCEEDED
    if is_new and data.paid_at is None:
        return replace(data, paid_at=event.occurred_at)
    return data
