"""Organizations as each provider knows them."""

from django.contrib import admin

from billing.admin.base import ReadOnlyAdmin, column
from billing.admin.panels import (
    NEWEST_ROWS,
    Panel,
    badge,
    events_about,
    json_panel,
    link,
    moment,
    operations_of,
    timeline_of,
)
from billing.models import Customer


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin[Customer]):
    list_display = (
        "name_column",
        "email",
        "organization_link",
        "provider",
        "mode",
        "provider_customer_id",
        "created",
    )
    list_select_related = ("organization",)
    list_defer = ("provider_data",)
    remote_ids = ("provider_customer_id",)
    fieldsets = (
        (None, {"fields": (("name", "email"), "organization_link", "deleted_at")}),
        (
            "At the provider",
            {
                "fields": (
                    ("provider", "mode"),
                    ("provider_customer_id", "default_payment_method_id"),
                    ("created_at", "updated_at", "provider_version"),
                )
            },
        ),
    )

    @column("Name")
    def name_column(self, obj: Customer) -> str:
        return obj.name or "(no name)"

    @column("Organization")
    def organization_link(self, obj: Customer) -> str:
        return link(obj.organization)

    def panels(self, obj: Customer) -> list[Panel]:
        return [
            _subscriptions(obj),
            timeline_of(obj),
            operations_of(obj),
            events_about(obj.provider, obj.mode, obj.provider_customer_id),
            json_panel("As the provider reports it", obj.provider_data),
        ]


def _subscriptions(customer: Customer) -> Panel:
    found = customer.subscriptions.select_related("plan").defer("provider_data")
    rows = [
        (moment(row.created_at), link(row), badge(row.status))
        for row in found.order_by("-created_at", "-id")[:NEWEST_ROWS]
    ]
    return Panel(title="Subscriptions", headers=("Created", "Subscription", "Status"), rows=rows)
