"""Who takes the money, and why: versioned rules and the decisions made by them."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.enums import BillingInterval, RuleSetState, TransactionType
from billing.models.base import BaseModel, OrganizationQuerySet, choices


class RuleSet(BaseModel):
    """One version of the routing rules. BILLING_ROUTES seeds version 1.

    Only a draft changes: what has decided once is kept as it was, so that each decision can be
    made again. `services.routing` drafts, edits and activates.
    """

    version = models.PositiveIntegerField(unique=True)
    rules = models.JSONField()
    state = models.CharField(
        max_length=10, choices=choices(RuleSetState), default=RuleSetState.DRAFT.value
    )
    note = models.CharField(max_length=200, blank=True)
    activated_at = models.DateTimeField(null=True, blank=True, editable=False)
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["state"],
                condition=Q(state=RuleSetState.ACTIVE.value),
                name="billing_ruleset_one_active",
            )
        ]
        ordering = ("-version",)

    def __str__(self) -> str:
        return f"Version {self.version} ({self.get_state_display().lower()})"


class RoutingDecision(BaseModel):
    """A choice with all that it was made from; `rule_index` counts from 0.

    `evidence` is where the country comes from and what speaks against it, `answers` what became of
    every rule, `context` and `facts` what the pure router was asked: with the rule set they give
    the same choice again (`services.routing.recompute`).
    """

    organization = models.ForeignKey(
        settings.BILLING_ORGANIZATION_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    rule_set = models.ForeignKey(RuleSet, on_delete=models.PROTECT, related_name="decisions")
    transaction_type = models.CharField(max_length=20, choices=choices(TransactionType))
    plan = models.ForeignKey(
        "billing.SubscriptionPlan",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="decisions",
    )
    billing_interval = models.CharField(max_length=10, choices=choices(BillingInterval), blank=True)
    product = models.ForeignKey(
        "billing.Product",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="decisions",
    )
    provider = models.CharField(max_length=40)
    runner_up = models.CharField(max_length=40, blank=True)
    currency = models.CharField(max_length=3)
    country = models.CharField(max_length=2, blank=True)
    methods = models.JSONField(default=list)
    evidence = models.JSONField(default=list)
    context = models.JSONField(default=dict)
    facts = models.JSONField(default=dict)
    answers = models.JSONField(default=list)
    rule_index = models.PositiveSmallIntegerField()

    objects = OrganizationQuerySet["RoutingDecision"].as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["organization", "-created_at", "-id"], name="billing_decision_org"
            ),
            models.Index(fields=["-created_at", "-id"], name="billing_decision_newest"),
            models.Index(fields=["provider", "-created_at"], name="billing_decision_provider"),
            models.Index(fields=["country", "-created_at"], name="billing_decision_country"),
        ]

    def __str__(self) -> str:
        return f"{self.provider}, {self.currency}, by rule {self.rule_index + 1}"
