"""Intake: verify the raw bytes, one insert, one wake-up. Nothing else happens in the request."""

import uuid
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from billing.cards import mask
from billing.conf import conf
from billing.enums import ChangeCause, ChangeOutcome, WebhookState
from billing.errors import InvalidSignature, PayloadPruned, WebhookError
from billing.logs import request_id
from billing.models import StateChange, WebhookEvent
from billing.payloads import clean, mask_json
from billing.providers.base import ReceivesWebhooks
from billing.providers.types import ProviderEvent
from billing.queue import enqueue
from billing.registry import providers
from billing.services.webhooks import trace

# The ledger's word for an event that was made due again: it may then have one effect more.
REPLAYED = "replayed"
# Kept beside the body so that an event can be read again; signatures and credentials are not.
_KEPT_HEADERS = frozenset({"content-type", "user-agent", "webhook-id", "webhook-timestamp"})


def receive(alias: str, body: bytes, headers: Mapping[str, str]) -> str:
    """Store one delivery; return accepted, already_received or already_processed.

    Raises WebhookError (and leaves no row) for what is not genuine, UnknownProvider and
    UnsupportedOperation for an alias that takes no deliveries.
    """
    provider = providers.get(alias, ReceivesWebhooks)
    try:
        provider.verify_webhook_signature(body, headers)
        event = provider.parse_webhook_event(body, headers)
    except WebhookError:
        raise
    except Exception as exc:  # libraries raise more than their own errors on hostile input
        raise InvalidSignature("the delivery could not be read") from exc
    row = _row(alias, event, body, headers)
    if not _insert(row):
        return _duplicate(row)
    trace.accepted(row)
    if row.state == WebhookState.PENDING:
        enqueue("billing.drain_webhook_events")
    return "accepted"


def retry(event: WebhookEvent) -> None:
    """Make `event` due again, whatever became of it; applying it twice changes nothing.

    It is read anew, so that a release that knows its type finds its object. Raises PayloadPruned
    when its body was emptied, and WebhookError when it cannot be read.
    """
    if not event.body:
        raise _pruned(event)
    parsed = providers.get(event.provider, ReceivesWebhooks).parse_webhook_event(
        event.body.encode(), event.headers
    )
    now = timezone.now()
    with transaction.atomic():
        written = (
            WebhookEvent.objects.filter(pk=event.pk)
            .exclude(body="")
            .update(
                kind=parsed.kind or "",
                object_id=parsed.object_id,
                customer_id=parsed.customer_id,
                parent_id=parsed.parent_id,
                api_version=parsed.api_version,
                is_pinned=parsed.is_pinned,
                state=WebhookState.PENDING,
                attempts=0,
                waits=0,
                next_attempt_at=now,
                claimed_until=None,
                claim_id=None,
                processed_at=None,
                outcome="",
                error_message="",
            )
        )
        if not written:
            raise _pruned(event)
        StateChange.objects.create(
            object_type="webhookevent",
            object_id=event.pk,
            provider=event.provider,
            cause=ChangeCause.STAFF,
            outcome=ChangeOutcome.APPLIED,
            code=REPLAYED,
            from_state=event.state,
            to_state=WebhookState.PENDING,
            event_type=event.event_type,
            occurred_at=now,
        )
    enqueue("billing.drain_webhook_events")


def _pruned(event: WebhookEvent) -> PayloadPruned:
    return PayloadPruned(
        f"the body of {event.provider_event_id} was emptied for its age (BILLING_PAYLOAD_DAYS), so "
        "that it cannot be replayed; what it was about can still be read at the provider"
    )


def _row(alias: str, event: ProviderEvent, body: bytes, headers: Mapping[str, str]) -> WebhookEvent:
    now = timezone.now()
    because = _ignored_because(alias, event)
    return WebhookEvent(
        id=uuid.uuid4(),
        created_at=now,
        updated_at=now,
        provider=alias,
        mode=event.mode,
        provider_event_id=event.id,
        event_type=event.type,
        kind=event.kind or "",
        object_id=event.object_id,
        customer_id=event.customer_id,
        parent_id=event.parent_id,
        api_version=event.api_version,
        is_pinned=event.is_pinned,
        occurred_at=event.occurred_at,
        received_at=now,
        state=WebhookState.IGNORED if because else WebhookState.PENDING,
        outcome=because[:200],
        next_attempt_at=now,
        processed_at=now if because else None,
        body=mask_json(body.decode()),
        headers=_kept(headers),
    )


def _kept(headers: Mapping[str, str]) -> dict[str, Any]:
    """What is stored of the headers, with the request's own id where it has one."""
    kept = {
        name.lower(): clean(mask(value))
        for name, value in headers.items()
        if name.lower() in _KEPT_HEADERS
    }
    if current := request_id.get():
        kept[trace.REQUEST_ID_HEADER] = current
    return kept


def _ignored_because(alias: str, event: ProviderEvent) -> str:
    if event.mode != conf.mode(alias):
        return f"a {event.mode} event at an endpoint in {conf.mode(alias)} mode"
    if event.kind is None:
        return event.ignored_because or "not used"
    return ""


def _insert(row: WebhookEvent) -> bool:
    """One INSERT ... ON CONFLICT DO NOTHING; the ORM's own would not say whether a row was made.

    On the connection as it is: for Django to ask each time whether it still works costs a tenth of
    the delivery. A lost one is replaced and the insert repeated, which does it once: if the first
    was committed, the repeat finds its row, and the sweep wakes the worker.
    """
    values = [
        field.get_db_prep_save(getattr(row, field.attname), connection)
        for field in WebhookEvent._meta.concrete_fields
    ]
    may_be_lost = connection.connection is not None and not connection.in_atomic_block
    connection.health_check_done = True  # type: ignore[attr-defined]  # not in the stubs
    try:
        return _execute_insert(values)
    except (OperationalError, InterfaceError):
        if not may_be_lost or connection.is_usable():
            raise
        connection.close()
        return _execute_insert(values)


def _execute_insert(values: Sequence[Any]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_insert_sql(connection.vendor), values)
        return bool(cursor.rowcount)


@cache
def _insert_sql(vendor: str) -> str:
    quote = connection.ops.quote_name
    fields: list[Any] = list(WebhookEvent._meta.concrete_fields)
    columns = ", ".join(quote(field.column) for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    table = quote(WebhookEvent._meta.db_table)
    return f"INSERT INTO {table} ({columns}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608


def _duplicate(row: WebhookEvent) -> str:
    """By hand as well: to build this query costs the ORM more than the insert it follows."""
    table = connection.ops.quote_name(WebhookEvent._meta.db_table)
    statement = (
        f"SELECT processed_at IS NOT NULL FROM {table} "  # noqa: S608 - our own table
        "WHERE provider = %s AND mode = %s AND provider_event_id = %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [row.provider, row.mode, row.provider_event_id])
        (is_processed,) = cursor.fetchone()
    return "already_processed" if is_processed else "already_received"
