"""Staff sell plans: new prices, archived prices, publications; never a changed promise."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from billing.admin.base import CappedPaginator
from billing.models import OutboxMessage, Price, SubscriptionPlan

Plans = dict[str, SubscriptionPlan]
LIST = "admin:billing_subscriptionplan_changelist"


def page_of(plan: SubscriptionPlan) -> str:
    return reverse("admin:billing_subscriptionplan_change", args=[plan.pk])


def filled(client: Client, plan: SubscriptionPlan) -> dict[str, Any]:
    """What the browser would post when nobody changed anything."""
    page = client.get(page_of(plan))
    forms = [page.context["adminform"].form]
    for inline in page.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    data = {}
    for form in forms:
        for field in form:
            value = field.value()
            if field.field.disabled or value is None or value is False:
                continue
            data[field.html_name] = "on" if value is True else value
    return data


def row_of(data: dict[str, Any], price: Price) -> str:
    """The prefix of the price's row: prices-2."""
    return next(k for k, v in data.items() if str(v) == str(price.pk)).removesuffix("-id")


def with_new_price(data: dict[str, Any], **values: str) -> dict[str, Any]:
    count = int(data["prices-TOTAL_FORMS"])
    fields = {"interval": "monthly", "tax_behavior": "unspecified", **values}
    new = {f"prices-{count}-{name}": value for name, value in fields.items()}
    return {**data, **new, "prices-TOTAL_FORMS": count + 1}


class TestPlanPage:
    def test_saving_without_a_change_changes_nothing(
        self, published: Plans, admin_client: Client
    ) -> None:
        plan = published["startup"]
        before = list(plan.prices.order_by("id").values())
        answer = admin_client.post(page_of(plan), filled(admin_client, plan))
        assert answer.status_code == 302
        plan.refresh_from_db()
        assert (plan.features, plan.limits) == (["SSO"], {"users": 5})
        after = list(plan.prices.order_by("id").values())
        assert [{**row, "updated_at": None} for row in after] == [
            {**row, "updated_at": None} for row in before
        ]

    def test_features_and_limits_are_lines(self, plans: Plans, admin_client: Client) -> None:
        plan = plans["startup"]
        data = filled(admin_client, plan)
        data |= {"features": "SSO\nAudit logs", "limits": "users: 7\napi_calls: unlimited"}
        admin_client.post(page_of(plan), data)
        plan.refresh_from_db()
        assert plan.features == ["SSO", "Audit logs"]
        assert plan.limits == {"users": 7, "api_calls": None}

    @pytest.mark.parametrize(
        ("currency", "amount", "minor"),
        [("eur", "29.99", 2999), ("JPY", "500", 500), ("KWD", "1.234", 1234)],
    )
    def test_a_new_price_takes_its_currency_decimals(
        self, currency: str, amount: str, minor: int, plans: Plans, admin_client: Client
    ) -> None:
        plan = plans["startup"]
        data = with_new_price(filled(admin_client, plan), currency=currency, amount=amount)
        assert admin_client.post(page_of(plan), data).status_code == 302
        assert plan.prices.get(currency=currency.upper()).amount_minor == minor

    @pytest.mark.parametrize(
        ("currency", "amount"),
        [("JPY", "29.99"), ("KWD", "1.2345"), ("EUR", "-1"), ("E", "1"), ("USD", "5.00")],
    )
    def test_a_price_that_cannot_be_is_a_form_error(
        self, currency: str, amount: str, plans: Plans, admin_client: Client
    ) -> None:
        plan = plans["startup"]
        count = plan.prices.count()
        data = with_new_price(filled(admin_client, plan), currency=currency, amount=amount)
        answer = admin_client.post(page_of(plan), data)
        assert answer.status_code == 200
        assert any(answer.context["inline_admin_formsets"][0].formset.errors)
        assert plan.prices.count() == count

    def test_an_unpublished_amount_may_be_corrected(
        self, plans: Plans, admin_client: Client
    ) -> None:
        price = plans["startup"].prices.get(currency="USD", interval="monthly")
        data = filled(admin_client, plans["startup"])
        data[f"{row_of(data, price)}-amount"] = "31.50"
        assert admin_client.post(page_of(plans["startup"]), data).status_code == 302
        price.refresh_from_db()
        assert price.amount_minor == 3150

    def test_a_published_price_cannot_be_changed(
        self, published: Plans, admin_client: Client
    ) -> None:
        price = published["startup"].prices.get(currency="USD", interval="monthly")
        data = filled(admin_client, published["startup"])
        row = row_of(data, price)
        data |= {f"{row}-amount": "1.00", f"{row}-currency": "EUR", f"{row}-interval": "yearly"}
        admin_client.post(page_of(published["startup"]), data)
        price.refresh_from_db()
        assert (price.amount_minor, price.currency, price.interval) == (2999, "USD", "monthly")

    def test_a_published_price_can_be_archived_and_replaced_at_once(
        self, published: Plans, admin_client: Client
    ) -> None:
        plan = published["startup"]
        price = plan.prices.get(currency="USD", interval="monthly")
        data = with_new_price(filled(admin_client, plan), currency="USD", amount="35.00")
        data[f"{row_of(data, price)}-is_archived"] = "on"
        assert admin_client.post(page_of(plan), data).status_code == 302
        price.refresh_from_db()
        assert price.archived_at
        assert price.amount_minor == 2999
        current = plan.prices.get(currency="USD", interval="monthly", archived_at=None)
        assert current.amount_minor == 3500

    def test_an_archived_price_stays_archived(self, published: Plans, admin_client: Client) -> None:
        plan = published["startup"]
        price = plan.prices.get(currency="USD", interval="monthly")
        data = filled(admin_client, plan)
        data[f"{row_of(data, price)}-is_archived"] = "on"
        admin_client.post(page_of(plan), data)
        admin_client.post(page_of(plan), filled(admin_client, plan))
        price.refresh_from_db()
        assert price.archived_at

    def test_shows_where_each_price_is_published(
        self, published: Plans, admin_client: Client
    ) -> None:
        plan = published["startup"]
        remote = plan.prices.get(currency="USD", interval="monthly").provider_prices.first()
        plan.prices.create(interval="monthly", currency="EUR", amount_minor=2999)
        page = admin_client.get(page_of(plan)).content.decode()
        assert remote
        assert remote.provider_price_id in page
        assert "not published" in page
        assert "not sold there" in page

    def test_no_price_row_can_be_deleted(self, plans: Plans, admin_client: Client) -> None:
        plan = plans["startup"]
        data = filled(admin_client, plan)
        admin_client.post(page_of(plan), {**data, "prices-0-DELETE": "on"})
        assert plan.prices.count() == 4


class TestFrozenAmount:
    def test_no_update_gets_round_the_constraint(self, published: Plans) -> None:
        prices = published["startup"].prices.all()
        with pytest.raises(IntegrityError), transaction.atomic():
            prices.update(amount_minor=1)
        with pytest.raises(IntegrityError), transaction.atomic():
            prices.filter(interval="monthly", currency="USD").update(currency="EUR")

    def test_an_unpublished_price_can_still_change(self, plans: Plans) -> None:
        assert plans["startup"].prices.update(amount_minor=1) == 4


class TestPublish:
    def test_the_action_queues_every_selected_plan(
        self, plans: Plans, admin_client: Client
    ) -> None:
        chosen = [str(plan.pk) for plan in plans.values()]
        data = {"action": "publish_plans", "_selected_action": chosen}
        page = admin_client.post(reverse(LIST), data, follow=True).content.decode()
        queued = OutboxMessage.objects.filter(topic="plans.publish").count()
        assert queued > 0
        assert f"Queued {queued} publications of 2 plans." in page

    def test_the_button_asks_first(self, plans: Plans, admin_client: Client) -> None:
        address = page_of(plans["startup"]).replace("/change/", "/publish/")
        assert "frozen for ever" in admin_client.get(address).content.decode()
        assert not OutboxMessage.objects.exists()
        assert admin_client.post(address).status_code == 302
        assert OutboxMessage.objects.exists()

    def test_needs_the_change_permission(
        self, plans: Plans, staff_with: Callable[..., Client]
    ) -> None:
        viewer = staff_with("view_subscriptionplan")
        address = page_of(plans["startup"]).replace("/change/", "/publish/")
        assert viewer.post(address).status_code == 403
        chosen = {"action": "publish_plans", "_selected_action": [str(plans["startup"].pk)]}
        viewer.post(reverse(LIST), chosen)
        assert not OutboxMessage.objects.exists()
        assert address not in viewer.get(page_of(plans["startup"])).content.decode()


class TestPlanList:
    def test_shows_prices_per_currency(self, plans: Plans, admin_client: Client) -> None:
        page = admin_client.get(reverse(LIST)).content.decode()
        assert "29.99 / 299.90 USD, 549.00 / 5490.00 MXN" in page

    def test_has_the_capped_paginator(self, plans: Plans, admin_client: Client) -> None:
        page = admin_client.get(reverse(LIST))
        assert isinstance(page.context["cl"].paginator, CappedPaginator)
