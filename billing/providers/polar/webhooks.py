"""Polar's webhook deliveries: genuine, read, and their object as ours."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from billing.enums import EventKind, PaymentStatus
from billing.providers.base import ReceivesWebhooks
from billing.providers.options import secrets_of
from billing.providers.polar import events, mapping, signatures
from billing.providers.polar.backend import PolarBackend
from billing.providers.types import JSON, CustomerData, ObjectData, PaymentData, ProviderEvent
from billing.providers.values import Incomplete

_MAPPERS: dict[EventKind, Callable[..., ObjectData]] = {
    EventKind.CUSTOMER: mapping.customer,
    EventKind.SUBSCRIPTION: mapping.subscription,
    EventKind.INVOICE: mapping.invoice,
    EventKind.PAYMENT: mapping.payment,
    EventKind.REFUND: mapping.refund,
}


class Webhooks(PolarBackend, ReceivesWebhooks):
    def __init__(self, *, alias: str, mode: str, options: Mapping[str, Any]) -> None:
        super().__init__(alias=alias, mode=mode, options=options)
        self._secrets = secrets_of(options.get("webhook_secret"))

    def verify_webhook_signature(self, body: bytes, headers: Mapping[str, str]) -> None:
        signatures.verify(body, headers, self._secrets)

    def parse_webhook_event(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        return events.parse(body, headers, mode=self.mode)

    def map_webhook_object(
        self, kind: EventKind, payload: JSON, event: ProviderEvent
    ) -> ObjectData | None:
        if kind not in _MAPPERS:
            return None
        try:
            data = _MAPPERS[kind](events.object_of(payload), as_of=event.occurred_at)
        except Incomplete:
            return None
        return _told(data, event)


def _told(data: ObjectData, event: ProviderEvent) -> ObjectData:
    """Add what only the event tells: orders do not say when they were paid."""
    if isinstance(data, CustomerData) and event.type == "customer.deleted":
        return replace(data, is_deleted=True)
    if isinstance(data, PaymentData) and data.status is PaymentStatus.SUCCEEDED:
        return replace(data, paid_at=event.occurred_at)
    return data
