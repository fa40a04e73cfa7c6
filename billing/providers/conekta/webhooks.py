"""Conekta's webhook deliveries: genuine, read, and their object as ours."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from billing.enums import EndReason, EventKind, SubscriptionStatus
from billing.providers.base import ReceivesWebhooks
from billing.providers.conekta import events, mapping, orders_mapping, returned, signatures
from billing.providers.conekta.backend import ConektaBackend
from billing.providers.options import secrets_of
from billing.providers.types import (
    JSON,
    CustomerData,
    ObjectData,
    ProviderEvent,
    SubscriptionData,
)
from billing.providers.values import Incomplete

_OBJECTS = {
    EventKind.INVOICE: "order",
    EventKind.PAYMENT: "charge",
    EventKind.REFUND: "charge",
    EventKind.CUSTOMER: "customer",
    EventKind.PAYMENT_METHOD: "payment_source",
    EventKind.SUBSCRIPTION: "subscription",
}
_MAPPERS: dict[EventKind, Callable[..., ObjectData | None]] = {
    EventKind.INVOICE: orders_mapping.told_invoice,
    EventKind.PAYMENT: orders_mapping.told_payment,
    EventKind.REFUND: returned.told_refund,
    EventKind.CUSTOMER: mapping.customer,
    EventKind.PAYMENT_METHOD: mapping.payment_method,
    EventKind.SUBSCRIPTION: mapping.subscription,
}


class Webhooks(ConektaBackend, ReceivesWebhooks):
    def __init__(self, *, alias: str, mode: str, options: Mapping[str, Any]) -> None:
        super().__init__(alias=alias, mode=mode, options=options)
        self._public_keys = signatures.public_keys_of(options.get(signatures.PUBLIC_KEY))
        self._secrets = secrets_of(options.get(signatures.SECRET))

    @classmethod
    def option_problems(cls, options: Mapping[str, Any]) -> dict[str, str]:
        return signatures.problems(options)

    def verify_webhook_signature(self, body: bytes, headers: Mapping[str, str]) -> None:
        signatures.verify(body, headers, public_keys=self._public_keys, secrets=self._secrets)

    def parse_webhook_event(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        return events.parse(body)

    def map_webhook_object(
        self, kind: EventKind, payload: JSON, event: ProviderEvent
    ) -> ObjectData | None:
        source = events.object_of(payload)
        if kind not in _MAPPERS or source.get("object") != _OBJECTS[kind]:
            return None
        try:
            return _told(_MAPPERS[kind](source, as_of=event.occurred_at), event)
        except Incomplete:
            return None


def _told(data: ObjectData | None, event: ProviderEvent) -> ObjectData | None:
    """Add what only the event tells, by its type."""
    if isinstance(data, CustomerData) and event.type == "customer.deleted":
        return replace(data, is_deleted=True)
    if isinstance(data, SubscriptionData) and event.type == "subscription.expired":
        return _expired(data, event)
    return data


def _expired(data: SubscriptionData, event: ProviderEvent) -> SubscriptionData:
    """All charges of a plan with a number of them (`expiry_count`) were made."""
    return replace(
        data,
        status=SubscriptionStatus.CANCELED,
        ended_at=data.ended_at or event.occurred_at,
        end_reason=EndReason.TERM_COMPLETED,
    )
