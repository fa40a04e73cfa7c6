"""Stripe's own example objects, unmodified: strangers' ids, odd dates, parents that nobody knows.

`published.json` is openapi/fixtures3.json of stripe/openapi (MIT).
"""

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import responses
from django.test import Client

from billing.enums import EventKind
from billing.models import Customer, Invoice, Payment, PaymentMethod, Subscription, WebhookEvent
from billing.providers.stripe.events import IGNORED, KINDS
from billing.registry import providers
from billing.services import webhooks
from billing.tests.integration.harness import STRIPE_KEY, STRIPE_SECRET
from billing.tests.integration.stripe_api import StripeApi
from billing.tests.stripe_life import API_VERSION, published, sign

pytestmark = pytest.mark.django_db(transaction=True)
_FILE = Path(__file__).parents[1] / "fixtures" / "stripe" / "published.json"
RESOURCES: dict[str, Any] = json.loads(_FILE.read_text())["resources"]
ONE_OF_EACH_KIND = {kind: event_type for event_type, kind in KINDS.items()}.values()


@pytest.fixture(autouse=True)
def _stripe(settings: Any) -> Iterator[None]:
    """The real backend, and an API that knows nothing."""
    settings.BILLING_NUDGE_WINDOW_MS = 1
    options = {"api_key": STRIPE_KEY, "webhook_secret": STRIPE_SECRET}
    backend = {"BACKEND": "billing.providers.stripe.StripeProvider", "OPTIONS": options}
    settings.BILLING_PROVIDERS = {"stripe": backend | {"MODE": "test"}}
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        StripeApi().register(mock)
        yield
    providers.reset()


def wrapped(number: int, event_type: str, source: Any, version: str = API_VERSION) -> bytes:
    told = {"id": f"evt_published{number}", "type": event_type, "api_version": version}
    return json.dumps(published("event") | told | {"data": {"object": source}}).encode()


def post(body: bytes) -> int:
    headers = {"Stripe-Signature": sign(body, STRIPE_SECRET)}
    path, media_type = "/webhooks/stripe", "application/json"
    return Client().post(path, data=body, content_type=media_type, headers=headers).status_code


def resource_of(event_type: str) -> Any:
    """The example of what the event is about: customer.subscription.created -> subscription."""
    words = event_type.split(".")[:-1]
    names = (".".join(words[start:]) for start in range(len(words)))
    found = (RESOURCES.get(name) for name in names)
    return next(filter(None, found), published("event")["data"]["object"])


def check(statuses: Counter[int], bodies: int) -> None:
    """Every body was stored or refused, and nothing that was stored went wrong."""
    assert set(statuses) <= {200, 400}
    assert statuses.total() == bodies
    assert WebhookEvent.objects.count() == statuses[200]
    webhooks.drain()
    states = Counter(WebhookEvent.objects.values_list("state", flat=True))
    assert set(states) <= {"waiting", "ignored"}
    assert not WebhookEvent.objects.exclude(attempts=0, error_message="").exists()
    for model in (Customer, PaymentMethod, Subscription, Invoice, Payment):
        assert not model._default_manager.exists()


@pytest.mark.parametrize("version", [API_VERSION, "2017-08-15"])
def test_each_object_under_its_event_types(version: str) -> None:
    types = sorted({**KINDS, **IGNORED}) if version == API_VERSION else sorted(KINDS)
    bodies = [
        wrapped(number, name, resource_of(name), version) for number, name in enumerate(types)
    ]
    statuses = Counter(map(post, bodies))
    check(statuses, len(types))
    waiting = WebhookEvent.objects.filter(state="waiting").values_list("event_type", flat=True)
    # The published payment has no customer.
    assert set(waiting) == {name for name, kind in KINDS.items() if kind != EventKind.PAYMENT}


def test_each_object_under_the_types_that_we_use() -> None:
    types = itertools.cycle(ONE_OF_EACH_KIND)
    bodies = [
        wrapped(number, next(types), source) for number, source in enumerate(RESOURCES.values())
    ]
    check(Counter(map(post, bodies)), len(RESOURCES))
