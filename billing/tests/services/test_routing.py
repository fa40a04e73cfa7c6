"""Which rules decide, what is stored of a decision, and that it can be made again from that."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing import circuit, explanations
from billing.enums import TransactionType
from billing.errors import DecisionOutdated, NoRoute, PlanNotAvailable, ProviderUnavailable
from billing.models import (
    Organization,
    Price,
    Product,
    ProductPrice,
    ProviderPrice,
    ProviderProductPrice,
    RoutingDecision,
    RuleSet,
    SubscriptionPlan,
)
from billing.providers.base import ManagesSubscriptions
from billing.services import routing, rule_sets
from billing.services.routing import Inquiry
from billing.tests.conftest import make_organization
from geo.ip import Visitor

pytestmark = pytest.mark.django_db

SUBSCRIPTION, PURCHASE = TransactionType.SUBSCRIPTION, TransactionType.PRODUCT_PURCHASE
RULES = [
    {"countries": ["MX"], "provider": "conekta", "currency": "MXN"},
    {"transaction_types": ["product_purchase"], "provider": "polar"},
    {"provider": "stripe"},
]


@pytest.fixture(autouse=True)
def configured(sandbox: Any, settings: Any) -> None:
    settings.BILLING_ROUTES = RULES
    settings.BILLING_DEFAULT_CURRENCY = "USD"
    settings.GEO_COUNTRY_HEADER = "CF-IPCountry"
    settings.GEO_BACKENDS = ["geo.backends.header.Header"]


def country_of(user: Any) -> str:
    """Stands in the settings as BILLING_USER_COUNTRY."""
    return str(user)


def visitor(country: str) -> Visitor:
    return Visitor(ip="187.189.120.7", told_country=country)


def make_product(slug: str, **sold: str) -> Product:
    """A product that is sold at each alias in one currency."""
    product = Product.objects.create(slug=slug, name=slug.capitalize())
    for alias, currency in sold.items():
        price, _ = ProductPrice.objects.get_or_create(
            product=product, currency=currency, defaults={"amount_minor": 50000}
        )
        ProviderProductPrice.objects.create(
            price=price, provider=alias, mode="sandbox", provider_price_id=f"{slug}-{alias}"
        )
    return product


def decide(organization: Organization, kind: TransactionType, **asked: Any) -> RoutingDecision:
    known = {name: asked.pop(name) for name in ("user", "visitor") if name in asked}
    inquiry = Inquiry(transaction_type=kind, **asked)
    return routing.decide(organization, inquiry, **known)


class TestTheTableOfTheDesign:
    """Country by billing address, profile, IP; then the kind of transaction; then the rest."""

    @pytest.fixture
    def guide(self) -> Product:
        return make_product("guide", conekta="MXN", polar="USD")

    @pytest.fixture
    def course(self) -> Product:
        return make_product("course", polar="USD")

    def test_a_billing_address_in_mexico(self) -> None:
        made = decide(make_organization("Tacos", "MX"), SUBSCRIPTION)
        assert (made.provider, made.currency, made.runner_up) == ("conekta", "MXN", "stripe")
        assert made.methods == ["card", "oxxo", "spei"]
        assert explanations.explain(made) == [
            "Conekta takes this subscription, in MXN.",
            "Rule 1 decides. The country is MX.",
            "The country MX comes from the billing address of the account.",
            "Otherwise Stripe would take it.",
        ]

    def test_a_profile_in_mexico(self, settings: Any) -> None:
        settings.BILLING_USER_COUNTRY = f"{__name__}.country_of"
        made = decide(make_organization("Tacos", ""), SUBSCRIPTION, user="MX")
        assert (made.provider, made.currency) == ("conekta", "MXN")
        assert explanations.explain(made)[2] == "The country MX comes from the user's profile."

    def test_an_address_of_the_internet_in_mexico(self) -> None:
        made = decide(make_organization("Tacos", ""), SUBSCRIPTION, visitor=visitor("MX"))
        assert (made.provider, made.currency) == ("conekta", "MXN")
        assert explanations.explain(made)[2] == (
            "The country MX comes from the IP address (header, network 187.189.120.0/24)."
        )

    def test_mexico_and_a_product_with_a_price_in_pesos(self, guide: Product) -> None:
        made = decide(make_organization("Tacos", "MX"), PURCHASE, product=guide)
        assert (made.provider, made.currency, made.runner_up) == ("conekta", "MXN", "polar")
        assert made.methods == ["card", "oxxo", "spei"]
        assert explanations.explain(made)[0] == "Conekta takes this purchase, in MXN."

    def test_mexico_and_a_product_without_one(self, course: Product) -> None:
        made = decide(make_organization("Tacos", "MX"), PURCHASE, product=course)
        assert (made.provider, made.currency, made.runner_up) == ("polar", "USD", "")
        assert explanations.explain(made) == [
            "Polar takes this purchase, in USD.",
            "Rule 2 decides. It is a product purchase.",
            "The country MX comes from the billing address of the account.",
            "Rule 1 (conekta) was skipped. Course has no published price there in MXN or USD.",
            "No other provider would take it.",
        ]

    def test_a_product_elsewhere(self, guide: Product) -> None:
        made = decide(make_organization("Software", "DE"), PURCHASE, product=guide)
        assert (made.provider, made.currency) == ("polar", "USD")
        assert explanations.explain(made)[3] == (
            "Rule 1 (conekta) was skipped. The country is DE, and the rule is for MX."
        )

    def test_germany(self) -> None:
        made = decide(make_organization("Software", "DE"), SUBSCRIPTION)
        assert (made.provider, made.currency, made.runner_up) == ("stripe", "EUR", "")
        assert made.methods == ["card", "sepa_debit"]
        assert explanations.explain(made)[1] == (
            "Rule 3 decides. It takes all that no earlier rule took."
        )

    def test_nothing_known(self) -> None:
        made = decide(make_organization("Ghost", ""), SUBSCRIPTION)
        assert (made.provider, made.currency, made.country) == ("stripe", "USD", "")
        assert made.methods == ["card"]
        assert explanations.explain(made)[2:4] == [
            "Nothing tells the customer's country.",
            "Rule 1 (conekta) was skipped. The country is not known, and the rule is for MX.",
        ]


class TestDecide:
    def test_everything_is_stored(self) -> None:
        organization = make_organization("Software", "DE")
        made = decide(organization, PURCHASE, currency="EUR", visitor=visitor("MX"))
        row = RoutingDecision.objects.get()
        assert row == made
        assert row.organization == organization
        assert row.rule_set == RuleSet.objects.get()
        assert (row.transaction_type, row.country, row.rule_index) == ("product_purchase", "DE", 1)
        assert [(each["source"], each["country"]) for each in row.evidence] == [
            ("account_address", "DE"),
            ("account_country", "DE"),
            ("header", "MX"),
        ]
        assert row.context == {
            "transaction_type": "product_purchase",
            "default_currency": "USD",
            "country": "DE",
            "local_currency": "EUR",
            "currency": "EUR",
            "payment_method": "",
            "item": "",
        }
        assert set(row.facts) == {"polar", "stripe"}
        assert [each["result"] for each in row.answers] == ["skipped", "matched", "not_reached"]

    def test_what_speaks_against_it_is_told(self) -> None:
        made = decide(make_organization("Software", "DE"), SUBSCRIPTION, visitor=visitor("MX"))
        assert explanations.explain(made)[3] == (
            "Against it speaks the IP address (header, network 187.189.120.0/24) with MX, "
            "which counts less."
        )

    def test_the_address_of_the_request_comes_first(self) -> None:
        organization = make_organization("Software", "DE")
        made = decide(organization, SUBSCRIPTION, billing_address={"country": "MX"})
        assert (made.provider, made.country) == ("conekta", "MX")

    def test_a_provider_without_keys_is_skipped(self, settings: Any) -> None:
        del settings.BILLING_PROVIDERS["conekta"]
        made = decide(make_organization("Tacos", "MX"), SUBSCRIPTION)
        assert made.provider == "stripe"
        assert explanations.because(made.answers[0]) == "The provider is not set up here."

    def test_a_provider_that_cannot_do_what_is_needed_is_skipped(self) -> None:
        organization = make_organization("Software", "DE")
        made = decide(organization, PURCHASE, needs=(ManagesSubscriptions,))
        assert made.provider == "stripe"
        assert explanations.because(made.answers[1]) == (
            "The provider cannot do this (ManagesSubscriptions)."
        )

    def test_a_method_that_is_not_offered_passes_a_provider_over(self, settings: Any) -> None:
        settings.BILLING_DEFAULT_CURRENCY = "EUR"
        organization = make_organization("Tacos", "MX")
        made = decide(organization, SUBSCRIPTION, payment_method="sepa_debit")
        assert (made.provider, made.currency, made.methods) == (
            "stripe",
            "EUR",
            ["card", "sepa_debit"],
        )
        assert explanations.because(made.answers[0]) == "It does not take sepa_debit in MXN."

    def test_a_currency_that_is_not_taken_passes_a_provider_over(self) -> None:
        made = decide(make_organization("Tacos", "MX"), SUBSCRIPTION, currency="EUR")
        assert made.provider == "stripe"
        assert explanations.because(made.answers[0]) == "It takes nothing in EUR."

    def test_of_the_published_currencies_the_country_s_own_is_taken(
        self, published: dict[str, SubscriptionPlan]
    ) -> None:
        plan = {"plan": published["startup"], "interval": "monthly"}
        assert decide(make_organization("Tacos", "MX"), SUBSCRIPTION, **plan).currency == "MXN"
        assert decide(make_organization("Software", "DE"), SUBSCRIPTION, **plan).currency == "USD"

    def test_it_can_be_made_again_from_what_was_stored(
        self, published: dict[str, SubscriptionPlan]
    ) -> None:
        decide(
            make_organization("Tacos", "MX"),
            SUBSCRIPTION,
            plan=published["startup"],
            interval="monthly",
        )
        rule_sets.activate(rule_sets.draft(rule_sets.ensure_active()))
        stored = RoutingDecision.objects.get()
        again = routing.recompute(stored)
        assert again == routing.selection_of(stored)
        assert (again.provider, again.runner_up, again.currency) == ("conekta", "stripe", "MXN")

    def test_the_product_is_stored(self) -> None:
        guide = make_product("guide", conekta="MXN")
        made = decide(make_organization("Tacos", "MX"), PURCHASE, product=guide)
        assert (made.product, made.plan, made.billing_interval) == (guide, None, "")

    @pytest.mark.parametrize(
        ("model", "those", "change", "left"),
        [
            (ProviderPrice, {"provider": "conekta"}, {"is_active": False}, ("stripe", "MXN")),
            (ProviderPrice, {"provider": "conekta"}, {"mode": "live"}, ("stripe", "MXN")),
            (Price, {"currency": "MXN"}, {"archived_at": timezone.now()}, ("conekta", "USD")),
        ],
    )
    def test_what_is_not_sold_any_more_does_not_count(
        self,
        published: dict[str, SubscriptionPlan],
        model: Any,
        those: Any,
        change: Any,
        left: tuple[str, str],
    ) -> None:
        model.objects.filter(**those).update(**change)
        made = decide(
            make_organization("Tacos", "MX"),
            SUBSCRIPTION,
            plan=published["startup"],
            interval="monthly",
        )
        assert (made.provider, made.currency) == left

    def test_only_the_plan_and_interval_that_are_named_count(
        self, published: dict[str, SubscriptionPlan]
    ) -> None:
        plan = published["startup"]
        plan.prices.filter(interval="yearly").update(archived_at=timezone.now())
        organization = make_organization("Tacos", "MX")
        assert decide(organization, SUBSCRIPTION, plan=plan, interval="monthly")
        with pytest.raises(PlanNotAvailable):
            decide(organization, SUBSCRIPTION, plan=plan, interval="yearly")

    def test_an_open_circuit_passes_over_new_purchases_only(self, settings: Any) -> None:
        organization = make_organization("Tacos", "MX")
        open_circuit("conekta", settings)
        made = decide(organization, SUBSCRIPTION)
        assert (made.provider, made.answers[0]["code"]) == ("stripe", "circuit_open")
        assert decide(organization, SUBSCRIPTION, is_purchase=False).provider == "conekta"

    def test_how_many_queries_it_takes(
        self, published: dict[str, SubscriptionPlan], django_assert_num_queries: Any
    ) -> None:
        organization = make_organization("Tacos", "MX")
        rule_sets.ensure_active()
        with django_assert_num_queries(5):
            decide(organization, SUBSCRIPTION, plan=published["startup"], interval="monthly")


class TestNobodyTakesIt:
    def test_without_any_provider(self, settings: Any) -> None:
        settings.BILLING_PROVIDERS = {}
        with pytest.raises(NoRoute, match="stripe: not_configured"):
            decide(make_organization("Software", "DE"), SUBSCRIPTION)
        assert not RoutingDecision.objects.exists()

    def test_for_want_of_a_price(self, published: dict[str, SubscriptionPlan]) -> None:
        with pytest.raises(PlanNotAvailable):
            decide(
                make_organization("Software", "DE"),
                SUBSCRIPTION,
                plan=published["startup"],
                currency="CHF",
            )

    def test_while_the_circuit_is_open(self, settings: Any) -> None:
        open_circuit("stripe", settings)
        with pytest.raises(ProviderUnavailable) as caught:
            decide(make_organization("Software", "DE"), SUBSCRIPTION)
        assert caught.value.retry_after == settings.BILLING_CIRCUIT_SECONDS


class TestHonor:
    @pytest.fixture
    def decision(self, published: dict[str, SubscriptionPlan]) -> RoutingDecision:
        return decide(
            make_organization("Tacos", "MX"),
            SUBSCRIPTION,
            plan=published["startup"],
            interval="monthly",
        )

    def test_the_same_purchase(self, decision: RoutingDecision) -> None:
        same = Inquiry(transaction_type=SUBSCRIPTION, plan=decision.plan, interval="monthly")
        assert routing.honor(decision, same) == decision

    @pytest.mark.parametrize(
        "other",
        [{"plan": "business"}, {"interval": "yearly"}, {"currency": "USD"}, {"kind": PURCHASE}],
    )
    def test_another_purchase(
        self, decision: RoutingDecision, published: dict[str, SubscriptionPlan], other: Any
    ) -> None:
        inquiry = Inquiry(
            transaction_type=other.get("kind", SUBSCRIPTION),
            plan=published[other.get("plan", "startup")],
            interval=other.get("interval", "monthly"),
            currency=other.get("currency", ""),
        )
        with pytest.raises(DecisionOutdated):
            routing.honor(decision, inquiry)

    def test_one_that_is_too_old(self, decision: RoutingDecision, settings: Any) -> None:
        settings.BILLING_DECISION_HOURS = 1
        same = Inquiry(transaction_type=SUBSCRIPTION)
        decision.created_at = timezone.now() - timedelta(minutes=59)
        assert routing.honor(decision, same)
        decision.created_at = timezone.now() - timedelta(minutes=61)
        with pytest.raises(DecisionOutdated):
            routing.honor(decision, same)


def open_circuit(alias: str, settings: Any) -> None:
    settings.BILLING_CIRCUIT_SECONDS = 30
    for _ in range(5):
        circuit.record_failure(alias)
    assert circuit.is_open(alias)
