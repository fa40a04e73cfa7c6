"""Tokens of cards and accounts at a provider: never a card number, only what may be shown."""

from django.conf import settings
from django.db import models

from billing.models.base import ProviderOwned, ProviderQuerySet
from billing.providers.types import Ref


class PaymentMethodQuerySet(ProviderQuerySet["PaymentMethod"]):
    def attached(self) -> "PaymentMethodQuerySet":
        """Methods that can be charged."""
        return self.filter(is_active=True)

    def defaults(self) -> "PaymentMethodQuerySet":
        """Methods that renewals at their provider are charged to."""
        return self.filter(
            is_active=True,
            provider_payment_method_id=models.F("customer__default_payment_method_id"),
        )


class PaymentMethod(ProviderOwned):
    """`type` is open text: card, bank_account, sepa_debit, oxxo, spei, and what providers add."""

    organization = models.ForeignKey(
        settings.BILLING_ORGANIZATION_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    customer = models.ForeignKey(
        "billing.Customer", on_delete=models.PROTECT, related_name="payment_methods"
    )
    provider_payment_method_id = models.CharField(max_length=255)
    provider_customer_id = models.CharField(max_length=255, blank=True)
    type = models.CharField(max_length=40)
    last4 = models.CharField(max_length=4, blank=True)
    brand = models.CharField(max_length=40, blank=True)
    exp_month = models.PositiveSmallIntegerField(null=True, blank=True)
    exp_year = models.PositiveSmallIntegerField(null=True, blank=True)
    billing_address = models.JSONField(default=dict, blank=True)
    is_active = models.BooleanField(default=True)

    objects = PaymentMethodQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "mode", "provider_payment_method_id"],
                name="billing_paymentmethod_remote",
            )
        ]
        indexes = [
            models.Index(fields=["organization", "-created_at", "-id"], name="billing_pm_org"),
            models.Index(fields=["-created_at", "-id"], name="billing_pm_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.brand or self.type} {self.last4}".strip()

    @property
    def is_default(self) -> bool:
        """Whether renewals at its provider are charged to it; the customer row holds the truth."""
        return self.is_active and (
            self.customer.default_payment_method_id == self.provider_payment_method_id
        )

    @property
    def ref(self) -> Ref:
        return Ref(id=self.provider_payment_method_id, customer_id=self.provider_customer_id)
