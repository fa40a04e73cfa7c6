"""The ledger of changes. Append-only, so nothing here can be pressed."""

from django.contrib import admin

from billing.admin.base import ReadOnlyAdmin, column
from billing.admin.panels import Panel, badge, change_url, json_panel, link, link_to
from billing.models import StateChange


@admin.register(StateChange)
class StateChangeAdmin(ReadOnlyAdmin[StateChange]):
    list_display = (
        "created",
        "object_link",
        "from_state",
        "to_state",
        "outcome_badge",
        "cause",
        "event_link",
        "code",
        "organization_link",
    )
    list_select_related = ("organization",)
    list_defer = ("detail",)
    uuid_fields = ("event_id",)
    search_help_text = "Exact matches only: our ids of row or event, an organization's id or e-mail"
    fields = (
        ("object_link", "organization_link"),
        ("from_state", "to_state"),
        ("outcome_badge", "cause", "code"),
        ("event_link", "provider"),
        ("occurred_at", "created_at"),
    )

    @column("Object")
    def object_link(self, obj: StateChange) -> str:
        url = change_url("billing", obj.object_type, obj.object_id)
        text = obj.object_type.replace("_", " ")
        return link_to(url, text) if url else text

    @column("Outcome")
    def outcome_badge(self, obj: StateChange) -> str:
        return badge(obj.outcome)

    @column("Event")
    def event_link(self, obj: StateChange) -> str:
        if obj.event_id is None:
            return "-"
        url = change_url("billing", "webhookevent", obj.event_id)
        return link_to(url, obj.event_type or "event")

    @column("Organization")
    def organization_link(self, obj: StateChange) -> str:
        return link(obj.organization)

    def panels(self, obj: StateChange) -> list[Panel]:
        return [json_panel("Detail", obj.detail)]
