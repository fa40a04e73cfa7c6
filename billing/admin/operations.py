"""Writes at providers: what was sent under which key, and what became of it."""

from django.contrib import admin

from billing.admin.base import ReadOnlyAdmin, column
from billing.admin.filters import UnsettledFilter
from billing.admin.panels import badge, change_url, link, link_to
from billing.models import Operation


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin[Operation]):
    list_display = (
        "verb",
        "step",
        "outcome_badge",
        "provider",
        "subject_link",
        "error_code",
        "organization_link",
        "created",
    )
    list_select_related = ("organization",)
    list_filter = (UnsettledFilter,)
    exact_fields = ("key",)
    fields = (
        ("verb", "step", "outcome_badge"),
        ("organization_link", "subject_link", "provider"),
        ("request_key", "key"),
        ("remote_id", "error_code", "decline_code"),
        ("created_at", "updated_at", "finished_at"),
    )

    @column("Outcome")
    def outcome_badge(self, obj: Operation) -> str:
        return badge(obj.outcome)

    @column("Subject")
    def subject_link(self, obj: Operation) -> str:
        url = change_url("billing", obj.subject_type, obj.subject_id)
        text = obj.subject_type.replace("_", " ")
        return link_to(url, text) if url else text

    @column("Organization")
    def organization_link(self, obj: Operation) -> str:
        return link(obj.organization)
