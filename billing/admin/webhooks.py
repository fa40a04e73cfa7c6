"""The inbox: what arrived, what became of it, and doing it again."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils.timesince import timesince

from billing.admin.actions import confirm, replay, replay_events
from billing.admin.base import ReadOnlyAdmin, button, column, may_change
from billing.admin.dashboard import event_cards
from billing.admin.filters import ProviderFilter
from billing.admin.panels import (
    NEWEST_CHANGES,
    Panel,
    badge,
    json_panel,
    minute,
    pretty,
    timeline,
)
from billing.errors import InvalidPayload
from billing.models import StateChange, WebhookEvent
from billing.payloads import clean


@admin.register(WebhookEvent)
class WebhookEventAdmin(ReadOnlyAdmin[WebhookEvent]):
    list_display = (
        "event_type",
        "state_badge",
        "provider",
        "object_column",
        "received",
        "age",
        "attempts",
    )
    list_filter = ("state", ProviderFilter, "kind")
    list_defer = ("body", "headers", "error_message")
    list_before_template = "admin/billing/cards.html"
    ordering = ("-received_at", "-id")
    sortable_by = ("received",)
    remote_ids = ("provider_event_id",)
    exact_fields = ("object_id",)
    search_help_text = "Exact matches only: our id, the provider's event id or its object's id"
    actions = (replay_events,)
    actions_detail = ("replay",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("state_badge", "outcome"),
                    ("event_type", "provider_event_id"),
                    ("provider", "mode", "api_version"),
                )
            },
        ),
        ("Object", {"fields": (("kind", "object_id"), ("customer_id", "parent_id"))}),
        (
            "Times",
            {"fields": (("occurred_at", "received_at"), ("processed_at", "next_attempt_at"))},
        ),
        ("Tries", {"fields": (("attempts", "waits"), ("claimed_until", "claim_id"))}),
    )

    @column("State")
    def state_badge(self, obj: WebhookEvent) -> str:
        return badge(obj.state)

    @column("Object")
    def object_column(self, obj: WebhookEvent) -> str:
        return obj.object_id or "-"

    @column("Received", ordering="received_at")
    def received(self, obj: WebhookEvent) -> str:
        return minute(obj.received_at)

    @column("Age")
    def age(self, obj: WebhookEvent) -> str:
        return timesince(obj.received_at, depth=1)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "cards": event_cards()}
        return super().changelist_view(request, context)

    def has_replay_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Whether staff may replay: unlike the fields, the state is theirs to set back."""
        return may_change(request, WebhookEvent)

    @button("Replay", path="replay", permission="replay", icon="replay")
    def replay(self, request: HttpRequest, object_id: str) -> HttpResponse:
        question = (
            "The event becomes due again and a worker applies it. "
            "What it already changed stays as it is."
        )
        return confirm(self, request, object_id, question, "Replay", _replay)

    def panels(self, obj: WebhookEvent) -> list[Panel]:
        changes = StateChange.objects.filter(event_id=obj.pk).order_by("-created_at", "-id")
        shown = [timeline(changes[:NEWEST_CHANGES], title="What it changed")]
        if obj.error_message:
            shown.append(Panel(title="Last error", text=str(clean(obj.error_message))))
        shown.append(Panel(title="Payload", text=_payload(obj)))
        shown.append(json_panel("Headers", obj.headers))
        return shown


def _replay(request: HttpRequest, event: WebhookEvent) -> None:
    if replay(request, event):
        messages.success(request, f"{event.event_type} is due again.")


def _payload(event: WebhookEvent) -> str:
    try:
        return pretty(event.payload)
    except InvalidPayload:
        return str(clean(event.body))
