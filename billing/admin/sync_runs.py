"""Runs of `billing_sync`, and the pages of those that are not finished."""

from django.contrib import admin

from billing.admin.base import ReadOnlyAdmin, column
from billing.admin.panels import Panel, json_panel, minute
from billing.models import SyncPage, SyncRun


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin[SyncRun]):
    list_display = ("provider", "mode", "created", "finished", "held_until")
    list_filter = ("mode",)
    exact_fields = ("provider",)
    search_help_text = "Exact matches only: our id or the provider's alias"
    fields = (
        ("provider", "mode"),
        ("created_at", "finished_at", "since"),
        ("claimed_until", "claim_id"),
    )

    @column("Finished")
    def finished(self, obj: SyncRun) -> str:
        return minute(obj.finished_at)

    @column("Held until")
    def held_until(self, obj: SyncRun) -> str:
        return minute(obj.claimed_until)

    def panels(self, obj: SyncRun) -> list[Panel]:
        return [json_panel("Kinds", obj.kinds), json_panel("Counts", obj.counts)]


@admin.register(SyncPage)
class SyncPageAdmin(ReadOnlyAdmin[SyncPage]):
    list_display = ("run", "kind", "number", "is_last", "created")
    list_select_related = ("run",)
    list_defer = ("remote_ids",)
    exact_fields = ("kind",)
    search_help_text = "Exact matches only: our id or the kind"
    fields = (("run", "kind", "number"), ("next_cursor", "is_last", "created_at"))

    def panels(self, obj: SyncPage) -> list[Panel]:
        return [json_panel("Counts", obj.counts), json_panel("Listed", obj.remote_ids)]
