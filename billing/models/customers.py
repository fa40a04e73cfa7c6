"""An organization as one provider knows it."""

from django.conf import settings
from django.db import models

from billing.models.base import ProviderOwned, ProviderQuerySet
from billing.providers.types import Ref


class Customer(ProviderOwned):
    """One row per organization, provider and mode; inserted before the remote customer is made."""

    organization = models.ForeignKey(
        settings.BILLING_ORGANIZATION_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    provider_customer_id = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 - unique, and unknown at first
    name = models.CharField(max_length=200, blank=True)
    email = models.CharField(max_length=320, blank=True)
    default_payment_method_id = models.CharField(max_length=255, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = ProviderQuerySet["Customer"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "provider", "mode"], name="billing_customer_once"
            ),
            models.UniqueConstraint(
                fields=["provider", "mode", "provider_customer_id"], name="billing_customer_remote"
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="billing_customer_newest"),
            models.Index(fields=["email"], name="billing_customer_email"),
        ]

    def __str__(self) -> str:
        return f"{self.name or self.email or self.organization_id} ({self.provider})"

    @property
    def ref(self) -> Ref:
        return Ref(id=self.provider_customer_id or "", customer_id=self.provider_customer_id or "")
