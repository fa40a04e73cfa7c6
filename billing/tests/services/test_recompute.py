"""Decisions by the thousand are made again from what was stored; ten thousand with SOAK=1."""

import itertools
import random
from typing import Any

import pytest

from billing import circuit
from billing.enums import BillingInterval, TransactionType
from billing.errors import NoRoute, PlanNotAvailable, ProviderUnavailable
from billing.models import Product, ProviderProductPrice, RoutingDecision, SubscriptionPlan
from billing.services import evidence, routing, rule_sets
from billing.services.routing import Inquiry
from billing.tests.conftest import make_organization
from billing.tests.services.test_routing import RULES, make_product, open_circuit, visitor
from billing.tests.soak import IS_LONG
from geo.countries import COUNTRIES

pytestmark = pytest.mark.django_db
SUBSCRIPTION, PURCHASE = TransactionType.SUBSCRIPTION, TransactionType.PRODUCT_PURCHASE
MANY = 10_000 if IS_LONG else 2_000


@pytest.fixture(autouse=True)
def configured(sandbox: Any, settings: Any) -> None:
    settings.BILLING_ROUTES = RULES
    settings.GEO_COUNTRY_HEADER = "CF-IPCountry"
    settings.GEO_BACKENDS = ["geo.backends.header.Header"]


def test_thousands_of_decisions_are_made_again_after_the_rules_have_changed(
    published: dict[str, SubscriptionPlan], settings: Any
) -> None:
    """Equal to what was stored, from nothing but that: prices and settings count no more."""
    chance = random.Random(7)  # noqa: S311 - to be repeated
    organization = make_organization("Everywhere", "")
    products = [make_product("guide", conekta="MXN", polar="USD"), make_product("a", polar="EUR")]
    made: list[RoutingDecision] = []
    for number in itertools.count():
        if len(made) == MANY:
            break
        if number % (MANY // 8) == 0:
            _other_rules(chance)
            _other_circuits(chance, settings)
        try:
            decision = routing.consider(*_any_inquiry(chance, list(published.values()), products))
        except (NoRoute, PlanNotAvailable, ProviderUnavailable):
            continue
        decision.organization = organization
        made.append(decision)
    RoutingDecision.objects.bulk_create(made, batch_size=500)
    _other_rules(chance)
    settings.BILLING_PROVIDERS, settings.BILLING_DEFAULT_CURRENCY = {}, "JPY"
    ProviderProductPrice.objects.all().delete()

    stored = RoutingDecision.objects.select_related("rule_set")
    assert {each.provider for each in stored} == {"conekta", "polar", "stripe"}
    assert len({each.rule_set.version for each in stored}) > 5
    for decision in stored.iterator(chunk_size=2_000):
        assert routing.recompute(decision) == routing.selection_of(decision)


def _any_inquiry(
    chance: random.Random, plans: list[SubscriptionPlan], products: list[Product]
) -> tuple[Inquiry, list[Any]]:
    kind = chance.choice([SUBSCRIPTION, PURCHASE])
    is_subscription = kind == SUBSCRIPTION
    country = chance.choice(["MX", "DE", "US", chance.choice(sorted(COUNTRIES)), ""])
    known = evidence.gather(None, visitor=visitor(country))
    return Inquiry(
        transaction_type=kind,
        plan=chance.choice([None, *plans]) if is_subscription else None,
        interval=chance.choice(["", *BillingInterval]) if is_subscription else "",
        product=None if is_subscription else chance.choice([None, *products]),
        currency=chance.choice(["", "", "", "", "MXN", "EUR"]),
        payment_method=chance.choice(["", "", "", "", "card", "oxxo"]),
    ), known


def _other_rules(chance: random.Random) -> None:
    rules = [*RULES[:2], {"currencies": ["EUR"], "provider": "stripe"}]
    rules.append({"payment_methods": ["oxxo"], "provider": "conekta"})
    chance.shuffle(rules)
    draft = rule_sets.draft(rule_sets.ensure_active())
    rule_sets.activate(rule_sets.edit(draft, [*rules, RULES[2]], note="shuffled"))


def _other_circuits(chance: random.Random, settings: Any) -> None:
    circuit.cache.clear()
    if chance.random() < 0.4:
        open_circuit(chance.choice(["conekta", "polar"]), settings)
