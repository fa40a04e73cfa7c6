"""Staff ask what rules would decide: the router's own answer, without a trace."""

from collections.abc import Callable
from typing import Any

import pytest
import responses
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing import circuit
from billing.models import Product, ProductPrice, ProviderProductPrice, RuleSet
from billing.services import rule_sets

RULES = [
    {"countries": ["MX"], "provider": "conekta", "currency": "MXN"},
    {"transaction_types": ["product_purchase"], "provider": "polar"},
    {"provider": "stripe"},
]
pytestmark = pytest.mark.django_db
SIMULATOR = "admin:billing_ruleset_simulate"


@pytest.fixture(autouse=True)
def active(sandbox: Any, settings: Any) -> RuleSet:
    settings.BILLING_ROUTES = RULES
    settings.BILLING_DEFAULT_CURRENCY = "USD"
    return rule_sets.ensure_active()


@pytest.fixture
def guide() -> Product:
    """A product that Polar sells in dollars."""
    product = Product.objects.create(slug="guide", name="Guide")
    price = ProductPrice.objects.create(product=product, currency="USD", amount_minor=50000)
    ProviderProductPrice.objects.create(
        price=price, provider="polar", mode="sandbox", provider_price_id="guide-polar"
    )
    return product


def asking(rule_set: RuleSet, **about: Any) -> dict[str, Any]:
    return {"rule_set": rule_set.pk, "transaction_type": "subscription", **about}


def ask(client: Client, rule_set: RuleSet, **about: Any) -> Any:
    page = client.get(reverse(SIMULATOR), asking(rule_set, **about))
    assert page.status_code == 200
    return page


def answers(page: Any) -> list[tuple[Any, ...]]:
    """Rule, provider and why, of the panel that tells every rule's answer."""
    rows = page.context["panels"][-1].rows
    return [(row[0], row[1], row[3]) for row in rows]


class TestAnswer:
    def test_the_choice_the_reasons_and_every_rule(
        self, active: RuleSet, admin_client: Client
    ) -> None:
        page = ask(admin_client, active, country="MX")
        choice, reasons = page.context["panels"]
        assert choice.title == "Result by version 1"
        assert choice.rows == [("conekta", "MXN", "card, oxxo, spei", "stripe")]
        assert reasons.text == (
            "Conekta takes this subscription, in MXN. Rule 1 decides. The country is MX. "
            "The country MX comes from the billing address of this purchase. "
            "Otherwise Stripe would take it."
        )
        assert answers(page) == [
            (1, "conekta", "The country is MX."),
            (2, "polar", "It is a subscription, and the rule is for a product purchase."),
            (3, "stripe", "It takes all that no earlier rule took."),
        ]
        told = page.content.decode()
        assert all(word in told for word in (reasons.text, "matched", "skipped", "not reached"))

    def test_in_spanish(self, active: RuleSet, admin_client: Client) -> None:
        page = admin_client.get(
            reverse(SIMULATOR), asking(active, country="MX"), headers={"accept-language": "es"}
        )
        assert "Conekta cobra esta suscripción, en MXN." in page.content.decode()

    def test_a_product_where_it_has_a_price(
        self, active: RuleSet, guide: Product, admin_client: Client
    ) -> None:
        page = ask(
            admin_client,
            active,
            country="MX",
            transaction_type="product_purchase",
            product=guide.pk,
        )
        assert page.context["panels"][0].rows[0][:2] == ("polar", "USD")
        assert answers(page)[0] == (
            1,
            "conekta",
            "Guide has no published price there in MXN or USD.",
        )

    def test_by_a_draft(self, active: RuleSet, admin_client: Client) -> None:
        draft = rule_sets.edit(rule_sets.draft(active), [{"provider": "stripe"}], note="")
        page = ask(admin_client, draft, country="MX")
        assert page.context["panels"][0].title == "Result by version 2"
        assert page.context["panels"][0].rows[0][0] == "stripe"
        assert rule_sets.ensure_active() == active


class TestRefusals:
    """What customers would be refused is a result too, with every rule's answer."""

    def test_no_rule_leads_anywhere(self, active: RuleSet, admin_client: Client) -> None:
        draft = rule_sets.edit(rule_sets.draft(active), [{"provider": "polar"}], note="")
        page = ask(admin_client, draft, country="MX")
        assert page.context["panels"][0].text == (
            "Nobody takes it (no_route). The customer reads: We cannot take payments for this "
            "plan, currency and country yet. Contact us."
        )
        assert answers(page) == [
            (1, "polar", "The provider cannot do this (ManagesSubscriptions).")
        ]

    def test_no_published_price(
        self, active: RuleSet, guide: Product, admin_client: Client
    ) -> None:
        page = ask(
            admin_client,
            active,
            transaction_type="product_purchase",
            product=guide.pk,
            currency="EUR",
        )
        assert "(plan_not_sellable)" in page.context["panels"][0].text
        assert answers(page)[1:] == [
            (2, "polar", "Guide has no published price there in EUR."),
            (3, "stripe", "Guide has no published price there in EUR."),
        ]

    def test_an_open_circuit(self, active: RuleSet, admin_client: Client) -> None:
        for alias in ("conekta", "stripe"):
            while not circuit.is_open(alias):
                circuit.record_failure(alias)
        page = ask(admin_client, active, country="MX")
        assert "(provider_unavailable)" in page.context["panels"][0].text
        assert answers(page)[0][2].startswith("The provider did not answer several times")


class TestForm:
    def test_begins_with_the_active_version_and_asks_nothing(
        self, active: RuleSet, admin_client: Client
    ) -> None:
        rule_sets.draft(active)
        page = admin_client.get(reverse(SIMULATOR))
        assert page.context["form"]["rule_set"].value() == active.pk
        assert page.context["panels"] == []

    def test_or_with_the_version_whose_button_was_pressed(
        self, active: RuleSet, admin_client: Client
    ) -> None:
        draft = rule_sets.draft(active)
        address = reverse("admin:billing_ruleset_try_out", args=[draft.pk])
        page = admin_client.get(address, follow=True)
        assert page.context["form"]["rule_set"].value() == str(draft.pk)
        assert f'<option value="{draft.pk}" selected' in page.content.decode()

    def test_opens_before_there_is_any_version(self, admin_client: Client) -> None:
        RuleSet.objects.all().delete()
        assert admin_client.get(reverse(SIMULATOR)).status_code == 200
        assert not RuleSet.objects.exists()

    @pytest.mark.parametrize(
        ("about", "field"),
        [
            ({"country": "XX"}, "country"),
            ({"currency": "pesos"}, "currency"),
            ({"payment_method": "cowries"}, "payment_method"),
            ({"transaction_type": "gift"}, "transaction_type"),
            ({"rule_set": "none"}, "rule_set"),
            ({"interval": "monthly", "transaction_type": "product_purchase"}, "interval"),
        ],
    )
    def test_what_cannot_be_asked_is_told_at_its_field(
        self, about: dict[str, Any], field: str, active: RuleSet, admin_client: Client
    ) -> None:
        page = admin_client.get(reverse(SIMULATOR), asking(active) | about)
        assert list(page.context["form"].errors) == [field]
        assert page.context["panels"] == []

    def test_a_product_is_no_subscription(
        self, active: RuleSet, guide: Product, admin_client: Client
    ) -> None:
        page = ask(admin_client, active, product=guide.pk)
        assert list(page.context["form"].errors) == ["product"]


class TestLeavesNoTrace:
    def test_writes_no_row_and_calls_nobody(
        self, active: RuleSet, admin_client: Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        def counts() -> dict[str, int]:
            return {
                model.__name__: model._default_manager.count()
                for model in apps.get_models()
                if model._meta.managed
            }

        caplog.set_level("INFO")
        before = counts()
        with CaptureQueriesContext(connection) as captured, responses.RequestsMock() as wire:
            ask(admin_client, active, country="MX")
            ask(admin_client, active, country="DE", payment_method="spei")
            assert len(wire.calls) == 0
        assert counts() == before
        statements = {query["sql"].split()[0] for query in captured.captured_queries}
        assert statements <= {"SELECT", "DECLARE"}  # the latter: a cursor of PostgreSQL
        assert "provider.called" not in caplog.messages

    def test_needs_no_more_than_to_view(
        self, active: RuleSet, staff_with: Callable[..., Client]
    ) -> None:
        address = reverse(SIMULATOR)
        assert staff_with().get(address).status_code == 403
        viewer = staff_with("view_ruleset")
        assert ask(viewer, active, country="MX").context["panels"]
        listed = viewer.get(reverse("admin:billing_ruleset_changelist")).content.decode()
        assert address in listed
