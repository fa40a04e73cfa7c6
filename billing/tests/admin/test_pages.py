"""Every list and every page opens, escapes what strangers wrote, and guards what is not staff's."""

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from billing import models
from billing.admin.panels import link
from billing.tests.admin.conftest import HOSTILE

MODELS = sorted(apps.get_app_config("billing").get_models(), key=lambda model: model.__name__)
EDITABLE = {
    models.BillingAccount,
    models.Membership,
    models.Organization,
    models.SubscriptionPlan,
}
READ_ONLY = [model for model in MODELS if model not in EDITABLE]
Rows = Callable[[int], dict[type, Any]]


def url(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:billing_{model._meta.model_name}_{page}", args=args)


@pytest.mark.parametrize("model", MODELS)
class TestEveryModel:
    def test_is_registered(self, model: Any) -> None:
        assert admin.site.is_registered(model)

    def test_list_opens_and_escapes(self, model: Any, rows: Rows, admin_client: Client) -> None:
        rows(1)
        answer = admin_client.get(url(model, "changelist"))
        assert answer.status_code == 200
        assert HOSTILE not in answer.content.decode()

    def test_page_opens_and_escapes(self, model: Any, rows: Rows, admin_client: Client) -> None:
        row = rows(1)[model]
        answer = admin_client.get(url(model, "change", row.pk))
        assert answer.status_code == 200
        page = answer.content.decode()
        assert HOSTILE not in page
        assert "\x00" not in page
        assert "stored-answer" not in page

    def test_every_filter_and_sort_that_is_offered_opens(
        self, model: Any, rows: Rows, admin_client: Client
    ) -> None:
        rows(1)
        page = admin_client.get(url(model, "changelist"))
        changelist = page.context["cl"]
        queries = [
            choice["query_string"]
            for spec in changelist.filter_specs
            for choice in spec.choices(changelist)
        ]
        queries += [f"?o={column}" for column in range(1, 10)]
        for query in queries:
            assert admin_client.get(url(model, "changelist") + query).status_code == 200, query

    def test_needs_the_view_permission(
        self, model: Any, rows: Rows, staff_with: Callable[..., Client]
    ) -> None:
        row = rows(1)[model]
        name = model._meta.model_name
        stranger, viewer = staff_with(), staff_with(f"view_{name}")
        for address in (url(model, "changelist"), url(model, "change", row.pk)):
            assert stranger.get(address).status_code == 403
            assert viewer.get(address).status_code == 200
        assert viewer.post(url(model, "change", row.pk), {}).status_code == 403


@pytest.mark.parametrize("model", [model for model in MODELS if model is not models.Membership])
class TestAllButMemberships:
    def test_cannot_be_deleted_by_anybody(
        self, model: Any, rows: Rows, admin_client: Client
    ) -> None:
        row = rows(1)[model]
        answer = admin_client.post(url(model, "delete", row.pk), {"post": "yes"})
        assert answer.status_code == 403
        action = {"action": "delete_selected", "_selected_action": [str(row.pk)], "post": "yes"}
        admin_client.post(url(model, "changelist"), action)
        assert model.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", READ_ONLY)
class TestProviderOwnedRows:
    def test_nobody_adds_one(self, model: Any, rows: Rows, admin_client: Client) -> None:
        assert admin_client.get(url(model, "add")).status_code == 403

    def test_a_post_changes_nothing(self, model: Any, rows: Rows, admin_client: Client) -> None:
        row = rows(1)[model]
        before = model.objects.filter(pk=row.pk).values().get()
        data = {"status": "canceled", "state": "pending", "amount_minor": "1", "note": "x"}
        assert admin_client.post(url(model, "change", row.pk), data).status_code == 403
        assert model.objects.filter(pk=row.pk).values().get() == before


class TestLinks:
    def test_names_the_organization_with_a_link(self, rows: Rows, admin_client: Client) -> None:
        made = rows(1)
        address = url(models.Organization, "change", made[models.Organization].pk)
        for model in (models.Subscription, models.Invoice, models.Payment, models.Customer):
            assert address in admin_client.get(url(model, "changelist")).content.decode()
            page = admin_client.get(url(model, "change", made[model].pk)).content.decode()
            assert address in page

    def test_a_payment_shows_what_has_gone_back(self, rows: Rows, admin_client: Client) -> None:
        made = rows(1)
        page = admin_client.get(url(models.Payment, "change", made[models.Payment].pk))
        for model in (models.Refund, models.Dispute):
            row = made[model]
            assert url(model, "change", row.pk) in page.content.decode()
            back = admin_client.get(url(model, "change", row.pk)).content.decode()
            assert url(models.Payment, "change", made[models.Payment].pk) in back
        assert "1500 JPY" in page.content.decode()

    def test_an_invoice_shows_money_that_was_not_wanted(
        self, rows: Rows, admin_client: Client
    ) -> None:
        made = rows(1)
        payment, invoice = made[models.Payment], made[models.Invoice]
        payment.invoice, payment.voucher_method = invoice, "oxxo"
        payment.save()
        models.StateChange.objects.create(
            object_type="payment",
            object_id=payment.pk,
            cause="drift",
            outcome="unchanged",
            code="double_payment",
            occurred_at=payment.created_at,
        )
        page = admin_client.get(url(models.Invoice, "change", invoice.pk)).content.decode()
        assert "double_payment" in page
        assert "oxxo" in page

    def test_a_host_organization_outside_the_admin_is_named_without_a_link(self) -> None:
        session = Session(session_key="not in the admin")
        assert link(session) == str(session)
        assert "<a" not in link(session)

    def test_money_has_its_own_decimals(self, rows: Rows, admin_client: Client) -> None:
        rows(1)
        assert "29.99 USD" in admin_client.get(url(models.Invoice, "changelist")).content.decode()
        assert "2999 JPY" in admin_client.get(url(models.Payment, "changelist")).content.decode()
