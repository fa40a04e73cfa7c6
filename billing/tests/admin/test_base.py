"""Lists cost the same at one row and at fifty, and never count a whole table."""

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing import models
from billing.admin import base

MODELS = sorted(apps.get_app_config("billing").get_models(), key=lambda model: model.__name__)
Rows = Callable[[int], dict[type, Any]]


def changelist(model: Any, query: str = "") -> str:
    return reverse(f"admin:billing_{model._meta.model_name}_changelist") + query


def statements(client: Client, address: str) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(address).status_code == 200
    return [query["sql"] for query in captured.captured_queries]


class TestChangelists:
    def test_cost_the_same_at_fifty_rows(self, rows: Rows, admin_client: Client) -> None:
        rows(1)
        first = {model: len(statements(admin_client, changelist(model))) for model in MODELS}
        for number in range(2, 51):
            rows(number)
        for model in MODELS:
            assert len(statements(admin_client, changelist(model))) == first[model], model

    @pytest.mark.parametrize("model", MODELS)
    def test_count_no_table_without_a_limit(
        self, model: Any, rows: Rows, admin_client: Client
    ) -> None:
        rows(1)
        for address in (changelist(model), changelist(model, "?q=sub_1")):
            counts = [sql for sql in statements(admin_client, address) if "COUNT(" in sql]
            assert all("LIMIT" in sql for sql in counts), counts

    @pytest.mark.parametrize("model", MODELS)
    def test_read_no_distinct_values_and_search_no_substrings(
        self, model: Any, rows: Rows, admin_client: Client
    ) -> None:
        rows(1)
        for address in (changelist(model), changelist(model, "?q=sub_1")):
            for sql in statements(admin_client, address):
                assert "DISTINCT" not in sql
                assert "LIKE" not in sql

    def test_do_not_read_bodies(self, rows: Rows, admin_client: Client) -> None:
        rows(1)
        listed = statements(admin_client, changelist(models.WebhookEvent))
        assert not any('"billing_webhookevent"."body"' in sql for sql in listed)

    def test_say_that_the_count_stopped(
        self, rows: Rows, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(base, "COUNT_LIMIT", 1)
        monkeypatch.setattr(base.capped_count, "__defaults__", (1,))
        rows(1)
        rows(2)
        page = admin_client.get(changelist(models.Invoice))
        assert page.context["cl"].result_count == 1
        assert "10,000+" in page.content.decode()

    def test_open_beyond_the_last_page(self, rows: Rows, admin_client: Client) -> None:
        rows(1)
        assert admin_client.get(changelist(models.Invoice, "?p=99")).status_code in (200, 302)


class TestSearch:
    @pytest.mark.parametrize(
        ("model", "term"),
        [
            (models.Subscription, "sub_1"),
            (models.Subscription, "a1@example.test"),
            (models.Subscription, "A1@example.test"),
            (models.Invoice, "in_1"),
            (models.Invoice, "INV-1"),
            (models.Payment, "pi_1"),
            (models.Refund, "re_1"),
            (models.Dispute, "dp_1"),
            (models.Customer, "cus_1"),
            (models.Customer, "a1@example.test"),
            (models.PaymentMethod, "pm_1"),
            (models.WebhookEvent, "evt_1"),
            (models.WebhookEvent, "sub_1"),
            (models.BillingAccount, "a1@example.test"),
            (models.Organization, "a1@example.test"),
            (models.Membership, "user-1"),
            (models.SubscriptionPlan, "plan-1"),
            (models.ProviderPrice, "price_1"),
        ],
    )
    def test_finds_exactly(self, model: Any, term: str, rows: Rows, admin_client: Client) -> None:
        expected = rows(1)[model]
        rows(2)
        page = admin_client.get(changelist(model), {"q": f" {term} "})
        assert [row.pk for row in page.context["cl"].result_list] == [expected.pk]

    @pytest.mark.parametrize("model", [model for model in MODELS if model is not models.RuleSet])
    def test_finds_by_our_id(self, model: Any, rows: Rows, admin_client: Client) -> None:
        expected = rows(1)[model]
        rows(2)
        page = admin_client.get(changelist(model), {"q": str(expected.pk)})
        assert [row.pk for row in page.context["cl"].result_list] == [expected.pk]

    def test_finds_the_rows_of_an_organization_by_its_id(
        self, rows: Rows, admin_client: Client
    ) -> None:
        made = rows(1)
        rows(2)
        page = admin_client.get(
            changelist(models.Invoice), {"q": str(made[models.Organization].pk)}
        )
        assert [row.pk for row in page.context["cl"].result_list] == [made[models.Invoice].pk]

    @pytest.mark.parametrize("term", ["in_", "%", "'", "x" * 300, "ñ", "null"])
    def test_finds_nothing_by_a_part_or_by_nonsense(
        self, term: str, rows: Rows, admin_client: Client
    ) -> None:
        rows(1)
        page = admin_client.get(changelist(models.Invoice), {"q": term})
        assert list(page.context["cl"].result_list) == []
