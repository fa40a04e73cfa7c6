"""Whose evidence counts, which rules decide, and what is stored of a decision."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models import QuerySet

from billing.errors import NoRoute
from billing.models import BillingAccount, Organization, RoutingDecision, RuleSet
from billing.providers.base import ManagesSubscriptions
from billing.services import routing
from billing.tests.conftest import make_organization

pytestmark = pytest.mark.django_db

RULES = [
    {"countries": ["MX"], "provider": "conekta", "currency": "MXN"},
    {"transaction_types": ["product_purchase"], "provider": "polar"},
    {"provider": "stripe"},
]


@pytest.fixture(autouse=True)
def configured(sandbox: Any, settings: Any) -> None:
    settings.BILLING_ROUTES = RULES
    settings.BILLING_DEFAULT_CURRENCY = "CAD"


def country_of(user: Any) -> str:
    """Stands in the settings as BILLING_USER_COUNTRY."""
    return str(user.country)


class TestRuleSet:
    def test_the_first_is_made_from_the_settings(self) -> None:
        made = routing.ensure_rule_set()
        made.refresh_from_db()
        assert (made.version, made.rules, made.is_active) == (1, RULES, True)
        assert made.note == "From BILLING_ROUTES"
        assert routing.ensure_rule_set() == made

    def test_the_active_one_decides(self, django_assert_num_queries: Any) -> None:
        RuleSet.objects.create(version=1, rules=[], is_active=False)
        active = RuleSet.objects.create(version=2, rules=[{"provider": "polar"}], is_active=True)
        RuleSet.objects.create(version=3, rules=[], is_active=False)
        with django_assert_num_queries(1):
            assert routing.ensure_rule_set() == active

    def test_one_that_another_process_made_meanwhile_is_taken(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        theirs = RuleSet.objects.create(version=1, rules=RULES, is_active=True)
        RuleSet.objects.create(version=2, rules=[], is_active=False)
        with monkeypatch.context() as patch:
            patch.setattr(QuerySet, "first", lambda self: None)
            assert routing.ensure_rule_set() == theirs

    def test_without_an_active_one_there_is_nothing_to_take(self) -> None:
        """Version 1 is taken but switched off: no rules are made up."""
        RuleSet.objects.create(version=1, rules=RULES, is_active=False)
        with pytest.raises(RuleSet.DoesNotExist) as caught:
            routing.ensure_rule_set()
        assert isinstance(caught.value.__context__, IntegrityError)


class TestDecide:
    def test_everything_is_stored(self) -> None:
        organization = make_organization("Software", "DE")
        made = routing.decide(organization, transaction_type="product_purchase", currency="EUR")
        row = RoutingDecision.objects.get()
        assert row == made
        assert row.organization == organization
        assert row.rule_set == RuleSet.objects.get()
        assert (row.transaction_type, row.provider, row.currency) == (
            "product_purchase",
            "polar",
            "EUR",
        )
        assert (row.country, row.rule_index) == ("DE", 1)
        assert row.evidence == [
            {"source": "billing address", "country": "DE"},
            {"source": "billing profile", "country": "DE"},
        ]
        assert [rule["result"] for rule in row.rules] == ["skipped", "matched", "not reached"]
        assert row.reason == "The transaction type is product_purchase -> polar."

    def test_the_rule_s_currency_counts_where_none_is_asked_for(self) -> None:
        organization = make_organization("Tacos", "MX")
        made = routing.decide(organization, transaction_type="subscription")
        assert (made.provider, made.currency) == ("conekta", "MXN")

    def test_the_default_currency_counts_where_no_rule_names_one(self) -> None:
        organization = make_organization("Software", "DE")
        assert routing.decide(organization, transaction_type="subscription").currency == "CAD"

    def test_a_provider_without_keys_is_skipped(self, settings: Any) -> None:
        del settings.BILLING_PROVIDERS["conekta"]
        organization = make_organization("Tacos", "MX")
        made = routing.decide(organization, transaction_type="subscription")
        assert made.provider == "stripe"
        assert made.rules[0]["because"] == "the provider has no keys configured"

    def test_a_provider_that_cannot_do_what_is_needed_is_skipped(self) -> None:
        organization = make_organization("Software", "DE")
        made = routing.decide(
            organization, transaction_type="product_purchase", needs=ManagesSubscriptions
        )
        assert made.provider == "stripe"
        assert made.rules[1]["because"] == "the provider does not have ManagesSubscriptions"

    def test_what_nobody_takes_leaves_nothing(self, settings: Any) -> None:
        settings.BILLING_PROVIDERS = {}
        with pytest.raises(NoRoute, match="stripe: the provider has no keys configured"):
            routing.decide(make_organization("Software", "DE"), transaction_type="subscription")
        assert not RoutingDecision.objects.exists()


class TestEvidence:
    def evidence(self, organization: Organization, user: Any = None) -> list[tuple[str, str]]:
        made = routing.decide(organization, transaction_type="subscription", user=user)
        assert made.country == (made.evidence[0]["country"] if made.evidence else "")
        return [(item["source"], item["country"]) for item in made.evidence]

    def test_the_address_comes_before_the_profile_and_the_user(self, settings: Any) -> None:
        settings.BILLING_USER_COUNTRY = f"{__name__}.country_of"
        organization = make_organization("Software", "DE")
        BillingAccount.objects.update(country="mx")
        assert self.evidence(organization, SimpleNamespace(country="fr")) == [
            ("billing address", "DE"),
            ("billing profile", "MX"),
            ("user profile", "FR"),
        ]

    def test_what_is_not_known_is_left_out(self) -> None:
        organization = make_organization("Software", "")
        BillingAccount.objects.update(address={"line1": "1 Main Street"})
        assert self.evidence(organization, SimpleNamespace(country="FR")) == []

    def test_without_an_account_only_the_user_is_asked(self, settings: Any) -> None:
        settings.BILLING_USER_COUNTRY = f"{__name__}.country_of"
        make_organization("Other", "DE")
        organization = Organization.objects.create(name="Software")
        assert self.evidence(organization) == []
        assert self.evidence(organization, SimpleNamespace(country="mx")) == [
            ("user profile", "MX")
        ]
