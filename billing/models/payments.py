"""Attempts to move money."""

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.enums import PaymentStatus, VoucherState
from billing.models.base import ProviderOwned, ProviderQuerySet, choices, decimal_of
from billing.providers.types import Ref


class PaymentQuerySet(ProviderQuerySet["Payment"]):
    def vouchers(self) -> "PaymentQuerySet":
        """Paid by hand, or to be paid so."""
        return self.exclude(voucher_method="")

    def waiting(self, now: datetime) -> "PaymentQuerySet":
        """Vouchers that can still be paid at `now`, in billing time."""
        is_valid = Q(voucher_expires_at=None) | Q(voucher_expires_at__gt=now)
        return self.vouchers().filter(is_valid, status=PaymentStatus.PENDING)


class Payment(ProviderOwned):
    """One attempt; `amount_minor` in minor units of `currency`.

    `refunded_minor` and `charged_back_minor` are the sums of its refunds and disputes that count.
    `voucher_method` is "" for what is not paid by hand; it and `voucher_expires_at` stay when the
    voucher is paid or over, while `next_action` is only there as long as it waits.
    """

    organization = models.ForeignKey(
        settings.BILLING_ORGANIZATION_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    customer = models.ForeignKey(
        "billing.Customer", on_delete=models.PROTECT, related_name="payments"
    )
    invoice = models.ForeignKey(
        "billing.Invoice",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="payments",
    )
    payment_method = models.ForeignKey(
        "billing.PaymentMethod",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="payments",
    )
    provider_payment_id = models.CharField(max_length=255)
    provider_payment_method_id = models.CharField(max_length=255, blank=True)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    refunded_minor = models.BigIntegerField(default=0)
    charged_back_minor = models.BigIntegerField(default=0)
    status = models.CharField(
        max_length=20, choices=choices(PaymentStatus), default=PaymentStatus.PENDING.value
    )
    provider_status = models.CharField(max_length=60, blank=True)
    decline_code = models.CharField(max_length=60, blank=True)
    next_action = models.JSONField(default=dict, blank=True)
    paid_at = models.DateTimeField(null=True, blank=True)
    voucher_method = models.CharField(max_length=20, blank=True)
    voucher_expires_at = models.DateTimeField(null=True, blank=True)

    objects = PaymentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "mode", "provider_payment_id"], name="billing_payment_remote"
            )
        ]
        indexes = [
            models.Index(fields=["organization", "-created_at", "-id"], name="billing_pay_org"),
            models.Index(fields=["-created_at", "-id"], name="billing_pay_newest"),
            models.Index(fields=["status", "-created_at"], name="billing_pay_status"),
            models.Index(fields=["provider", "-created_at"], name="billing_pay_provider"),
            models.Index(
                fields=["provider_payment_method_id"],
                condition=Q(payment_method=None) & ~Q(provider_payment_method_id=""),
                name="billing_pay_unlinked_method",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}: {self.status}"

    @property
    def amount(self) -> Decimal | None:
        """The amount in major units."""
        return decimal_of(self.amount_minor, self.currency)

    def voucher_state(self, now: datetime) -> VoucherState:
        """What has become of the voucher at `now`, in billing time."""
        if self.status == PaymentStatus.SUCCEEDED:
            return VoucherState.PAID
        is_over = self.voucher_expires_at is not None and self.voucher_expires_at <= now
        is_waiting = self.status == PaymentStatus.PENDING and not is_over
        return VoucherState.WAITING if is_waiting else VoucherState.EXPIRED

    @property
    def ref(self) -> Ref:
        return Ref(
            id=self.provider_payment_id, customer_id=self.customer.provider_customer_id or ""
        )
