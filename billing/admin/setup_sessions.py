"""Setup sessions: that they were opened, and for whom."""

from django.contrib import admin

from billing.admin.base import ReadOnlyAdmin, column
from billing.admin.panels import link
from billing.models import SetupSession


@admin.register(SetupSession)
class SetupSessionAdmin(ReadOnlyAdmin[SetupSession]):
    list_display = ("provider_setup_session_id", "organization_link", "provider", "mode", "created")
    list_select_related = ("organization", "customer")
    list_defer = ("customer__provider_data",)
    remote_ids = ("provider_setup_session_id",)
    fields = (
        "provider_setup_session_id",
        ("organization_link", "customer_link"),
        ("provider", "mode"),
        ("created_at", "updated_at"),
    )

    @column("Organization")
    def organization_link(self, obj: SetupSession) -> str:
        return link(obj.organization)

    @column("Customer")
    def customer_link(self, obj: SetupSession) -> str:
        return link(obj.customer)
