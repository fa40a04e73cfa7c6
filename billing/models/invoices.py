"""Invoices as the provider made them: their amounts are the provider's, never computed here."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.enums import InvoiceStatus, PaymentState
from billing.models.base import ProviderOwned, ProviderQuerySet, choices, decimal_of
from billing.providers.types import Ref


class InvoiceQuerySet(ProviderQuerySet["Invoice"]):
    def open(self) -> "InvoiceQuerySet":
        """Finalised and not paid yet."""
        return self.filter(status=InvoiceStatus.OPEN)


class Invoice(ProviderOwned):
    """Money in minor units of `currency`; the bare names are Decimals in major units.

    `refunded_minor` and `charged_back_minor` are the sums of its payments; `payment_state` of a
    paid invoice follows from them.
    """

    organization = models.ForeignKey(
        settings.BILLING_ORGANIZATION_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    customer = models.ForeignKey(
        "billing.Customer", on_delete=models.PROTECT, related_name="invoices"
    )
    subscription = models.ForeignKey(
        "billing.Subscription",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="invoices",
    )
    decision = models.ForeignKey(
        "billing.RoutingDecision",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="invoices",
    )
    payment_method = models.ForeignKey(
        "billing.PaymentMethod",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="invoices",
    )
    provider_invoice_id = models.CharField(max_length=255)
    payment_intent_id = models.CharField(max_length=255, blank=True)
    provider_payment_method_id = models.CharField(max_length=255, blank=True)
    number = models.CharField(max_length=100, blank=True)
    status = models.CharField(
        max_length=15, choices=choices(InvoiceStatus), default=InvoiceStatus.DRAFT.value
    )
    provider_status = models.CharField(max_length=60, blank=True)
    payment_state = models.CharField(
        max_length=20, choices=choices(PaymentState), default=PaymentState.NONE.value
    )
    currency = models.CharField(max_length=3)
    subtotal_minor = models.BigIntegerField(default=0)
    discount_minor = models.BigIntegerField(default=0)
    tax_minor = models.BigIntegerField(default=0)
    total_minor = models.BigIntegerField(default=0)
    amount_due_minor = models.BigIntegerField(default=0)
    amount_paid_minor = models.BigIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)
    charged_back_minor = models.BigIntegerField(default=0)
    period_start = models.DateTimeField(null=True, blank=True)
    period_end = models.DateTimeField(null=True, blank=True)
    due_date = models.DateTimeField(null=True, blank=True)
    paid_at = models.DateTimeField(null=True, blank=True)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    invoice_pdf_url = models.URLField(max_length=1000, blank=True)
    hosted_invoice_url = models.URLField(max_length=1000, blank=True)
    line_items = models.JSONField(default=list, blank=True)

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "mode", "provider_invoice_id"], name="billing_invoice_remote"
            )
        ]
        indexes = [
            models.Index(fields=["organization", "-created_at", "-id"], name="billing_inv_org"),
            models.Index(fields=["-created_at", "-id"], name="billing_inv_newest"),
            models.Index(fields=["status", "-created_at"], name="billing_inv_status"),
            models.Index(fields=["provider", "-created_at"], name="billing_inv_provider"),
            models.Index(
                fields=["provider_payment_method_id"],
                condition=Q(payment_method=None) & ~Q(provider_payment_method_id=""),
                name="billing_inv_unlinked_method",
            ),
            models.Index(fields=["payment_intent_id"], name="billing_inv_payment"),
            models.Index(fields=["number"], name="billing_inv_number"),
        ]

    def __str__(self) -> str:
        return self.number or self.provider_invoice_id

    @property
    def amount(self) -> Decimal | None:
        """The total in major units, tax included."""
        return decimal_of(self.total_minor, self.currency)

    @property
    def amount_due(self) -> Decimal | None:
        """What is still owed, in major units."""
        return decimal_of(self.amount_due_minor, self.currency)

    @property
    def ref(self) -> Ref:
        return Ref(
            id=self.provider_invoice_id, customer_id=self.customer.provider_customer_id or ""
        )
