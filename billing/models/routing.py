"""Who takes the money, and why: versioned rules and the decisions made by them."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.enums import TransactionType
from billing.models.base import BaseModel, OrganizationQuerySet, choices


class RuleSet(BaseModel):
    """One version of the routing rules; the active one decides. BILLING_ROUTES seeds version 1."""

    version = models.PositiveIntegerField(unique=True)
    rules = models.JSONField()
    is_active = models.BooleanField(default=False)
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["is_active"], condition=Q(is_active=True), name="billing_ruleset_one_active"
            )
        ]
        ordering = ("-version",)

    def __str__(self) -> str:
        return f"Version {self.version}"


class RoutingDecision(BaseModel):
    """`rules` holds every rule with `matched` or `skipped` and why; `rule_index` counts from 0."""

    organization = models.ForeignKey(
        settings.BILLING_ORGANIZATION_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    rule_set = models.ForeignKey(RuleSet, on_delete=models.PROTECT, related_name="decisions")
    transaction_type = models.CharField(max_length=20, choices=choices(TransactionType))
    provider = models.CharField(max_length=40)
    currency = models.CharField(max_length=3)
    country = models.CharField(max_length=2, blank=True)
    evidence = models.JSONField(default=list)
    rules = models.JSONField(default=list)
    rule_index = models.PositiveSmallIntegerField()
    reason = models.TextField()

    objects = OrganizationQuerySet["RoutingDecision"].as_manager()

    class Meta:
        indexes = [models.Index(fields=["-created_at", "-id"], name="billing_decision_newest")]

    def __str__(self) -> str:
        return self.reason
