"""Another implementation of Stripe, as a process, bills customers and posts its webhooks to us.

localstripe speaks an old version (events of 2017-08-15, periods on the subscription) and tells
nothing of payment methods, so every event makes the worker read the object at STRIPE_API_BASE.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe

from billing.tests.integration.harness import (
    STRIPE_KEY,
    STRIPE_SECRET,
    Cobro,
    clean_environment,
    cobro,
    free_port,
    running,
    status_of,
)

pytestmark = pytest.mark.processes
# Its own `main` listens on every interface and keeps its state in a file of a fixed name.
_LOCALSTRIPE = """
import logging, sys
from aiohttp import web
from localstripe.resources import Store
from localstripe.server import app
Store.dump_to_disk = lambda self: None
logging.basicConfig(level=logging.INFO)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""
_PREPARE = """
plan = SubscriptionPlan.objects.create(slug="pro", name="Pro")
price = Price.objects.create(plan=plan, interval="monthly", currency="USD", amount_minor=2990)
ProviderPrice.objects.create(
    price=price, provider="stripe", mode="test", provider_price_id="plan_pro"
)
answer = {}
for name in given["names"]:
    owner = Organization.objects.create(name=name)
    row = Customer.objects.create(organization=owner, provider="stripe", mode="test")
    answer[name] = str(row.pk)
"""
_READ = """
def rows(model, *fields):
    return list(model.objects.order_by("created_at").values(*fields))
answer = {
    "customers": rows(Customer, "organization__name", "provider_customer_id", "email",
        "default_payment_method_id"),
    "subscriptions": rows(Subscription, "organization__name", "customer__provider_customer_id",
        "provider_subscription_id", "status", "plan__slug", "provider_price_id",
        "current_period_start", "current_period_end", "ended_at", "billing_interval"),
    "invoices": rows(Invoice, "organization__name", "subscription__provider_subscription_id",
        "status", "payment_state", "total_minor", "currency", "payment_intent_id", "period_start",
        "period_end", "paid_at"),
    "payments": rows(Payment, "organization__name", "provider_payment_id", "status",
        "invoice__payment_intent_id", "amount_minor", "decline_code"),
}
"""
OURS = ("Leaver", "Stayer", "Decliner")
VISA = "4242424242424242"
REFUSED_LATER = "4000000000000341"


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Provider"]:
    folder = tmp_path_factory.mktemp("localstripe")
    port = free_port()
    command = [sys.executable, "-c", _LOCALSTRIPE, str(port)]
    with running("localstripe", clean_environment(folder), folder, command) as log:
        url = f"http://127.0.0.1:{port}"
        assert status_of(f"{url}/v1/events") == 401, log.read_text()
        yield Provider(url, log)


@pytest.fixture(scope="module")
def system(provider: "Provider", tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cobro]:
    folder = tmp_path_factory.mktemp("cobro")
    with cobro(folder, STRIPE_API_BASE=provider.url) as running_system:
        yield running_system


class Provider:
    """localstripe, driven by Stripe's own client."""

    def __init__(self, url: str, log: Path) -> None:
        self.url = url
        self._log = log
        self._client: Any = stripe.StripeClient(STRIPE_KEY, base_addresses={"api": url}).v1

    def send_webhooks_to(self, url: str) -> None:
        config = {"url": url, "secret": STRIPE_SECRET}
        requests.post(
            f"{self.url}/_config/webhooks/cobro", json=config, timeout=5
        ).raise_for_status()

    def make_plan(self) -> None:
        product = {"name": "Pro"}
        monthly = {"amount": 2990, "currency": "usd", "interval": "month", "product": product}
        self._client.plans.create({"id": "plan_pro", **monthly})

    def make_customer(self, name: str, number: str, reference: str = "") -> str:
        metadata = {"cobro_reference": reference} if reference else {}
        made = self._client.customers.create({"email": f"{name}@example.com", "metadata": metadata})
        card = {"number": number, "exp_month": 12, "exp_year": 2040, "cvc": "123"}
        method = self._client.payment_methods.create({"type": "card", "card": card})
        self._client.payment_methods.attach(method.id, {"customer": made.id})
        settings = {"invoice_settings": {"default_payment_method": method.id}}
        self._client.customers.update(made.id, settings)
        return str(made.id)

    def subscribe(self, customer: str) -> str:
        found = {"customer": customer, "items": [{"plan": "plan_pro"}]}
        return str(self._client.subscriptions.create(found).id)

    def cancel(self, subscription: str) -> None:
        self._client.subscriptions.update(subscription, {"cancel_at_period_end": True})
        self._client.subscriptions.cancel(subscription)

    def delete_customer(self, customer: str) -> None:
        self._client.customers.delete(customer)

    def events(self) -> list[Any]:
        return list(self._client.events.list({"limit": 1000}).data)

    def deliveries(self, seconds: float = 20) -> tuple[int, int]:
        """How many deliveries were answered with 2xx, and how many otherwise, when all were."""
        ends_at = time.monotonic() + seconds
        total = len(self.events())
        while True:
            log = self._log.read_text()
            done = log.count("successfully delivered"), log.count('" failed')
            if sum(done) >= total or time.monotonic() > ends_at:
                return done
            time.sleep(0.2)


def test_real_traffic_ends_as_rows(system: Cobro, provider: Provider) -> None:
    references = system.orm(_PREPARE, names=OURS)
    provider.send_webhooks_to(f"{system.url}/webhooks/stripe")
    provider.make_plan()
    cards = dict.fromkeys(OURS, VISA) | {"Decliner": REFUSED_LATER}
    ours = {name: provider.make_customer(name, cards[name], references[name]) for name in OURS}
    foreign = [provider.make_customer(name, VISA) for name in ("stranger", "passer-by")]
    sold = {name: provider.subscribe(customer) for name, customer in ours.items()}
    for customer in foreign:
        provider.subscribe(customer)
    provider.cancel(sold["Leaver"])
    provider.delete_customer(foreign[1])

    sent = provider.events()
    assert provider.deliveries() == (len(sent), 0)
    events = system.settled_events(len(sent))
    assert Counter(event["provider_event_id"] for event in events) == Counter(
        event.id for event in sent
    )
    check_states(events, set(ours.values()))
    check_rows(system.orm(_READ), ours, sold)


def check_states(events: list[dict[str, Any]], ours: set[str]) -> None:
    for event in events:
        if event["customer_id"] in ours:
            expected = {"processed"}
        else:
            expected = {"waiting"} if event["kind"] else {"ignored"}
        assert {event["state"]} == expected, event
        assert event["attempts"] == 0, event
    states = Counter(event["state"] for event in events)
    assert min(states["processed"], states["waiting"], states["ignored"]) > 0


def check_rows(rows: dict[str, Any], ours: dict[str, str], sold: dict[str, str]) -> None:
    customers, subscriptions = by_name(rows["customers"]), by_name(rows["subscriptions"])
    invoices, payments = by_name(rows["invoices"]), by_name(rows["payments"])
    assert {name: row["provider_customer_id"] for name, row in customers.items()} == ours
    assert all(row["default_payment_method_id"].startswith("pm_") for row in customers.values())
    assert {name: row["provider_subscription_id"] for name, row in subscriptions.items()} == sold
    ends = {name: (row["status"], bool(row["ended_at"])) for name, row in subscriptions.items()}
    assert ends == {
        "Leaver": ("canceled", True),
        "Stayer": ("active", False),
        "Decliner": ("incomplete", False),
    }
    assert set(invoices) == set(OURS)
    for name, subscription in subscriptions.items():
        check_subscription(subscription, ours[name])
        check_invoice(invoices[name], subscription)
    assert set(payments) == {"Leaver", "Stayer"}  # localstripe tells no payment that was declined
    for name, payment in payments.items():
        assert payment["provider_payment_id"] == payment["invoice__payment_intent_id"]
        assert payment["invoice__payment_intent_id"] == invoices[name]["payment_intent_id"]
        assert (payment["status"], payment["amount_minor"]) == ("succeeded", 2990)


def by_name(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {row["organization__name"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def check_subscription(row: dict[str, Any], customer: str) -> None:
    assert row["customer__provider_customer_id"] == customer
    assert (row["plan__slug"], row["billing_interval"]) == ("pro", "monthly")
    start, end = (
        datetime.fromisoformat(row[f"current_period_{side}"]) for side in ("start", "end")
    )
    assert timedelta(days=28) <= end - start <= timedelta(days=31)
    assert abs(datetime.now(UTC) - start) < timedelta(minutes=5)


def check_invoice(row: dict[str, Any], subscription: dict[str, Any]) -> None:
    remote_id = subscription["provider_subscription_id"]
    assert row["subscription__provider_subscription_id"] == remote_id
    for side in ("start", "end"):
        assert row[f"period_{side}"] == subscription[f"current_period_{side}"]
    is_paid = subscription["status"] != "incomplete"
    expected = ("paid", "paid") if is_paid else ("open", "failed")
    assert (row["status"], row["payment_state"], bool(row["paid_at"])) == (*expected, is_paid)
    assert (row["total_minor"], row["currency"]) == (2990, "USD")
