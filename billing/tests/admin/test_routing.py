"""Staff read a year later why a customer landed where, and what came of it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from billing import models
from billing.models import RoutingDecision

Rows = Callable[[int], dict[type, Any]]
LIST = "admin:billing_routingdecision_changelist"


@pytest.fixture
def made(rows: Rows) -> dict[type, Any]:
    """Rows with a decision for Mexico, which an address of the internet contradicts."""
    made = rows(1)
    decision = made[RoutingDecision]
    decision.country = "MX"
    decision.methods = ["card", "oxxo"]
    decision.evidence = [
        {"tier": "billing_address", "source": "request", "country": "MX", "network": ""},
        {"tier": "profile", "source": "account_country", "country": "MX", "network": ""},
        {"tier": "ip", "source": "header", "country": "DE", "network": "192.0.2.0/24"},
    ]
    decision.save()
    invoice = made[models.Invoice]
    invoice.decision = decision
    invoice.save()
    return made


def page_of(decision: RoutingDecision, client: Client) -> Any:
    return client.get(reverse("admin:billing_routingdecision_change", args=[decision.pk]))


def panel(page: Any, title: str) -> Any:
    return next(each for each in page.context["panels"] if each.title == title)


class TestPage:
    def test_explains_the_choice_above_the_rules(
        self, made: dict[type, Any], admin_client: Client
    ) -> None:
        page = page_of(made[RoutingDecision], admin_client).content.decode()
        assert "Stripe takes this subscription, in USD. Rule 1 decides." in page
        assert "It takes all that no earlier rule took." in page
        assert "card, oxxo" in page

    def test_marks_what_contradicts(self, made: dict[type, Any], admin_client: Client) -> None:
        page = page_of(made[RoutingDecision], admin_client)
        rows = panel(page, "Evidence").rows
        for row, word in zip(rows, ("counts", "agrees", "contradicts"), strict=True):
            assert word in row[2]
        assert [row[:2] for row in rows][2] == (
            "DE",
            "the IP address (header, network 192.0.2.0/24)",
        )

    def test_links_what_came_of_it(self, made: dict[type, Any], admin_client: Client) -> None:
        page = page_of(made[RoutingDecision], admin_client)
        links = "".join(row[2] for row in panel(page, "What came of it").rows)
        for model in (models.Subscription, models.Invoice):
            name = model._meta.model_name
            assert reverse(f"admin:billing_{name}_change", args=[made[model].pk]) in links

    def test_costs_the_same_for_many(
        self, made: dict[type, Any], admin_client: Client, django_assert_max_num_queries: Any
    ) -> None:
        for invoice in range(5):
            copy = models.Invoice.objects.get(pk=made[models.Invoice].pk)
            copy.pk, copy.provider_invoice_id, copy._state.adding = None, f"in_x{invoice}", True
            copy.number = f"X-{invoice}"
            copy.save()
        with django_assert_max_num_queries(10):
            page_of(made[RoutingDecision], admin_client)


class TestList:
    @pytest.fixture
    def others(self, made: dict[type, Any], rows: Rows) -> RoutingDecision:
        other: RoutingDecision = rows(2)[RoutingDecision]
        other.provider, other.transaction_type = "polar", "product_purchase"
        other.save()
        return other

    @pytest.mark.parametrize(
        "query",
        [
            {"provider": "polar"},
            {"transaction_type__exact": "product_purchase"},
            {"country": "-"},
        ],
    )
    def test_filters(
        self, query: dict[str, str], others: RoutingDecision, admin_client: Client
    ) -> None:
        page = admin_client.get(reverse(LIST), query)
        assert [row.pk for row in page.context["cl"].result_list] == [others.pk]

    def test_offers_the_countries_that_rules_name(
        self, others: RoutingDecision, made: dict[type, Any], admin_client: Client
    ) -> None:
        models.RuleSet.objects.update(
            rules=[{"countries": ["MX", "CO"], "provider": "stripe"}, {"provider": "stripe"}]
        )
        page = admin_client.get(reverse(LIST), {"country": "MX"})
        assert [row.pk for row in page.context["cl"].result_list] == [made[RoutingDecision].pk]
        filters = {spec.title: spec for spec in page.context["cl"].filter_specs}
        assert [code for code, _ in filters["country"].lookup_choices] == ["CO", "MX", "-"]

    @pytest.mark.parametrize("term", ["MX", "a1@example.test"])
    def test_search(
        self, term: str, others: RoutingDecision, made: dict[type, Any], admin_client: Client
    ) -> None:
        page = admin_client.get(reverse(LIST), {"q": term})
        assert [row.pk for row in page.context["cl"].result_list] == [made[RoutingDecision].pk]
