"""Rightly signed events about a customer of ours in which one value is absurd: none goes wrong."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
import responses

from billing.errors import WebhookError
from billing.models import WebhookEvent
from billing.registry import providers
from billing.services import webhooks
from billing.tests.integration.harness import STRIPE_KEY, STRIPE_SECRET
from billing.tests.integration.life_rows import prepare
from billing.tests.integration.stripe_api import StripeApi
from billing.tests.stripe_life import StripeLife, sign

TYPES = {
    "customer": "customer.updated",
    "payment_method": "payment_method.updated",
    "subscription": "customer.subscription.updated",
    "invoice": "invoice.updated",
    "payment_intent": "payment_intent.succeeded",
}
ABSURD: list[Any] = [
    None, "", "x" * 3000, "a\x00\ud800b", -1, 70_000, 2**31, 2**63, -(2**63), 10**30, 0.5, True,
    [], [[None]], {}, {"id": "\x00"}, {"data": [{}]},
]  # fmt: skip

_READ = """amount amount_due amount_paid amount_remaining attempt_count brand cancel_at canceled_at
    created currency current_period_end current_period_start customer default_payment_method
    description due_date email end ended_at exp_month exp_year hosted_invoice_url id invoice_pdf
    items last4 latest_invoice lines metadata name next_payment_attempt number paid_at parent
    payment_method period_end period_start price quantity start status subtotal total trial_end
    trial_start type"""
READ = frozenset(_READ.split())


@pytest.fixture(autouse=True)
def _stripe(settings: Any) -> Iterator[None]:
    settings.BILLING_NUDGE_WINDOW_MS = 1
    options = {"api_key": STRIPE_KEY, "webhook_secret": STRIPE_SECRET}
    backend = {"BACKEND": "billing.providers.stripe.StripeProvider", "OPTIONS": options}
    settings.BILLING_PROVIDERS = {"stripe": backend | {"MODE": "test"}}
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        StripeApi().register(mock)
        yield
    providers.reset()


def places(source: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every value in an object, nested ones too."""
    keys = range(len(source)) if isinstance(source, list) else source
    for key in keys:
        yield (*path, key)
        if isinstance(source[key], dict | list):
            yield from places(source[key], (*path, key))


def changed(source: Any, path: tuple[str | int, ...], value: Any) -> Any:
    found = copy.deepcopy(source)
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return found


def variants(source: Any) -> Iterator[Any]:
    """One absurd value each: every one where we read, two of them in every other place."""
    turn = 0
    for path in places(source):
        for _ in range(len(ABSURD) if path[-1] in READ else 2):
            turn += 1
            yield changed(source, path, ABSURD[turn % len(ABSURD)])


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.django_db(transaction=True)
def test_no_absurd_value_fails(kind: str) -> None:
    life = StripeLife(customer_reference=prepare(1)[0])
    for event in [*life.sign_up(), *life.subscribe(), *life.pay()]:
        receive(event.body)
    webhooks.drain()
    template = json.loads(life.events[0].body)
    source = next(each for (name, _), each in life.objects.items() if name == kind)
    stored = 0
    for number, variant in enumerate(variants(source)):
        if kind != "customer" and variant["id"] == source["id"]:
            variant["id"] = f"{source['id']}v{number}"
        told = {"id": f"evt_absurd{number}", "type": TYPES[kind], "data": {"object": variant}}
        told["created"] = template["created"] + 86400 + number
        stored += receive(json.dumps(template | told).encode())
    webhooks.drain()
    bad = WebhookEvent.objects.filter(state__in=["failed", "dead"])
    assert [(each.body[:3000], each.error_message[-1500:]) for each in bad[:1]] == []
    assert stored > 50


def receive(body: bytes) -> bool:
    try:
        webhooks.receive("stripe", body, {"Stripe-Signature": sign(body, STRIPE_SECRET)})
    except WebhookError:
        return False
    return True
