"""Payment methods: only what may be shown, never a number."""

from django.contrib import admin

from billing.admin.base import ReadOnlyAdmin, column
from billing.admin.panels import (
    Panel,
    events_about,
    json_panel,
    link,
    operations_of,
    timeline_of,
)
from billing.models import PaymentMethod


@admin.register(PaymentMethod)
class PaymentMethodAdmin(ReadOnlyAdmin[PaymentMethod]):
    list_display = (
        "method_column",
        "organization_link",
        "provider",
        "mode",
        "expiry",
        "default",
        "is_active",
        "created",
    )
    list_select_related = ("organization", "customer")
    list_defer = ("provider_data", "customer__provider_data")
    remote_ids = ("provider_payment_method_id",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("method_column", "expiry"),
                    ("default", "is_active"),
                    ("organization_link", "customer_link", "user"),
                )
            },
        ),
        (
            "At the provider",
            {
                "fields": (
                    ("provider", "mode"),
                    ("provider_payment_method_id", "provider_customer_id"),
                    ("created_at", "updated_at", "provider_version"),
                )
            },
        ),
    )

    @column("Method")
    def method_column(self, obj: PaymentMethod) -> str:
        ending = f"•••• {obj.last4}" if obj.last4 else ""
        return " ".join(filter(None, (obj.type.replace("_", " "), obj.brand, ending)))

    @column("Expires")
    def expiry(self, obj: PaymentMethod) -> str:
        if not (obj.exp_month and obj.exp_year):
            return "-"
        return f"{obj.exp_month:02d}/{obj.exp_year}"

    @column("Default", boolean=True)
    def default(self, obj: PaymentMethod) -> bool:
        return obj.is_default

    @column("Organization")
    def organization_link(self, obj: PaymentMethod) -> str:
        return link(obj.organization)

    @column("Customer")
    def customer_link(self, obj: PaymentMethod) -> str:
        return link(obj.customer)

    def panels(self, obj: PaymentMethod) -> list[Panel]:
        return [
            timeline_of(obj),
            operations_of(obj),
            events_about(obj.provider, obj.mode, obj.provider_payment_method_id),
            json_panel("Billing address", obj.billing_address),
            json_panel("As the provider reports it", obj.provider_data),
        ]
