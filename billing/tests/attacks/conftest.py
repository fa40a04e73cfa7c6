"""The doors to attack: a real Stripe, and a sandbox in the place of each provider. And the API's
callers, with an organization that has something of everything."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import responses
from django.contrib.auth import get_user_model
from django.test import Client
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from billing.models import (
    Invoice,
    Organization,
    Payment,
    PaymentMethod,
    SetupSession,
    Subscription,
)
from billing.registry import providers
from billing.services import setup_sessions, subscriptions
from billing.tests.attacks.operations import Ours
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


@pytest.fixture
def subscription(organization_mx: Organization, published: Any, deliver: Any) -> Subscription:
    """A running subscription with its card and its invoice."""
    made = subscriptions.create(
        organization_mx, plan=published["startup"], interval="monthly", token="tok_visa"
    )
    deliver(made.provider)
    assert Invoice.objects.exists()
    return made


@pytest.fixture
def setup_session(subscription: Subscription) -> SetupSession:
    """One at another provider than the one that the organization pays at."""
    owner = subscription.organization
    return setup_sessions.open_session(owner, provider="stripe").session


@pytest.fixture
def ours(subscription: Subscription, setup_session: SetupSession) -> Ours:
    ids = {
        "subscriptions": subscription.pk,
        "payment-methods": PaymentMethod.objects.get().pk,
        "invoices": Invoice.objects.get().pk,
        "payments": Payment.objects.get().pk,
        "setup-sessions": setup_session.pk,
        "decisions": subscription.decision_id,
    }
    named = {name: str(pk) for name, pk in ids.items()}
    return Ours(ids=named, organization=str(subscription.organization_id))


@pytest.fixture
def client_for(
    organization_mx: Organization, organization_de: Organization, member_of: Callable[..., Any]
) -> Callable[[str], APIClient]:
    """Return make(actor) -> client of one of ACTORS, by token: sessions drop inactive users."""

    def make(actor: str) -> APIClient:
        client = APIClient(raise_request_exception=False)
        if actor == "anonymous":
            return client
        users = get_user_model().objects
        if actor == "without organization":
            user = users.create_user(username="nobody")
        elif actor == "staff":
            user = users.create_superuser(username="staff")
        elif actor == "foreign":
            user = member_of(organization_de, "owner")
        else:
            user = member_of(organization_mx, "owner" if actor == "inactive" else actor)
        if actor == "inactive":
            users.filter(pk=user.pk).update(is_active=False)
        token = Token.objects.create(user=user)
        client.credentials(HTTP_AUTHORIZATION=f"Token {token.key}")
        return client

    return make
