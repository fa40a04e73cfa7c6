"""What the drain leaves for those who look on: log lines, counts, and the id of the request."""

import logging
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.utils import timezone

from billing import metrics
from billing.enums import WebhookState
from billing.logs import request_id
from billing.models import WebhookEvent

logger = logging.getLogger(__name__)
# Stored beside the body: a wake-up is shared or lost, so the event itself must say who brought it.
REQUEST_ID_HEADER = "x-request-id"


def accepted(event: WebhookEvent) -> None:
    """Join the request's id to the event's; from here on the event's is what the lines name."""
    extra = {"provider": event.provider, "event_id": str(event.pk)}
    logger.info("webhook.accepted", extra=extra)


def claimed(claim_id: uuid.UUID, events: Sequence[WebhookEvent]) -> None:
    """Say which events a claim holds: one drain serves the deliveries of many requests."""
    oldest = min(event.received_at for event in events)
    metrics.observe_batch((timezone.now() - oldest).total_seconds())
    if logger.isEnabledFor(logging.INFO):
        extra = {"claim": str(claim_id), "events": [str(event.pk) for event in events]}
        logger.info("webhook.claimed", extra=extra)


def marked(events: Sequence[WebhookEvent], changes: dict[str, Any]) -> None:
    """Count what became of `events`, once that is committed."""
    state = changes.get("state", "postponed")
    outcome = changes["outcome"] if state == WebhookState.PROCESSED else state
    aliases = [event.provider for event in events]
    transaction.on_commit(lambda: metrics.count_drained(aliases, str(outcome)))


@contextmanager
def on_behalf_of(events: Sequence[WebhookEvent]) -> Iterator[None]:
    """Let what is logged inside carry the id of the request that brought the newest event."""
    given = str(events[-1].headers.get(REQUEST_ID_HEADER, "")) if events else ""
    token = request_id.set(given or request_id.get())
    try:
        yield
    finally:
        request_id.reset(token)
