"""Deliveries of 4.8 KB about objects that one token tells apart, signed as their provider does."""

import functools
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

from billing.providers.sandbox import events as sandbox_events
from billing.providers.sandbox import signatures
from billing.providers.stripe.events import API_VERSION
from project.providers import sandbox_secret

STRIPE_SECRET = "whsec_bench_only"
TOKEN = "@@@@@@@@"  # stands in the templates where eight digits come
PRICE_ID = "price_bench"
STARTED = 1_790_000_000
MONTH = 30 * 86_400
BODY_BYTES = 4_800
_FIXTURES = Path(__file__).resolve().parents[2] / "billing/tests/fixtures/stripe"


def token(number: int) -> str:
    return f"{number:08d}"


def life() -> list[bytes]:
    """A subscription that starts and changes, its invoice that is opened and paid: templates."""
    return [
        _stripe("customer.subscription.created", 0, subscription()),
        _stripe("invoice.finalized", 1, invoice()),
        _stripe("customer.subscription.updated", 60, subscription(quantity=2)),
        _stripe("invoice.paid", 61, invoice(paid=True)),
    ]


@functools.cache
def template(alias: str) -> bytes:
    """One delivery of `alias` about a subscription, with TOKEN in its ids."""
    if alias == "stripe":
        return _stripe("customer.subscription.updated", 0, subscription())
    body = {
        "object": "subscription",
        "id": f"sub_{TOKEN}",
        "customer": f"cus_{TOKEN}",
        "price": PRICE_ID,
        "status": "active",
    }
    envelope = {
        "id": f"evt_{TOKEN}",
        "type": "subscription.updated",
        "created": STARTED,
        "api_version": sandbox_events.API_VERSION,
        "mode": "sandbox",
    }
    return _padded(envelope, body)


def delivery(alias: str, number: int, *, is_forged: bool = False) -> tuple[dict[str, str], bytes]:
    """Headers and body of the delivery `number`; a forged one is signed with another secret."""
    body = template(alias).replace(TOKEN.encode(), token(number).encode())
    if alias == "stripe":
        headers = stripe_signature(body, "whsec_another" if is_forged else STRIPE_SECRET)
    else:
        secret = "whsec_YW5vdGhlcg==" if is_forged else sandbox_secret(alias)
        headers = signatures.sign(secret, f"evt_{token(number)}", body)
    return {"Content-Type": "application/json", **headers}, body


def stripe_signature(body: bytes, secret: str = STRIPE_SECRET) -> dict[str, str]:
    stamp = str(int(time.time()))
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={stamp},v1={digest}"}


def subscription(quantity: int = 1) -> dict[str, Any]:
    source = _published("subscription")
    item = source["items"]["data"][0]
    item |= {"quantity": quantity, "subscription": f"sub_{TOKEN}"}
    item |= {"current_period_start": STARTED, "current_period_end": STARTED + MONTH}
    item["price"]["id"] = PRICE_ID
    nothing = (
        "cancel_at", "canceled_at", "ended_at", "pause_collection", "pending_update",
        "trial_start", "trial_end",
    )  # fmt: skip
    source |= dict.fromkeys(nothing)
    source |= {"id": f"sub_{TOKEN}", "customer": f"cus_{TOKEN}", "cancel_at_period_end": False}
    return source


def invoice(*, paid: bool = False) -> dict[str, Any]:
    source = _published("invoice")
    details = {"metadata": None, "subscription": f"sub_{TOKEN}"}
    source |= {
        "id": f"in_{TOKEN}",
        "number": f"B-{TOKEN}",
        "customer": f"cus_{TOKEN}",
        "status": "paid" if paid else "open",
        "parent": {"type": "subscription_details", "subscription_details": details},
        "amount_paid": 1000 if paid else 0,
        "amount_remaining": 0 if paid else 1000,
    }
    source["status_transitions"]["paid_at"] = STARTED + 61 if paid else None
    return source


def _stripe(event_type: str, second: int, body: dict[str, Any]) -> bytes:
    envelope = {
        "id": f"evt_{event_type}_{TOKEN}",
        "object": "event",
        "type": event_type,
        "created": STARTED + second,
        "api_version": API_VERSION,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
    }
    return _padded(envelope, body)


def _padded(envelope: dict[str, Any], body: dict[str, Any]) -> bytes:
    """Fill the object's metadata with what does not compress, up to BODY_BYTES."""
    body["metadata"] = metadata = {}
    event = {**envelope, "data": {"object": body}}
    for number in range(100):
        raw = json.dumps(event, separators=(",", ":")).encode()
        if len(raw) >= BODY_BYTES:
            break
        metadata[f"note_{number}"] = hashlib.sha256(str(number).encode()).hexdigest()
    return raw


def _published(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_FIXTURES / f"{name}.json").read_text())
    return found
