"""What staff are told before they activate rules: true doubts, and none about good rules."""

from typing import Any

import pytest
from django.utils.translation import override

from billing import explanations
from billing.models import Price, ProviderPrice, SubscriptionPlan
from billing.services.rule_warnings import warnings_of

pytestmark = pytest.mark.django_db
GOOD: list[dict[str, Any]] = [
    {"countries": ["MX"], "provider": "conekta", "currency": "MXN"},
    {"transaction_types": ["product_purchase"], "provider": "polar"},
    {"provider": "stripe"},
]


@pytest.fixture(autouse=True)
def configured(sandbox: Any, settings: Any) -> None:
    settings.BILLING_DEFAULT_CURRENCY = "USD"


def plan_at(**sold: str) -> SubscriptionPlan:
    """A plan that is on sale in pesos and dollars, and published at each alias in one of them."""
    plan = SubscriptionPlan.objects.create(slug="pro", name="Pro")
    for currency in ("USD", "MXN"):
        Price.objects.create(plan=plan, interval="monthly", currency=currency, amount_minor=2999)
    for alias, currency in sold.items():
        ProviderPrice.objects.create(
            price=plan.prices.get(currency=currency),
            provider=alias,
            mode="sandbox",
            provider_price_id=f"pro-{alias}",
        )
    return plan


def told(*rules: dict[str, Any]) -> list[tuple[int, str]]:
    return [
        (each.position, explanations.warning(each.code, each.values)) for each in warnings_of(rules)
    ]


def test_good_rules_have_none() -> None:
    plan_at(conekta="MXN", stripe="USD")
    assert told(*GOOD) == []


def test_a_provider_that_is_not_set_up() -> None:
    assert told({"countries": ["MX"], "provider": "elsewhere"}, {"provider": "stripe"}) == [
        (1, "elsewhere is not set up here, so the rule is always skipped.")
    ]


class TestOrder:
    def test_a_rule_whose_customers_an_earlier_one_takes(self) -> None:
        rules = (
            {"countries": ["MX", "CO"], "provider": "stripe"},
            {"countries": ["MX"], "transaction_types": ["subscription"], "provider": "stripe"},
            {"provider": "stripe"},
        )
        assert told(*rules) == [
            (2, "It never decides: rule 1 matches all of it for the same provider.")
        ]

    def test_with_another_provider_it_is_a_fallback(self) -> None:
        assert told({"provider": "stripe"}, {"provider": "polar"}) == [
            (2, "It decides only when the provider of rule 1 cannot: that rule matches all of it.")
        ]

    def test_one_more_country_is_enough_to_decide(self) -> None:
        rules = (
            {"countries": ["MX"], "provider": "stripe"},
            {"countries": ["MX", "CO"], "provider": "stripe"},
            {"provider": "stripe"},
        )
        assert told(*rules) == []


class TestCurrencies:
    def test_a_country_whose_money_the_provider_does_not_take(self) -> None:
        rules = ({"countries": ["MX", "DE", "US"], "provider": "conekta"}, {"provider": "stripe"})
        assert told(*rules) == [(1, "conekta does not take EUR, the money of DE.")]

    def test_a_word_that_is_no_country(self) -> None:
        assert told({"countries": ["XX"], "provider": "conekta"}, {"provider": "stripe"}) == [
            (1, "XX is no country of ISO 3166-1.")
        ]


class TestPrices:
    def test_a_plan_that_is_not_published_where_the_rule_leads(self) -> None:
        plan_at(stripe="USD")
        assert told(*GOOD) == [(1, "The plan Pro has no published price at conekta in MXN or USD.")]

    def test_any_of_the_currencies_that_are_tried_is_enough(self) -> None:
        plan_at(conekta="USD", stripe="USD")
        assert told(*GOOD) == []

    def test_each_currency_that_customers_ask_for(self) -> None:
        plan_at(stripe="USD")
        rules = ({"currencies": ["USD", "MXN"], "provider": "stripe"}, {"provider": "stripe"})
        assert told(*rules) == [(1, "The plan Pro has no published price at stripe in MXN.")]

    def test_not_of_what_is_not_on_sale(self) -> None:
        plan = plan_at(stripe="USD")
        plan.is_active = False
        plan.save()
        assert told(*GOOD) == []

    def test_not_where_only_products_go(self) -> None:
        plan_at(conekta="MXN", stripe="USD")
        rule = {"transaction_types": ["product_purchase"], "provider": "conekta"}
        assert told(rule, {"provider": "stripe"}) == []


def test_in_spanish() -> None:
    with override("es"):
        assert told({"countries": ["DE"], "provider": "conekta"}, {"provider": "stripe"}) == [
            (1, "conekta no acepta EUR, la moneda de DE.")
        ]
