"""What the money tests need in the database, and what they find there; run beside the processes."""

import uuid
from collections.abc import Sequence
from itertools import product
from typing import Any

from django.contrib.auth import get_user_model
from rest_framework.authtoken.models import Token

from billing.models import (
    BillingAccount,
    Membership,
    Operation,
    Organization,
    PaymentMethod,
    Price,
    Subscription,
    SubscriptionPlan,
)
from billing.services import payment_methods, plans, subscriptions

JSON = dict[str, Any]
COUNTRIES = {"stripe": "DE", "conekta": "MX"}
_SALES = {"stripe": ("USD", 2990), "conekta": ("MXN", 54900)}
_INTERVALS = (("monthly", 1), ("yearly", 10))


def publish() -> str:
    """One plan, sold by both providers for a month or a year."""
    plan, _ = SubscriptionPlan.objects.get_or_create(slug="startup", name="Startup")
    for (alias, (currency, amount)), (interval, times) in product(_SALES.items(), _INTERVALS):
        price, _ = Price.objects.get_or_create(
            plan=plan, interval=interval, currency=currency, amount_minor=amount * times
        )
        plans.publish(price, alias)
    return str(plan.pk)


def prepare(cases: Sequence[JSON]) -> list[JSON]:
    """An organization per case, with what its request needs; return the request."""
    publish()
    return [_prepared(each["alias"], each["verb"]) for each in cases]


def _prepared(alias: str, verb: str) -> JSON:
    organization = _organization(COUNTRIES[alias])
    method = payment_methods.add(organization, token="tok_visa", provider=alias)
    user = get_user_model().objects.create(username=str(uuid.uuid4()))
    Membership.objects.create(user=user, organization=organization, role="owner")
    return {
        "organization": str(organization.pk),
        "customer": method.provider_customer_id,
        "token": Token.objects.create(user=user).key,
        **_REQUESTS[verb](organization, method),
    }


def _organization(country: str) -> Any:
    organization = Organization.objects.create(name="Money")
    BillingAccount.objects.create(
        organization=organization,
        name="Money",
        email="money@example.test",
        phone="+525512345678",
        address={"country": country, "line1": "1 Main Street"},
        country=country,
    )
    return organization


def _subscribe(organization: Any, method: PaymentMethod) -> JSON:
    body = {"plan": "startup", "interval": "monthly", "payment_method": str(method.pk)}
    return {"method": "POST", "path": "/subscriptions", "body": body}


def _add(organization: Any, method: PaymentMethod) -> JSON:
    return {"method": "POST", "path": "/payment-methods", "body": {"token": "tok_mastercard"}}


def _remove(organization: Any, method: PaymentMethod) -> JSON:
    return {"method": "DELETE", "path": f"/payment-methods/{method.pk}", "body": None}


def _change(organization: Any, method: PaymentMethod) -> JSON:
    path = f"/subscriptions/{_running(organization, method)}"
    return {"method": "PATCH", "path": path, "body": {"interval": "yearly"}}


def _cancel(organization: Any, method: PaymentMethod) -> JSON:
    path = f"/subscriptions/{_running(organization, method)}?at_period_end=false"
    return {"method": "DELETE", "path": path, "body": None}


def _cancel_at_period_end(organization: Any, method: PaymentMethod) -> JSON:
    path = f"/subscriptions/{_running(organization, method)}"
    return {"method": "DELETE", "path": path, "body": None}


def _running(organization: Any, method: PaymentMethod) -> Any:
    plan = SubscriptionPlan.objects.get(slug="startup")
    return subscriptions.create(
        organization, plan=plan, interval="monthly", payment_method=method
    ).pk


_REQUESTS = {
    "subscribe": _subscribe,
    "change": _change,
    "cancel": _cancel,
    "cancel_at_period_end": _cancel_at_period_end,
    "add": _add,
    "remove": _remove,
}


def stored(organizations: Sequence[str]) -> list[JSON]:
    """What our rows say about each organization."""
    return [
        {
            "subscriptions": sorted(
                [
                    row.provider_subscription_id,
                    row.status,
                    row.provider_price_id,
                    row.cancel_at_period_end,
                ]
                for row in Subscription.objects.filter(organization=pk).exclude(
                    provider_subscription_id=None
                )
            ),
            "unmade": sorted(
                Subscription.objects.filter(organization=pk, provider_subscription_id=None)
                .exclude(status="incomplete_expired")
                .values_list("status", flat=True)
            ),
            "methods": sorted(
                PaymentMethod.objects.filter(organization=pk, is_active=True).values_list(
                    "provider_payment_method_id", flat=True
                )
            ),
            "open": Operation.objects.filter(
                organization=pk, outcome__in=["pending", "unknown"]
            ).count(),
        }
        for pk in organizations
    ]
