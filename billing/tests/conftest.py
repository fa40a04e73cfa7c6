"""Fixtures that the whole suite shares: sandboxes, organizations, published plans, a drain."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache

from billing.api import throttling
from billing.models import (
    BillingAccount,
    Membership,
    Organization,
    Price,
    SubscriptionPlan,
)
from billing.providers.base import Simulates
from billing.providers.sandbox import store
from billing.registry import providers
from billing.services import plans as plan_service
from billing.services import webhooks
from project.stand_ins import STAND_INS

SECRET = "whsec_dGVzdHMtb25seQ=="  # noqa: S105


@pytest.fixture(autouse=True)
def _fresh_cache(settings: Any) -> Iterator[None]:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    }
    cache.clear()
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def _fresh_rates(settings: Any) -> None:
    settings.BILLING_THROTTLE_STORAGE = ""
    throttling.reset()


@pytest.fixture(autouse=True)
def _patient_drain(settings: Any) -> None:
    """On a machine with much else to do a drain is cut short only where a test is about that."""
    settings.BILLING_DRAIN_SECONDS = 600


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests drain when they say so; what is published is asserted where it matters."""
    monkeypatch.setattr("billing.queue._publish", lambda task_name, args: None)


@pytest.fixture(autouse=True)
def _closed_sandboxes() -> Iterator[None]:
    """Each test has a file of its own, and a process may hold no more than a thousand open."""
    yield
    store.close()


@pytest.fixture
def sandbox(settings: Any, tmp_path: Any) -> Iterator[Any]:
    """Three stand-ins in one file, as in development; nothing is posted anywhere."""
    path = tmp_path / "sandbox.sqlite3"
    settings.SANDBOX_PATH = path
    settings.BILLING_CLOCK = "project.clock.now"
    settings.BILLING_NUDGE_WINDOW_MS = 1
    settings.BILLING_PROVIDERS = {
        alias: {
            "BACKEND": "billing.providers.sandbox.SandboxProvider",
            "MODE": "sandbox",
            "OPTIONS": {"path": str(path), "like": like, "secret": SECRET, "webhook_url": ""},
        }
        for alias, like in STAND_INS.items()
    }
    yield path
    providers.reset()


def make_organization(name: str, country: str, **account: Any) -> Organization:
    organization = Organization.objects.create(name=name)
    BillingAccount.objects.create(
        organization=organization,
        name=name,
        email=f"{name.split()[0].lower()}@example.test",
        phone="+525512345678",
        address={"country": country, "line1": "1 Main Street"},
        country=country,
        **account,
    )
    return organization


@pytest.fixture
def organization_mx(db: Any) -> Organization:
    return make_organization("Tacos", "MX")


@pytest.fixture
def organization_de(db: Any) -> Organization:
    return make_organization("Software", "DE")


@pytest.fixture
def member_of() -> Callable[..., Any]:
    """Return make(organization, role) -> user with that role."""

    def make(organization: Any, role: str = "owner", name: str = "") -> Any:
        name = name or f"{role}-{organization.pk}"
        user = get_user_model().objects.create_user(username=name, password="not-a-secret")
        Membership.objects.create(user=user, organization=organization, role=role)
        return user

    return make


@pytest.fixture
def plans(db: Any, sandbox: Any) -> dict[str, SubscriptionPlan]:
    """Startup and Business in USD and MXN, monthly and yearly, published everywhere."""
    made = {}
    amounts = {"startup": (2999, 54900), "business": (9999, 184900)}
    for order, (slug, (usd, mxn)) in enumerate(amounts.items()):
        plan = SubscriptionPlan.objects.create(
            slug=slug,
            name=slug.capitalize(),
            features=["SSO"],
            limits={"users": 5},
            sort_order=order,
        )
        for currency, amount in (("USD", usd), ("MXN", mxn)):
            for interval, factor in (("monthly", 1), ("yearly", 10)):
                Price.objects.create(
                    plan=plan, interval=interval, currency=currency, amount_minor=amount * factor
                )
        made[slug] = plan
    return made


@pytest.fixture
def published(plans: dict[str, SubscriptionPlan]) -> dict[str, SubscriptionPlan]:
    for plan in plans.values():
        for price in plan.prices.all():
            for alias in providers.aliases():
                if plan_service.takes(alias, price):
                    plan_service.publish(price, alias)
    return plans


@pytest.fixture
def deliver() -> Callable[..., int]:
    """Return deliver(alias, order=None): hand the queued deliveries to intake, then drain."""

    def run(alias: str, order: Callable[[list[Any]], list[Any]] = list) -> int:
        queued: Any = providers.get(alias, Simulates)
        deliveries = order(queued.pending_deliveries(take=True))
        for headers, body in deliveries:
            webhooks.receive(alias, body, headers)
        webhooks.drain()
        return len(deliveries)

    return run
