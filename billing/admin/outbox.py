"""Effects that follow a commit: due, done, or given up."""

from django.contrib import admin

from billing.admin.base import ReadOnlyAdmin, column
from billing.admin.filters import UndeliveredFilter
from billing.admin.panels import Panel, badge, json_panel, minute
from billing.models import OutboxMessage
from billing.payloads import clean


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin[OutboxMessage]):
    list_display = (
        "topic",
        "dedupe_key",
        "state_badge",
        "attempts",
        "next_attempt",
        "created",
    )
    list_filter = (UndeliveredFilter,)
    list_defer = ("payload", "error_message")
    exact_fields = ("dedupe_key",)
    search_help_text = "Exact matches only: our id or the dedupe key"
    fields = (
        ("topic", "dedupe_key"),
        ("state_badge", "attempts"),
        ("created_at", "processed_at", "next_attempt_at"),
        ("claimed_until", "claim_id"),
    )

    @column("State")
    def state_badge(self, obj: OutboxMessage) -> str:
        return badge(obj.state)

    @column("Next attempt")
    def next_attempt(self, obj: OutboxMessage) -> str:
        return minute(obj.next_attempt_at)

    def panels(self, obj: OutboxMessage) -> list[Panel]:
        shown = [json_panel("Payload", obj.payload)]
        if obj.error_message:
            shown.append(Panel(title="Last error", text=str(clean(obj.error_message))))
        return shown
