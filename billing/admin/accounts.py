"""Billing accounts: the profile that staff may correct."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest

from billing.admin.base import BillingAdmin, column
from billing.admin.panels import NEWEST_ROWS, Panel, badge, link, moment
from billing.models import BillingAccount, Customer, Subscription


@admin.register(BillingAccount)
class BillingAccountAdmin(BillingAdmin[BillingAccount]):
    list_display = ("name", "organization_link", "email", "country", "locale", "time_zone")
    list_select_related = ("organization",)
    ordering = ("-id",)
    sortable_by = ()
    raw_id_fields = ("organization",)
    fieldsets = (
        (None, {"fields": ("organization", "name", "email", "phone")}),
        ("Address and tax", {"fields": ("country", "address", "tax_id", "fiscal_fields")}),
        ("Language and time", {"fields": ("locale", "time_zone")}),
    )

    @column("Organization")
    def organization_link(self, obj: BillingAccount) -> str:
        return link(obj.organization)

    def get_readonly_fields(
        self, request: HttpRequest, obj: BillingAccount | None = None
    ) -> tuple[Any, ...]:
        return () if obj is None else ("organization",)

    def search_lookups(self, term: str) -> Iterator[Q]:
        yield from super().search_lookups(term)
        yield Q(email__in={term, term.lower()})

    def panels(self, obj: BillingAccount) -> list[Panel]:
        return [_subscriptions(obj), _customers(obj)]


def _subscriptions(account: BillingAccount) -> Panel:
    found = Subscription.objects.filter(organization=account.organization_id)
    newest = found.select_related("plan").defer("provider_data").order_by("-created_at", "-id")
    rows = [
        (moment(row.created_at), link(row), badge(row.status), row.provider, row.mode)
        for row in newest[:NEWEST_ROWS]
    ]
    headers = ("Created", "Subscription", "Status", "Provider", "Mode")
    return Panel(title="Newest subscriptions", headers=headers, rows=rows)


def _customers(account: BillingAccount) -> Panel:
    found = Customer.objects.filter(organization=account.organization_id).defer("provider_data")
    rows = [
        (row.provider, row.mode, link(row), row.provider_customer_id or "-")
        for row in found[:NEWEST_ROWS]
    ]
    headers = ("Provider", "Mode", "Customer", "Provider's id")
    return Panel(title="Known at", headers=headers, rows=rows)
