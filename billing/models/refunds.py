"""Money that goes back to the customer: what we send, and what banks take."""

from decimal import Decimal

from django.conf import settings
from django.db import models

from billing.enums import DisputeStatus, RefundReason, RefundStatus
from billing.lifecycle import DISPUTES_THAT_COUNT, TERMINAL_REFUND
from billing.models.base import ProviderOwned, ProviderQuerySet, choices, decimal_of


class RefundQuerySet(ProviderQuerySet["Refund"]):
    def lasting(self) -> "RefundQuerySet":
        """All but those that failed or were canceled; also what is only reserved yet."""
        return self.exclude(status__in=TERMINAL_REFUND)

    def made(self) -> "RefundQuerySet":
        """Those that the provider has and that count: the money has gone or is on its way."""
        return self.lasting().filter(provider_refund_id__isnull=False)


class Refund(ProviderOwned):
    """`amount_minor` of `payment` in minor units of `currency`.

    The row is reserved before the provider is asked; without `provider_refund_id` it is only that.
    """

    organization = models.ForeignKey(
        settings.BILLING_ORGANIZATION_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    payment = models.ForeignKey("billing.Payment", on_delete=models.PROTECT, related_name="refunds")
    provider_refund_id = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 - unique, and unknown at first
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    status = models.CharField(
        max_length=20, choices=choices(RefundStatus), default=RefundStatus.PENDING.value
    )
    provider_status = models.CharField(max_length=60, blank=True)
    reason = models.CharField(max_length=30, choices=choices(RefundReason), blank=True)
    failure_code = models.CharField(max_length=60, blank=True)

    objects = RefundQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "mode", "provider_refund_id"], name="billing_refund_remote"
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "-created_at", "-id"], name="billing_ref_org"),
            models.Index(fields=["-created_at", "-id"], name="billing_ref_newest"),
            models.Index(fields=["status", "-created_at"], name="billing_ref_status"),
            models.Index(fields=["provider", "-created_at"], name="billing_ref_provider"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}: {self.status}"

    @property
    def amount(self) -> Decimal | None:
        """The amount in major units."""
        return decimal_of(self.amount_minor, self.currency)


class DisputeQuerySet(ProviderQuerySet["Dispute"]):
    def charged_back(self) -> "DisputeQuerySet":
        """Those for which the bank has taken the money, for now or for good."""
        return self.filter(status__in=DISPUTES_THAT_COUNT)


class Dispute(ProviderOwned):
    """A bank's objection to `payment`; `reason` is the provider's word.

    `amount_minor` is what is disputed, in minor units of `currency`; evidence is taken until
    `evidence_due_at`.
    """

    organization = models.ForeignKey(
        settings.BILLING_ORGANIZATION_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    payment = models.ForeignKey(
        "billing.Payment", on_delete=models.PROTECT, related_name="disputes"
    )
    provider_dispute_id = models.CharField(max_length=255)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    status = models.CharField(
        max_length=20, choices=choices(DisputeStatus), default=DisputeStatus.NEEDS_RESPONSE.value
    )
    provider_status = models.CharField(max_length=60, blank=True)
    reason = models.CharField(max_length=60, blank=True)
    evidence_due_at = models.DateTimeField(null=True, blank=True)

    objects = DisputeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "mode", "provider_dispute_id"], name="billing_dispute_remote"
            )
        ]
        indexes = [
            models.Index(fields=["organization", "-created_at", "-id"], name="billing_dis_org"),
            models.Index(fields=["-created_at", "-id"], name="billing_dis_newest"),
            models.Index(fields=["status", "-created_at"], name="billing_dis_status"),
            models.Index(fields=["provider", "-created_at"], name="billing_dis_provider"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}: {self.status}"

    @property
    def amount(self) -> Decimal | None:
        """The amount in major units."""
        return decimal_of(self.amount_minor, self.currency)
