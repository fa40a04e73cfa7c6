"""Which setup session at a provider is whose."""

from django.conf import settings
from django.db import models

from billing.enums import Mode
from billing.models.base import BaseModel, ProviderQuerySet, choices
from billing.providers.types import Ref


class SetupSession(BaseModel):
    """Only that it was opened, and for whom. How it stands is asked for at the provider; its client
    secret is never stored here. The id is that of the operation that opened it."""

    organization = models.ForeignKey(
        settings.BILLING_ORGANIZATION_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    customer = models.ForeignKey("billing.Customer", on_delete=models.PROTECT, related_name="+")
    provider = models.CharField(max_length=40)
    mode = models.CharField(max_length=10, choices=choices(Mode))
    provider_setup_session_id = models.CharField(max_length=255)

    objects = ProviderQuerySet["SetupSession"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "mode", "provider_setup_session_id"],
                name="billing_setupsession_remote",
            )
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="billing_setupsession_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.provider_setup_session_id} ({self.provider})"

    @property
    def ref(self) -> Ref:
        return Ref(
            id=self.provider_setup_session_id,
            customer_id=self.customer.provider_customer_id or "",
        )
