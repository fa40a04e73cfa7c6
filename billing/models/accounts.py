"""The billing profile of an organization: one per organization, shared by all providers."""

from django.conf import settings
from django.db import models

from billing.models.base import BaseModel, OrganizationQuerySet


class BillingAccount(BaseModel):
    organization = models.OneToOneField(
        settings.BILLING_ORGANIZATION_MODEL,
        on_delete=models.PROTECT,
        related_name="billing_account",
    )
    name = models.CharField(max_length=200, blank=True)
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=20, blank=True, help_text="E.164: +525512345678")
    address = models.JSONField(
        default=dict, blank=True, help_text="line1, line2, city, state, postal_code, country"
    )
    country = models.CharField(max_length=2, blank=True, help_text="ISO 3166-1, two capitals")
    tax_id = models.CharField(max_length=40, blank=True)
    fiscal_fields = models.JSONField(default=dict, blank=True)
    locale = models.CharField(max_length=10, default="en")
    time_zone = models.CharField(max_length=50, default="UTC")

    objects = OrganizationQuerySet["BillingAccount"].as_manager()

    class Meta:
        indexes = [models.Index(fields=["email"], name="billing_account_email")]

    def __str__(self) -> str:
        return self.name or str(self.organization)

    @property
    def billing_country(self) -> str:
        """The country of the billing address, else of the profile, else ''."""
        return str(self.address.get("country") or self.country or "").upper()
