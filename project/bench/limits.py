"""The limits: the barest honest programs for the same work, in the same stack.

Same bodies, same tables with all their constraints and indexes, same durability; no layer that the
work does not need. `intake` is a WSGI application, `drain` a program, the views are plain Django.
"""

import hashlib
import hmac
import json
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import psycopg
import redis
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from psycopg.types.json import Jsonb

from project.bench.samples import STRIPE_SECRET

BATCH = 500
PAGE = 50
_local = threading.local()
_redis = redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"))
_INSERT = """
    INSERT INTO billing_webhookevent (
        id, created_at, updated_at, provider, mode, provider_event_id, event_type, kind,
        object_id, customer_id, parent_id, api_version, is_pinned, occurred_at, received_at,
        state, attempts, waits, next_attempt_at, outcome, error_message, body, headers)
    VALUES (%s, %s, %s, 'stripe', 'test', %s, %s, 'subscription', %s, %s, %s, %s, true, %s, %s,
        'pending', 0, 0, %s, '', '', %s, '{}')
    ON CONFLICT DO NOTHING"""


# --- intake: verify, parse, one insert, one push --------------------------------------------------


def intake(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The raw WSGI view, with a connection per thread."""
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    if not _is_genuine(environ["HTTP_STRIPE_SIGNATURE"], body):
        start_response("400 Bad Request", [("Content-Length", "0")])
        return [b""]
    if not hasattr(_local, "connection"):
        _local.connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    if _local.connection.execute(_INSERT, _row(body)).rowcount:
        _redis.lpush("bench", b"1")
    answer = b'{"status": "accepted"}'
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))]
    start_response("200 OK", headers)
    return [answer]


def intake_view(request: HttpRequest) -> HttpResponse:
    """The same work in Django, on its own connection."""
    body = request.body
    if not _is_genuine(request.headers["Stripe-Signature"], body):
        return JsonResponse({"status": "refused"}, status=400)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, _row(body))
        if cursor.rowcount:
            _redis.lpush("bench", b"1")
    return JsonResponse({"status": "accepted"})


def _is_genuine(header: str, body: bytes) -> bool:
    pairs = dict(item.split("=", 1) for item in header.split(","))
    signed = pairs["t"].encode() + b"." + body
    ours = hmac.new(STRIPE_SECRET.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(ours, pairs["v1"]) and abs(time.time() - int(pairs["t"])) < 300


def _row(body: bytes) -> tuple[Any, ...]:
    event = json.loads(body)
    target = event["data"]["object"]
    now = datetime.now(UTC)
    return (
        uuid.uuid4(), now, now, event["id"], event["type"], target["id"], target["customer"],
        target["customer"], event["api_version"], datetime.fromtimestamp(event["created"], UTC),
        now, now, body.decode(),
    )  # fmt: skip


# --- drain: batches under SKIP LOCKED, the newest per object, executemany upserts, one mark -------

_CLAIM = """
    SELECT id, kind, body FROM billing_webhookevent
    WHERE state IN ('pending', 'waiting', 'failed') AND next_attempt_at <= now()
    ORDER BY next_attempt_at LIMIT %s FOR UPDATE SKIP LOCKED"""
_MARK = """
    UPDATE billing_webhookevent SET state = 'processed', processed_at = now(), updated_at = now()
    WHERE id = ANY(%s)"""
_OWNERS = """
    SELECT provider_customer_id, organization_id, id FROM billing_customer
    WHERE provider = 'stripe' AND mode = 'test' AND provider_customer_id = ANY(%s)"""
_SUBSCRIPTIONS = """
    SELECT provider_subscription_id, id FROM billing_subscription
    WHERE provider = 'stripe' AND mode = 'test' AND provider_subscription_id = ANY(%s)"""
_SUBSCRIPTION = """
    INSERT INTO billing_subscription (
        id, created_at, updated_at, provider, mode, provider_data, provider_version, sync_seq,
        organization_id, customer_id, provider_subscription_id, provider_customer_id,
        provider_price_id, provider_payment_method_id, status, provider_status, incomplete_reason,
        collection, collection_paused, billing_interval, quantity, current_period_start,
        current_period_end, cancel_at_period_end, end_reason, next_action, usage_data, metadata)
    VALUES (gen_random_uuid(), now(), now(), 'stripe', 'test', %s, to_timestamp(%s), 1,
        %s, %s, %s, %s, %s, '', %s, %s, '', 'automatic', false, '', %s, to_timestamp(%s),
        to_timestamp(%s), %s, '', '{}', '{}', '{}')
    ON CONFLICT (provider, mode, provider_subscription_id) DO UPDATE SET
        updated_at = now(), provider_data = excluded.provider_data,
        provider_version = excluded.provider_version,
        sync_seq = billing_subscription.sync_seq + 1,
        provider_price_id = excluded.provider_price_id, status = excluded.status,
        provider_status = excluded.provider_status, quantity = excluded.quantity,
        current_period_start = excluded.current_period_start,
        current_period_end = excluded.current_period_end,
        cancel_at_period_end = excluded.cancel_at_period_end
    WHERE billing_subscription.provider_version < excluded.provider_version"""
_INVOICE = """
    INSERT INTO billing_invoice (
        id, created_at, updated_at, provider, mode, provider_data, provider_version, sync_seq,
        organization_id, customer_id, subscription_id, provider_invoice_id, payment_intent_id,
        provider_payment_method_id, number, status, provider_status, payment_state, currency,
        subtotal_minor, discount_minor, tax_minor, total_minor, amount_due_minor,
        amount_paid_minor, refunded_minor, charged_back_minor, period_start, period_end, paid_at,
        invoice_pdf_url, hosted_invoice_url, line_items)
    VALUES (gen_random_uuid(), now(), now(), 'stripe', 'test', %s, to_timestamp(%s), 1,
        %s, %s, %s, %s, '', '', %s, %s, %s, %s, %s, %s, 0, 0, %s, %s, %s, 0, 0, to_timestamp(%s),
        to_timestamp(%s), to_timestamp(%s), '', '', %s)
    ON CONFLICT (provider, mode, provider_invoice_id) DO UPDATE SET
        updated_at = now(), provider_data = excluded.provider_data,
        provider_version = excluded.provider_version,
        sync_seq = billing_invoice.sync_seq + 1, status = excluded.status,
        provider_status = excluded.provider_status, payment_state = excluded.payment_state,
        amount_due_minor = excluded.amount_due_minor,
        amount_paid_minor = excluded.amount_paid_minor, paid_at = excluded.paid_at,
        line_items = excluded.line_items
    WHERE billing_invoice.provider_version < excluded.provider_version"""


def drain(server: psycopg.Connection[Any]) -> None:
    """Drain until nothing is due."""
    while _drain_batch(server):
        pass


def _drain_batch(server: psycopg.Connection[Any]) -> int:
    with server.transaction(), server.cursor() as cursor:
        events = cursor.execute(_CLAIM, [BATCH]).fetchall()
        newest: dict[tuple[str, str], dict[str, Any]] = {}
        for _, kind, body in events:
            event = json.loads(body)
            key = (kind, event["data"]["object"]["id"])
            if key not in newest or newest[key]["created"] < event["created"]:
                newest[key] = event
        told = {
            name: [event for (kind, _), event in newest.items() if kind == name]
            for name in ("subscription", "invoice")
        }
        ids = list({event["data"]["object"]["customer"] for event in newest.values()})
        owners = {found[0]: found[1:] for found in cursor.execute(_OWNERS, [ids])}
        if told["subscription"]:
            cursor.executemany(
                _SUBSCRIPTION, [_subscription_row(each, owners) for each in told["subscription"]]
            )
        if told["invoice"]:
            ids = [_subscription_of(event["data"]["object"]) for event in told["invoice"]]
            parents = dict(cursor.execute(_SUBSCRIPTIONS, [ids]).fetchall())
            cursor.executemany(
                _INVOICE, [_invoice_row(each, owners, parents) for each in told["invoice"]]
            )
        cursor.execute(_MARK, [[found[0] for found in events]])
        return len(events)


def _subscription_row(event: dict[str, Any], owners: dict[str, Any]) -> tuple[Any, ...]:
    told = event["data"]["object"]
    item = told["items"]["data"][0]
    return (
        Jsonb(told), event["created"], *owners[told["customer"]], told["id"], told["customer"],
        item["price"]["id"], told["status"], told["status"], item["quantity"],
        item["current_period_start"], item["current_period_end"], told["cancel_at_period_end"],
    )  # fmt: skip


def _invoice_row(
    event: dict[str, Any], owners: dict[str, Any], parents: dict[str, Any]
) -> tuple[Any, ...]:
    told = event["data"]["object"]
    state = "paid" if told["status"] == "paid" else "none"
    lines = [
        {name: line[name] for name in ("description", "amount", "quantity")}
        for line in told["lines"]["data"]
    ]
    return (
        Jsonb(told), event["created"], *owners[told["customer"]],
        parents[_subscription_of(told)], told["id"], told["number"], told["status"],
        told["status"], state, told["currency"].upper(), told["subtotal"], told["total"],
        told["amount_remaining"], told["amount_paid"], told["period_start"],
        told["period_end"], told["status_transitions"]["paid_at"], Jsonb(lines),
    )  # fmt: skip


def _subscription_of(told: dict[str, Any]) -> str:
    named: str = told["parent"]["subscription_details"]["subscription"]
    return named


# --- lists ----------------------------------------------------------------------------------------


def invoices_view(request: HttpRequest) -> HttpResponse:
    """A page of the columns that the API shows, by key, without log-in or filters."""
    from billing.models import Invoice

    rows = Invoice.objects.filter(organization_id=request.GET["organization"])
    if before := request.GET.get("before"):
        rows = rows.filter(created_at__lt=before)
    columns = (
        "id", "number", "status", "payment_state", "subtotal_minor", "discount_minor",
        "tax_minor", "total_minor", "amount_due_minor", "amount_paid_minor", "refunded_minor",
        "currency", "subscription_id", "decision_id", "payment_method_id", "provider",
        "period_start", "period_end",
        "due_date", "paid_at", "next_attempt_at", "invoice_pdf_url", "hosted_invoice_url",
        "line_items", "created_at",
    )  # fmt: skip
    page = rows.order_by("-created_at", "-id").values(*columns)[:PAGE]
    return JsonResponse({"results": list(page)})


if __name__ == "__main__":  # the drain, once it is told to start; prints its seconds
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connected:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        started = time.monotonic()
        drain(connected)
        sys.stdout.write(f"{time.monotonic() - started}\n")
        sys.stdout.flush()
        sys.stdin.readline()  # stay, so that the CPU can be read
