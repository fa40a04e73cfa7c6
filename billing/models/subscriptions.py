"""A subscription as its provider reports it, with our plan, price and decision beside it."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.enums import (
    BillingInterval,
    Collection,
    EndReason,
    IncompleteReason,
    SubscriptionStatus,
)
from billing.lifecycle import TERMINAL_SUBSCRIPTION
from billing.models.base import ProviderOwned, ProviderQuerySet, choices
from billing.providers.types import Ref

_TERMINAL = sorted(status.value for status in TERMINAL_SUBSCRIPTION)


class SubscriptionQuerySet(ProviderQuerySet["Subscription"]):
    def live(self) -> "SubscriptionQuerySet":
        """Not ended: what occupies its slot."""
        return self.filter(ended_at=None)

    def with_details(self) -> "SubscriptionQuerySet":
        """Everything that one line of API or admin shows, in one query."""
        return self.select_related("plan", "price", "payment_method", "customer")


class Subscription(ProviderOwned):
    """`slot` is unique per organization while the subscription lives; null for foreign ones.

    `provider_status` is the provider's own word. `usage_data` holds totals per feature.
    """

    organization = models.ForeignKey(
        settings.BILLING_ORGANIZATION_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    customer = models.ForeignKey(
        "billing.Customer", on_delete=models.PROTECT, related_name="subscriptions"
    )
    plan = models.ForeignKey(
        "billing.SubscriptionPlan",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="subscriptions",
    )
    price = models.ForeignKey(
        "billing.Price",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="subscriptions",
    )
    payment_method = models.ForeignKey(
        "billing.PaymentMethod",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="subscriptions",
    )
    decision = models.ForeignKey(
        "billing.RoutingDecision",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="subscriptions",
    )
    provider_subscription_id = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 - unique, and unknown at first
    provider_customer_id = models.CharField(max_length=255, blank=True)
    provider_price_id = models.CharField(max_length=255, blank=True)
    provider_payment_method_id = models.CharField(max_length=255, blank=True)
    slot = models.CharField(max_length=40, null=True, blank=True, default="main")  # noqa: DJ001 - null is outside the unique slot
    status = models.CharField(
        max_length=20,
        choices=choices(SubscriptionStatus),
        default=SubscriptionStatus.INCOMPLETE.value,
    )
    provider_status = models.CharField(max_length=60, blank=True)
    incomplete_reason = models.CharField(
        max_length=20, choices=choices(IncompleteReason), blank=True
    )
    collection = models.CharField(
        max_length=10, choices=choices(Collection), default=Collection.AUTOMATIC.value
    )
    collection_paused = models.BooleanField(default=False)
    billing_interval = models.CharField(max_length=10, choices=choices(BillingInterval), blank=True)
    quantity = models.PositiveIntegerField(default=1)
    current_period_start = models.DateTimeField(null=True, blank=True)
    current_period_end = models.DateTimeField(null=True, blank=True)
    trial_start = models.DateTimeField(null=True, blank=True)
    trial_end = models.DateTimeField(null=True, blank=True)
    cancel_at_period_end = models.BooleanField(default=False)
    cancel_at = models.DateTimeField(null=True, blank=True)
    canceled_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=20, choices=choices(EndReason), blank=True)
    resumes_at = models.DateTimeField(null=True, blank=True)
    next_action = models.JSONField(default=dict, blank=True)
    usage_data = models.JSONField(default=dict, blank=True)
    metadata = models.JSONField(default=dict, blank=True)

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "mode", "slot"],
                condition=Q(ended_at=None, slot__isnull=False),
                name="billing_subscription_slot",
            ),
            models.UniqueConstraint(
                fields=["provider", "mode", "provider_subscription_id"],
                name="billing_subscription_remote",
            ),
            models.CheckConstraint(
                condition=Q(status__in=_TERMINAL, ended_at__isnull=False)
                | (~Q(status__in=_TERMINAL) & Q(ended_at=None)),
                name="billing_subscription_ended",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "-created_at", "-id"], name="billing_sub_org"),
            models.Index(fields=["-created_at", "-id"], name="billing_sub_newest"),
            models.Index(fields=["status", "-created_at"], name="billing_sub_status"),
            models.Index(fields=["provider", "-created_at"], name="billing_sub_provider"),
            models.Index(fields=["current_period_end"], name="billing_sub_period_end"),
            models.Index(fields=["plan"], condition=Q(ended_at=None), name="billing_sub_plan_live"),
            models.Index(
                fields=["provider_price_id"],
                condition=Q(price=None),
                name="billing_sub_unmapped_price",
            ),
            models.Index(
                fields=["provider_payment_method_id"],
                condition=Q(payment_method=None) & ~Q(provider_payment_method_id=""),
                name="billing_sub_unlinked_method",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan or 'Unmapped plan'}: {self.status}"

    @property
    def ref(self) -> Ref:
        return Ref(id=self.provider_subscription_id or "", customer_id=self.provider_customer_id)
