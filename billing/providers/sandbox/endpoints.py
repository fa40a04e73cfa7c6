"""Webhook endpoints that were registered by call. Where no `webhook_url` is configured, deliveries
go to the one that was registered first, signed with its own secret."""

import base64
import secrets
from urllib.parse import urlsplit

from billing.errors import InvalidRequest
from billing.providers.base import RegistersWebhooks, ResendsEvents
from billing.providers.sandbox import clock, deliveries, events, mapping
from billing.providers.sandbox.backend import SandboxBackend
from billing.providers.sandbox.store import Record, Session
from billing.providers.types import WebhookEndpointData

KIND = "webhook_endpoint"


class Endpoints(SandboxBackend, RegistersWebhooks, ResendsEvents):
    def list_webhooks(self) -> list[WebhookEndpointData]:
        def read(session: Session) -> list[WebhookEndpointData]:
            as_of = clock.moment(session.now)
            return [mapping.webhook_endpoint(each.body, as_of) for each in session.of_kind(KIND)]

        return self._calls.read(read)

    def register_webhook(self, url: str, *, idempotency_key: str) -> WebhookEndpointData:
        answer = self._calls.write(
            "register_webhook", idempotency_key, url, lambda session: register(session, url)
        )
        return mapping.webhook_endpoint(answer.body, answer.as_of)

    def resend_event(self, event_id: str, *, idempotency_key: str) -> None:
        """Queue it again, whatever has become of it; one that is queued still is posted once."""
        self._calls.write(
            "resend_event",
            idempotency_key,
            event_id,
            lambda session: deliveries.requeue(session, event_id),
        )


def register(session: Session, url: str) -> Record:
    """Make an endpoint, or bring the one with this URL in line. The secret stands in the answer of
    the call that makes it, and in no later one."""
    if urlsplit(url).scheme != "https" or not urlsplit(url).hostname:
        raise InvalidRequest("webhooks are sent to an https address only", param="url")
    known = next((each for each in session.of_kind(KIND) if each.body["url"] == url), None)
    if known is not None:
        known.body.update(event_types=sorted(events.KINDS), active=True)
        return session.save(known)
    endpoint_id = session.new_id("endpoint")
    secret = f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"
    body = {
        "object": KIND,
        "id": endpoint_id,
        "created": session.now,
        "url": url,
        "event_types": sorted(events.KINDS),
        "api_version": events.API_VERSION,
        "active": True,
    }
    session.save(Record(KIND, endpoint_id, body, {"secret": secret}))
    return Record(KIND, endpoint_id, {**body, "secret": secret})


def target(session: Session) -> tuple[str, str]:
    """Where deliveries go and what signs them; two blanks when nothing is registered."""
    found = next((each for each in session.of_kind(KIND) if each.body["active"]), None)
    return (found.body["url"], found.hidden["secret"]) if found else ("", "")
