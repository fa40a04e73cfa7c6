"""Where Stripe sends its events: webhook endpoints."""

from datetime import datetime
from urllib.parse import urlsplit

from billing.errors import InvalidRequest
from billing.providers.base import RegistersWebhooks
from billing.providers.stripe.backend import StripeBackend
from billing.providers.stripe.events import API_VERSION, KINDS
from billing.providers.types import JSON, WebhookEndpointData
from billing.providers.values import part, required_id, text

# With which key of ours an endpoint was made: its creation is repeated with this key only, so that
# a lost answer, and the secret in it, can be asked for again.
KEY_NAME = "cobro_key"


class Endpoints(StripeBackend, RegistersWebhooks):
    def list_webhooks(self) -> list[WebhookEndpointData]:
        found = self._client.pages("webhook_endpoints")
        return [endpoint_data(each, as_of=as_of) for each, as_of in found]

    def register_webhook(self, url: str, *, idempotency_key: str) -> WebhookEndpointData:
        """A new endpoint is pinned to our API version; Stripe changes that of none."""
        if urlsplit(url).scheme != "https" or not urlsplit(url).hostname:
            raise InvalidRequest("webhooks are sent to an https address only", param="url")
        known = self._known(url)
        if known is None or part(known.raw, "metadata").get(KEY_NAME) == idempotency_key:
            answer = self._client.post(
                "webhook_endpoints",
                idempotency_key=idempotency_key,
                params=endpoint(url, idempotency_key),
            )
        else:
            answer = self._client.post(
                "webhook_endpoints",
                known.id,
                idempotency_key=idempotency_key,
                params={"enabled_events": sorted(KINDS), "disabled": False},
            )
        return endpoint_data(answer.body, as_of=answer.as_of)

    def _known(self, url: str) -> WebhookEndpointData | None:
        """The endpoint with this URL; among several one of our version, for it needs no fetches."""
        found = [each for each in self.list_webhooks() if each.url == url]
        return max(found, key=lambda each: each.is_pinned, default=None)


def endpoint(url: str, key: str) -> JSON:
    return {
        "url": url,
        "enabled_events": sorted(KINDS),
        "api_version": API_VERSION,
        "metadata": {KEY_NAME: key},
    }


def endpoint_data(source: JSON, *, as_of: datetime) -> WebhookEndpointData:
    """Map an endpoint; its secret stands in a field of its own and not in `raw`."""
    events = source.get("enabled_events")
    names = events if isinstance(events, list) else []
    version = text(source.get("api_version"))
    return WebhookEndpointData(
        id=required_id(source),
        url=text(source.get("url")),
        event_types=frozenset(name for name in names if isinstance(name, str)),
        api_version=version,
        is_pinned=version == API_VERSION,
        is_active=source.get("status") == "enabled",
        as_of=as_of,
        secret=text(source.get("secret")),
        raw={name: value for name, value in source.items() if name != "secret"},
    )
