"""Refunds and disputes: money that goes back to customers. To be read only."""

from django.contrib import admin

from billing.admin.base import ReadOnlyAdmin, column
from billing.admin.filters import ProviderFilter
from billing.admin.panels import (
    Panel,
    badge,
    events_about,
    json_panel,
    link,
    minute,
    money,
    operations_of,
    timeline_of,
)
from billing.models import Dispute, Refund


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin[Refund]):
    list_display = (
        "amount_column",
        "status_badge",
        "reason",
        "organization_link",
        "payment_link",
        "provider",
        "created",
    )
    list_select_related = ("organization", "payment")
    list_filter = ("status", ProviderFilter)
    list_defer = ("provider_data", "payment__provider_data", "payment__next_action")
    remote_ids = ("provider_refund_id",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("amount_column", "status_badge", "provider_status"),
                    ("reason", "failure_code"),
                    ("organization_link", "payment_link"),
                )
            },
        ),
        (
            "At the provider",
            {
                "fields": (
                    ("provider", "mode"),
                    "provider_refund_id",
                    ("created_at", "updated_at", "provider_version"),
                )
            },
        ),
    )

    @column("Amount")
    def amount_column(self, obj: Refund) -> str:
        return money(obj.amount_minor, obj.currency)

    @column("Status")
    def status_badge(self, obj: Refund) -> str:
        return badge(obj.status)

    @column("Organization")
    def organization_link(self, obj: Refund) -> str:
        return link(obj.organization)

    @column("Payment")
    def payment_link(self, obj: Refund) -> str:
        return link(obj.payment)

    def panels(self, obj: Refund) -> list[Panel]:
        return [
            timeline_of(obj),
            operations_of(obj),
            events_about(obj.provider, obj.mode, obj.provider_refund_id),
            json_panel("As the provider reports it", obj.provider_data),
        ]


@admin.register(Dispute)
class DisputeAdmin(ReadOnlyAdmin[Dispute]):
    list_display = (
        "amount_column",
        "status_badge",
        "reason",
        "evidence_due",
        "organization_link",
        "payment_link",
        "provider",
        "created",
    )
    list_select_related = ("organization", "payment")
    list_filter = ("status", ProviderFilter)
    list_defer = ("provider_data", "payment__provider_data", "payment__next_action")
    remote_ids = ("provider_dispute_id",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("amount_column", "status_badge", "provider_status"),
                    ("reason", "evidence_due_at"),
                    ("organization_link", "payment_link"),
                )
            },
        ),
        (
            "At the provider",
            {
                "fields": (
                    ("provider", "mode"),
                    "provider_dispute_id",
                    ("created_at", "updated_at", "provider_version"),
                )
            },
        ),
    )

    @column("Amount")
    def amount_column(self, obj: Dispute) -> str:
        return money(obj.amount_minor, obj.currency)

    @column("Status")
    def status_badge(self, obj: Dispute) -> str:
        return badge(obj.status)

    @column("Evidence due")
    def evidence_due(self, obj: Dispute) -> str:
        return minute(obj.evidence_due_at)

    @column("Organization")
    def organization_link(self, obj: Dispute) -> str:
        return link(obj.organization)

    @column("Payment")
    def payment_link(self, obj: Dispute) -> str:
        return link(obj.payment)

    def panels(self, obj: Dispute) -> list[Panel]:
        return [
            timeline_of(obj),
            events_about(obj.provider, obj.mode, obj.provider_dispute_id),
            json_panel("As the provider reports it", obj.provider_data),
        ]
