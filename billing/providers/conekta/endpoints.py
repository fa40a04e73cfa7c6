"""Where Conekta sends its events: webhooks, and the key that signs what is sent there."""

from datetime import datetime
from urllib.parse import urlsplit

from billing.errors import InvalidRequest
from billing.providers.base import RegistersWebhooks
from billing.providers.conekta.backend import ConektaBackend
from billing.providers.conekta.events import KINDS
from billing.providers.http import begun
from billing.providers.types import JSON, WebhookEndpointData
from billing.providers.values import required_id, text


class Endpoints(ConektaBackend, RegistersWebhooks):
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
