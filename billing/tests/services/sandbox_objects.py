"""Sandbox objects and signed deliveries made by hand: what a test wants the provider to say."""

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from django.db import connections
from django.utils import timezone

from billing.models import (
    Customer,
    Organization,
    Price,
    ProviderPrice,
    SubscriptionPlan,
    WebhookEvent,
)
from billing.providers.base import PaymentProvider
from billing.providers.sandbox.signatures import sign
from billing.providers.sandbox.store import Record, Store
from billing.registry import providers
from billing.services import webhooks
from billing.tests.conftest import SECRET

ALIAS = "stripe"
PRICE_ID = "plan_monthly"
CREATED = 1_790_000_000
PERIOD = (CREATED, CREATED + 30 * 86_400)


def customer(token: str, **changes: Any) -> dict[str, Any]:
    return {
        "object": "customer",
        "id": f"cus_{token}",
        "created": CREATED,
        "default_payment_method": None,
        "deleted": False,
        "reference": None,
        "name": "Software",
        "email": "software@example.test",
        "phone": "",
        "address": {},
        "metadata": {},
    } | changes


def payment_method(token: str, **changes: Any) -> dict[str, Any]:
    return {
        "object": "payment_method",
        "id": f"pm_{token}",
        "created": CREATED,
        "customer": f"cus_{token}",
        "previous_customer": None,
        "type": "card",
        "last4": "4242",
        "brand": "visa",
        "exp_month": 12,
        "exp_year": 2030,
        "billing_address": {},
        "active": True,
        "reference": None,
    } | changes


def subscription(token: str, **changes: Any) -> dict[str, Any]:
    return {
        "object": "subscription",
        "id": f"sub_{token}",
        "created": CREATED,
        "customer": f"cus_{token}",
        "price": PRICE_ID,
        "quantity": 1,
        "status": "active",
        "current_period_start": PERIOD[0],
        "current_period_end": PERIOD[1],
        "trial_start": None,
        "trial_end": None,
        "cancel_at_period_end": False,
        "cancel_at": None,
        "canceled_at": None,
        "ended_at": None,
        "end_reason": None,
        "incomplete_reason": None,
        "payment_method": f"pm_{token}",
        "latest_invoice": f"inv_{token}",
        "next_action": None,
        "reference": None,
        "metadata": {},
    } | changes


def invoice(token: str, **changes: Any) -> dict[str, Any]:
    return {
        "object": "invoice",
        "id": f"inv_{token}",
        "number": "SB-000001",
        "created": CREATED,
        "customer": f"cus_{token}",
        "subscription": f"sub_{token}",
        "status": "open",
        "payment_state": "none",
        "currency": "USD",
        "subtotal": 2999,
        "discount": 0,
        "tax": 0,
        "total": 2999,
        "amount_paid": 0,
        "amount_due": 2999,
        "period_start": PERIOD[0],
        "period_end": PERIOD[1],
        "due_at": CREATED,
        "paid_at": None,
        "next_attempt_at": None,
        "payment": None,
        "payment_method": None,
        "lines": [{"description": "Startup", "amount": 2999, "quantity": 1}],
        "hosted_url": "",
        "pdf_url": "",
        "reference": None,
    } | changes


def paid_invoice(token: str, **changes: Any) -> dict[str, Any]:
    return invoice(
        token,
        status="paid",
        payment_state="paid",
        amount_paid=2999,
        amount_due=0,
        paid_at=CREATED + 1,
        payment=f"pay_{token}",
        payment_method=f"pm_{token}",
        **changes,
    )


def payment(token: str, **changes: Any) -> dict[str, Any]:
    return {
        "object": "payment",
        "id": f"pay_{token}",
        "created": CREATED,
        "customer": f"cus_{token}",
        "invoice": f"inv_{token}",
        "amount": 2999,
        "currency": "USD",
        "status": "succeeded",
        "decline_code": "",
        "payment_method": f"pm_{token}",
        "paid_at": CREATED + 1,
        "next_action": None,
        "reference": None,
    } | changes


def refund(token: str, **changes: Any) -> dict[str, Any]:
    return {
        "object": "refund",
        "id": f"re_{token}",
        "created": CREATED,
        "payment": f"pay_{token}",
        "amount": 1000,
        "currency": "USD",
        "status": "succeeded",
        "reason": "requested_by_customer",
        "failure_code": "",
        "reference": None,
    } | changes


def dispute(token: str, **changes: Any) -> dict[str, Any]:
    return {
        "object": "dispute",
        "id": f"dp_{token}",
        "created": CREATED,
        "payment": f"pay_{token}",
        "amount": 2999,
        "currency": "USD",
        "status": "needs_response",
        "reason": "fraudulent",
        "evidence_due_at": PERIOD[1],
    } | changes


def delivery(
    event_id: str,
    event_type: str,
    body: Mapping[str, Any],
    created: int = CREATED,
    **envelope: Any,
) -> tuple[dict[str, str], bytes]:
    """Headers and body of one signed delivery."""
    event = {
        "id": event_id,
        "type": event_type,
        "created": created,
        "api_version": "sandbox-1",
        "mode": "sandbox",
        "data": {"object": body},
    } | envelope
    raw = json.dumps(event, separators=(",", ":")).encode()
    return sign(SECRET, event_id, raw), raw


def deliver(
    event_id: str,
    event_type: str,
    body: Mapping[str, Any],
    created: int = CREATED,
    *,
    alias: str = ALIAS,
    **envelope: Any,
) -> str:
    """Hand one signed delivery to intake; return its answer."""
    headers, raw = delivery(event_id, event_type, body, created, **envelope)
    return webhooks.receive(alias, raw, headers)


def make_customer(token: str, *, is_linked: bool = True, alias: str = ALIAS) -> Customer:
    """Our row of the customer `cus_<token>`; reserved only, when the remote id is not known yet."""
    return Customer.objects.create(
        organization=Organization.objects.create(name=token),
        provider=alias,
        mode="sandbox",
        provider_customer_id=f"cus_{token}" if is_linked else None,
    )


def make_price(remote_id: str = PRICE_ID, alias: str = ALIAS) -> Price:
    """A monthly price; with `remote_id` it is sold at the provider under that id."""
    plan = SubscriptionPlan.objects.create(slug="startup", name="Startup")
    price = Price.objects.create(plan=plan, interval="monthly", currency="USD", amount_minor=2999)
    if remote_id:
        ProviderPrice.objects.create(
            price=price, provider=alias, mode="sandbox", provider_price_id=remote_id
        )
    return price


def make_due() -> None:
    """Let the time pass that events wait for."""
    WebhookEvent.objects.update(next_attempt_at=timezone.now())


def keep(*bodies: Mapping[str, Any], alias: str = ALIAS) -> None:
    """Let the provider hold these objects, so that reading them answers what they say."""
    provider: Any = providers.get(alias, PaymentProvider)
    store: Store = provider._provider._store
    with store.write() as session:
        for body in bodies:
            session.save(Record(str(body["object"]), str(body["id"]), dict(body)))


def side_by_side(*jobs: Callable[[], Any]) -> list[Any]:
    """Run the jobs at the same moment, a thread each; return their results, raise their errors."""
    start = threading.Barrier(len(jobs))
    results: list[Any] = [None] * len(jobs)
    errors: list[BaseException] = []

    def run(index: int, job: Callable[[], Any]) -> None:
        try:
            start.wait(30)
            results[index] = job()
        except BaseException as exc:  # noqa: BLE001 - raised again in the test's own thread
            errors.append(exc)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def take_away(settings: Any, alias: str, capability: str) -> None:
    """From now on the stand-in of `alias` cannot do this."""
    like = settings.BILLING_PROVIDERS[alias]["OPTIONS"]["like"]
    left = [each for each in like["capabilities"] if each != capability]
    entry = settings.BILLING_PROVIDERS[alias]
    entry = entry | {"OPTIONS": entry["OPTIONS"] | {"like": like | {"capabilities": left}}}
    settings.BILLING_PROVIDERS = settings.BILLING_PROVIDERS | {alias: entry}
