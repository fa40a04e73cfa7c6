"""Stripe's real backend at our door: what is posted is signed, what is asked is answered."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import responses
from django.test import Client

from billing.registry import providers
from billing.services import webhooks
from billing.tests.integration.harness import STRIPE_KEY, STRIPE_SECRET
from billing.tests.integration.stripe_api import StripeApi
from billing.tests.stripe_life import sign


@contextmanager
def stripe_at_the_door(settings: Any) -> Iterator[StripeApi]:
    """Configure the alias `stripe`; yield what answers its reads."""
    settings.BILLING_NUDGE_WINDOW_MS = 1
    options = {"api_key": STRIPE_KEY, "webhook_secret": STRIPE_SECRET, "max_retries": 0}
    backend = {"BACKEND": "billing.providers.stripe.StripeProvider", "OPTIONS": options}
    settings.BILLING_PROVIDERS = {"stripe": backend | {"MODE": "test"}}
    api = StripeApi()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        api.register(mock)
        yield api
    providers.reset()


def deliver(*bodies: bytes) -> None:
    """Post them, then drain until nothing is due."""
    for body in bodies:
        answer = Client().post(
            "/webhooks/stripe",
            data=body,
            content_type="application/json",
            headers={"Stripe-Signature": sign(body, STRIPE_SECRET)},
        )
        assert answer.status_code == 200, answer.content
    webhooks.drain()
