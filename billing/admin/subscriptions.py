"""Subscriptions: state, history and reasons. Only commands and providers change them."""

from django.contrib import admin

from billing.admin.base import ReadOnlyAdmin, column
from billing.admin.filters import ProviderFilter, RenewalFilter
from billing.admin.panels import (
    NEWEST_ROWS,
    Panel,
    badge,
    events_about,
    invoices_table,
    json_panel,
    link,
    minute,
    operations_of,
    timeline_of,
)
from billing.admin.routing import decision_panel
from billing.models import Subscription


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin[Subscription]):
    list_display = (
        "plan_column",
        "status_badge",
        "organization_link",
        "provider",
        "billing_interval",
        "period_end",
        "cancel_at_period_end",
        "created",
    )
    list_select_related = ("organization", "plan")
    list_filter = ("status", ProviderFilter, RenewalFilter)
    list_defer = ("provider_data", "usage_data", "metadata", "next_action")
    remote_ids = ("provider_subscription_id",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("status_badge", "provider_status", "incomplete_reason"),
                    ("organization_link", "customer_link"),
                    ("plan_link", "price_column", "quantity"),
                    ("payment_method_link", "collection", "collection_paused"),
                )
            },
        ),
        (
            "Periods",
            {
                "fields": (
                    ("current_period_start", "current_period_end"),
                    ("trial_start", "trial_end"),
                )
            },
        ),
        (
            "End",
            {
                "fields": (
                    ("cancel_at_period_end", "cancel_at", "resumes_at"),
                    ("canceled_at", "ended_at", "end_reason"),
                )
            },
        ),
        (
            "At the provider",
            {
                "fields": (
                    ("provider", "mode", "slot"),
                    ("provider_subscription_id", "provider_customer_id"),
                    ("created_at", "updated_at", "provider_version"),
                )
            },
        ),
    )

    @column("Period ends")
    def period_end(self, obj: Subscription) -> str:
        return minute(obj.current_period_end)

    @column("Plan")
    def plan_column(self, obj: Subscription) -> str:
        return str(obj.plan or "Unmapped plan")

    @column("Status")
    def status_badge(self, obj: Subscription) -> str:
        return badge(obj.status)

    @column("Organization")
    def organization_link(self, obj: Subscription) -> str:
        return link(obj.organization)

    @column("Customer")
    def customer_link(self, obj: Subscription) -> str:
        return link(obj.customer)

    @column("Plan")
    def plan_link(self, obj: Subscription) -> str:
        return link(obj.plan)

    @column("Price")
    def price_column(self, obj: Subscription) -> str:
        return str(obj.price or "-")

    @column("Payment method")
    def payment_method_link(self, obj: Subscription) -> str:
        return link(obj.payment_method)

    def panels(self, obj: Subscription) -> list[Panel]:
        invoices = obj.invoices.defer("provider_data", "line_items")
        return [
            timeline_of(obj),
            invoices_table(invoices.order_by("-created_at", "-id")[:NEWEST_ROWS]),
            decision_panel(obj.decision),
            operations_of(obj),
            events_about(obj.provider, obj.mode, obj.provider_subscription_id),
            json_panel("Waiting for the customer", obj.next_action),
            json_panel("Usage", obj.usage_data),
            json_panel("Metadata", obj.metadata),
            json_panel("As the provider reports it", obj.provider_data),
        ]
