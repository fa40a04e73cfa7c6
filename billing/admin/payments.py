"""Payments: every attempt to move money."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet

from billing.admin.base import ReadOnlyAdmin, column
from billing.admin.filters import ProviderFilter
from billing.admin.panels import (
    NEWEST_ROWS,
    Panel,
    badge,
    events_about,
    json_panel,
    link,
    minute,
    moment,
    money,
    operations_of,
    timeline_of,
)
from billing.models import Payment


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin[Payment]):
    list_display = (
        "amount_column",
        "status_badge",
        "decline_code",
        "organization_link",
        "invoice_link",
        "provider",
        "paid_time",
        "created",
    )
    list_select_related = ("organization", "invoice")
    list_filter = ("status", ProviderFilter)
    list_defer = (
        "provider_data",
        "next_action",
        "invoice__provider_data",
        "invoice__line_items",
    )
    remote_ids = ("provider_payment_id",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("amount_column", "status_badge", "provider_status"),
                    ("paid_at", "decline_code"),
                    ("voucher_method", "voucher_expires_at"),
                    ("refunded", "charged_back"),
                    ("organization_link", "customer_link"),
                    ("invoice_link", "payment_method_link"),
                )
            },
        ),
        (
            "At the provider",
            {
                "fields": (
                    ("provider", "mode"),
                    "provider_payment_id",
                    ("created_at", "updated_at", "provider_version"),
                )
            },
        ),
    )

    @column("Amount")
    def amount_column(self, obj: Payment) -> str:
        return money(obj.amount_minor, obj.currency)

    @column("Refunded")
    def refunded(self, obj: Payment) -> str:
        return money(obj.refunded_minor, obj.currency)

    @column("Charged back")
    def charged_back(self, obj: Payment) -> str:
        return money(obj.charged_back_minor, obj.currency)

    @column("Status")
    def status_badge(self, obj: Payment) -> str:
        return badge(obj.status)

    @column("Paid")
    def paid_time(self, obj: Payment) -> str:
        return minute(obj.paid_at)

    @column("Organization")
    def organization_link(self, obj: Payment) -> str:
        return link(obj.organization)

    @column("Customer")
    def customer_link(self, obj: Payment) -> str:
        return link(obj.customer)

    @column("Invoice")
    def invoice_link(self, obj: Payment) -> str:
        return link(obj.invoice)

    @column("Payment method")
    def payment_method_link(self, obj: Payment) -> str:
        return link(obj.payment_method)

    def panels(self, obj: Payment) -> list[Panel]:
        return [
            _returned("Refunds", obj.refunds.all()),
            _returned("Disputes", obj.disputes.all()),
            timeline_of(obj),
            operations_of(obj),
            events_about(obj.provider, obj.mode, obj.provider_payment_id),
            json_panel("Waiting for the customer", obj.next_action),
            json_panel("As the provider reports it", obj.provider_data),
        ]


def _returned(title: str, found: QuerySet[Any]) -> Panel:
    """The newest refunds or disputes of a payment."""
    newest = found.defer("provider_data").order_by("-created_at", "-id")[:NEWEST_ROWS]
    rows = [
        (
            moment(each.created_at),
            link(each, money(each.amount_minor, each.currency)),
            badge(each.status),
            each.reason.replace("_", " ") or "-",
        )
        for each in newest
    ]
    return Panel(title=title, headers=("Created", "Amount", "Status", "Reason"), rows=rows)
