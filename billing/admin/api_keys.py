"""Idempotency keys of API clients. The stored answers stay out: they are the customers' own."""

from django.contrib import admin

from billing.admin.base import ReadOnlyAdmin, column
from billing.admin.panels import badge, link
from billing.models import IdempotencyKey


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin[IdempotencyKey]):
    list_display = ("key", "status_badge", "response_status", "organization_link", "created")
    list_select_related = ("organization",)
    list_defer = ("response_body", "response_headers")
    search_help_text = "Exact matches only: our id, an organization's id or e-mail"
    fields = (
        ("key", "status_badge", "response_status"),
        "organization_link",
        ("fingerprint", "locked_until"),
        ("created_at", "updated_at"),
    )

    @column("Status")
    def status_badge(self, obj: IdempotencyKey) -> str:
        return badge(obj.status)

    @column("Organization")
    def organization_link(self, obj: IdempotencyKey) -> str:
        return link(obj.organization)
