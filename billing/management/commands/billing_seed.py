"""What a development installation starts with: a catalogue, two organizations, three log-ins."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from rest_framework.authtoken.models import Token

from billing.conf import conf
from billing.enums import BillingInterval, Role
from billing.models import BillingAccount, Membership, Price, SubscriptionPlan
from billing.money import Money
from billing.registry import providers
from billing.services import plans, rule_sets

PASSWORD = "cobro-dev"
PLANS: tuple[dict[str, Any], ...] = (
    {
        "slug": "startup",
        "name": "Startup",
        "description": "For a small team that is just beginning.",
        "features": ["All core features", "E-mail support", "Community forum"],
        "limits": {"users": 5, "api_calls": 10_000},
        "prices": {"USD": ("29.99", "299.00"), "MXN": ("549.00", "5490.00")},
    },
    {
        "slug": "business",
        "name": "Business",
        "description": "For a growing company with more than one team.",
        "features": ["Everything in Startup", "SSO", "Audit logs", "Priority support"],
        "limits": {"users": 50, "api_calls": 100_000},
        "is_popular": True,
        "prices": {"USD": ("99.99", "999.00"), "MXN": ("1849.00", "18490.00")},
    },
    {
        "slug": "enterprise",
        "name": "Enterprise",
        "description": "For organizations with rules of their own.",
        "features": ["Everything in Business", "Advanced MFA", "Data residency", "99.9 % SLA"],
        "limits": {"users": None, "api_calls": 1_000_000},
        "prices": {"USD": ("299.99", "2999.00"), "MXN": ("5499.00", "54990.00")},
    },
)
ORGANIZATIONS: tuple[dict[str, Any], ...] = (
    {
        "name": "Tacos El Güero",
        "owner": "maria",
        "account": {
            "email": "maria@tacos-el-guero.example.test",
            "phone": "+525512345678",
            "country": "MX",
            "address": {
                "line1": "Avenida Insurgentes Sur 1602",
                "city": "Ciudad de México",
                "state": "CDMX",
                "postal_code": "03940",
                "country": "MX",
            },
            "locale": "es",
            "time_zone": "America/Mexico_City",
        },
    },
    {
        "name": "Müller Software GmbH",
        "owner": "hans",
        "account": {
            "email": "hans@mueller-software.example.test",
            "phone": "+493012345678",
            "country": "DE",
            "address": {
                "line1": "Torstraße 1",
                "city": "Berlin",
                "state": "BE",
                "postal_code": "10119",
                "country": "DE",
            },
            "locale": "en",
            "time_zone": "Europe/Berlin",
        },
    },
)


class Command(BaseCommand):
    help = "Seed plans, organizations and log-ins for development; safe to run again."

    def handle(self, *args: Any, **options: Any) -> None:
        if getattr(settings, "ENVIRONMENT", "") != "development":
            raise CommandError("billing_seed makes log-ins with a known password: development only")
        with transaction.atomic():
            prices = [price for number, row in enumerate(PLANS) for price in _plan(number, row)]
            logins = [_organization(row) for row in ORGANIZATIONS]
            logins.append(_staff())
            rule_sets.ensure_active()
        published = _publish(prices)
        self.stdout.write(f"{len(PLANS)} plans, {len(prices)} prices, {published} publications")
        self._print_logins(logins)

    def _print_logins(self, logins: list[tuple[str, str, str]]) -> None:
        line = "{:<10}{:<12}{:<24}{}"
        self.stdout.write(line.format("Log-in", "Password", "Organization", "API token"))
        for username, organization, token in logins:
            self.stdout.write(line.format(username, PASSWORD, organization, token))


def _plan(number: int, row: Mapping[str, Any]) -> list[Price]:
    """Make the plan and its prices unless they are there; staff's changes are kept."""
    fields = {key: value for key, value in row.items() if key not in ("slug", "prices")}
    plan, _ = SubscriptionPlan.objects.get_or_create(
        slug=row["slug"], defaults={**fields, "sort_order": 10 * (number + 1)}
    )
    for currency, amounts in row["prices"].items():
        for interval, amount in zip(BillingInterval, amounts, strict=True):
            if not plan.prices.filter(interval=interval.value, currency=currency).exists():
                minor = Money.from_decimal(Decimal(amount), currency).minor
                plan.prices.create(interval=interval.value, currency=currency, amount_minor=minor)
    return list(plan.prices.on_sale().select_related("plan"))


def _organization(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """The owner's organization, made when there is none; others may bear the same name."""
    user = _user(row["owner"], row["account"]["email"])
    if not Membership.objects.filter(user=user).exists():
        organization = apps.get_model(conf.organization_model)._default_manager.create(
            name=row["name"]
        )
        account = {"name": row["name"], **row["account"]}
        BillingAccount.objects.create(organization=organization, **account)
        Membership.objects.create(user=user, organization=organization, role=Role.OWNER.value)
    token, _ = Token.objects.get_or_create(user=user)
    return row["owner"], row["name"], token.key


def _staff() -> tuple[str, str, str]:
    _user("staff", "staff@example.test", is_staff=True, is_superuser=True)
    return "staff", "(the admin)", ""


def _user(username: str, email: str, **flags: bool) -> Any:
    """The log-in, with the known password when it is new."""
    model = get_user_model()
    found = model._default_manager.filter(**{model.USERNAME_FIELD: username}).first()
    if found:
        return found
    user = model(**{model.USERNAME_FIELD: username, "email": email, **flags})
    user.set_password(PASSWORD)
    user.save()
    return user


def _publish(prices: list[Price]) -> int:
    """Publish every price wherever it can be sold; outside any transaction, for this calls out."""
    targets = [
        (price, alias)
        for price in prices
        for alias in providers.aliases()
        if plans.takes(alias, price)
    ]
    for price, alias in targets:
        plans.publish(price, alias)
    return len(targets)
