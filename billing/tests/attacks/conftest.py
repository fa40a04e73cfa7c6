"""The doors to attack: a real Stripe, and a sandbox in the place of each provider."""

from collections.abc import Iterator
from typing import Any

import pytest
import responses
from django.test import Client

from billing.registry import providers
from billing.tests.integration.harness import STRIPE_KEY, STRIPE_SECRET
from billing.tests.integration.hostile import Door, Headers, sandbox_door, stripe_door
from billing.tests.integration.stripe_api import StripeApi

SECRETS = {
    "stripe": STRIPE_SECRET,
    "sandbox": "whsec_c2FuZGJveA==",
    "conekta": "whsec_Y29uZWt0YQ==",
    "polar": "whsec_cG9sYXI=",
}


# One door of each backend, for what the stand-ins do alike.
each_backend = pytest.mark.parametrize("door", ["stripe", "conekta"], indirect=True)


@pytest.fixture
def doors(settings: Any, sandbox: Any) -> Iterator[dict[str, Door]]:
    """By alias: `stripe` is the real backend, its stand-in answers to `sandbox`."""
    entries = settings.BILLING_PROVIDERS
    entries["sandbox"] = entries.pop("stripe")
    for alias, entry in entries.items():
        entry["OPTIONS"]["secret"] = SECRETS[alias]
    options = {"api_key": STRIPE_KEY, "webhook_secret": STRIPE_SECRET}
    backend = {"BACKEND": "billing.providers.stripe.StripeProvider", "OPTIONS": options}
    entries["stripe"] = backend | {"MODE": "test"}
    providers.reset()
    stand_ins = {alias: sandbox_door(alias, SECRETS[alias]) for alias in SECRETS}
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        StripeApi().register(mock)
        yield stand_ins | {"stripe": stripe_door(STRIPE_SECRET, "reference")}


@pytest.fixture(params=list(SECRETS))
def door(request: Any, doors: dict[str, Door]) -> Door:
    """Each of the doors in turn."""
    return doors[request.param]


def post(door: Door, body: bytes, headers: Headers | None = None, **extra: Any) -> Any:
    """Post with headers as servers hand them over: Latin-1, repeated ones joined; else signed."""
    given: dict[str, str] = {}
    for name, value in door.sign(body) if headers is None else headers:
        text = value.decode("latin-1")
        given[name] = f"{given[name]},{text}" if name in given else text
    return Client(enforce_csrf_checks=True).generic(
        "POST", door.path, body, headers=given, **({"content_type": "application/json"} | extra)
    )
