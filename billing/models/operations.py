"""One row per write at a provider, committed with its idempotency key before the call."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from billing.enums import OperationOutcome
from billing.models.base import BaseModel, OrganizationQuerySet, choices


class Operation(BaseModel):
    """`request_key` is the client's Idempotency-Key, `key` ours to the provider.

    A repeated request finds its operation by organization, request key, verb and step, unless it
    failed: then nothing happened at the provider and the repetition starts afresh. `request` is
    what was asked for, where only that tells whether the effect is there; never a token.
    """

    organization = models.ForeignKey(
        settings.BILLING_ORGANIZATION_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    request_key = models.CharField(max_length=255, blank=True)
    verb = models.CharField(max_length=60)
    step = models.CharField(max_length=100, blank=True)
    provider = models.CharField(max_length=40)
    subject_type = models.CharField(max_length=20)
    subject_id = models.UUIDField()
    key = models.CharField(max_length=255, unique=True)
    request = models.JSONField(default=dict, blank=True)
    outcome = models.CharField(
        max_length=10, choices=choices(OperationOutcome), default=OperationOutcome.PENDING.value
    )
    remote_id = models.CharField(max_length=255, blank=True)
    error_code = models.CharField(max_length=60, blank=True)
    decline_code = models.CharField(max_length=60, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    # Set on the instance that `reserve` made, not on those that a repetition finds.
    was_reserved_now = False

    objects = OrganizationQuerySet["Operation"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "request_key", "verb", "step"],
                condition=~Q(request_key="") & ~Q(outcome=OperationOutcome.FAILED.value),
                name="billing_operation_request",
            )
        ]
        indexes = [
            models.Index(fields=["subject_type", "subject_id"], name="billing_op_subject"),
            models.Index(fields=["-created_at", "-id"], name="billing_op_newest"),
            models.Index(
                fields=["created_at"],
                condition=Q(
                    outcome__in=[OperationOutcome.PENDING.value, OperationOutcome.UNKNOWN.value]
                ),
                name="billing_op_unsettled",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verb}: {self.outcome}"

    @property
    def is_done(self) -> bool:
        return self.outcome == OperationOutcome.DONE
