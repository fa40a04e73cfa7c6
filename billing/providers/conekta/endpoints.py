"""Where Conekta sends its events, and sends them again: webhooks, and the key that signs."""

from datetime import datetime
from urllib.parse import urlsplit

from billing.errors import InvalidRequest
from billing.providers.base import RegistersWebhooks, ResendsEvents
from billing.providers.conekta.backend import ConektaBackend
from billing.providers.conekta.events import KINDS
from billing.providers.http import begun
from billing.providers.types import JSON, WebhookEndpointData
from billing.providers.values import required_id, text


class Endpoints(ConektaBackend, RegistersWebhooks, ResendsEvents):
    def list_webhooks(self) -> list[WebhookEndpointData]:
        found = self._client.pages("WebhooksApi", "get_webhooks")
        return [endpoint_data(each, as_of=as_of) for each, as_of in found]

    def register_webhook(self, url: str, *, idempotency_key: str) -> WebhookEndpointData:
        """The `secret` of a new endpoint is the public key that proves Conekta's signatures: one
        that the company has, else one that is made. Conekta signs nothing without a key."""
        if urlsplit(url).scheme != "https" or not urlsplit(url).hostname:
            raise InvalidRequest("webhooks are sent to an https address only", param="url")
        known = next((each for each in self.list_webhooks() if each.url == url), None)
        wanted = {"subscribed_events": sorted(KINDS)}
        if known is not None:
            answer = self._client.write(
                "WebhooksApi",
                "update_webhook",
                id=known.id,
                update_webhook=wanted | {"active": True},
            )
            return endpoint_data(answer.body, as_of=answer.as_of)
        public_key = self._public_key()
        with begun():
            answer = self._client.write(
                "WebhooksApi", "create_webhook", webhook_request={"url": url, **wanted}
            )
        return endpoint_data(answer.body, as_of=answer.as_of, public_key=public_key)

    def resend_event(self, event_id: str, *, idempotency_key: str) -> None:
        """Each call posts once more: without a key Conekta cannot tell a repetition."""
        event = self._client.read("EventsApi", "get_event", id=event_id).body
        event_type = text(event.get("type"))
        taking = [each.id for each in self.list_webhooks() if _takes(each, event_type)]
        if not taking:
            raise InvalidRequest("no active webhook takes this type of event", param="event_id")
        self._client.write(
            "EventsApi",
            "resend_event",
            event_id=event_id,
            resend_event_request={"webhooks_ids": taking},
        )

    def _public_key(self) -> str:
        """The company's key: one that is active already goes on signing, so no other is made."""
        found = self._client.pages("WebhookKeysApi", "get_webhook_keys")
        active = [text(each.get("public_key")) for each, _ in found if each.get("active") is True]
        if not any(active):
            made = self._client.write(
                "WebhookKeysApi", "create_webhook_key", webhook_key_request={"active": True}
            )
            active = [text(made.body.get("public_key"))]
        return next(filter(None, active), "")


def _takes(webhook: WebhookEndpointData, event_type: str) -> bool:
    return webhook.is_active and event_type in webhook.event_types


def endpoint_data(source: JSON, *, as_of: datetime, public_key: str = "") -> WebhookEndpointData:
    """Map a webhook. Conekta renders events in no version that could be chosen."""
    events = source.get("subscribed_events")
    names = events if isinstance(events, list) else []
    return WebhookEndpointData(
        id=required_id(source),
        url=text(source.get("url")),
        event_types=frozenset(name for name in names if isinstance(name, str)),
        api_version="",
        is_pinned=True,
        is_active=source.get("active") is not False,
        as_of=as_of,
        secret=public_key,
        raw=source,
    )
