"""Effects that must follow a commit, written in the same transaction as what causes them."""

from django.db import models
from django.db.models import Q

from billing.enums import OutboxState
from billing.models.base import BaseModel, choices


class OutboxMessage(BaseModel):
    """`payload` holds ids, never objects. `dedupe_key` makes the same effect be written once."""

    topic = models.CharField(max_length=60)
    dedupe_key = models.CharField(max_length=200, unique=True)
    payload = models.JSONField(default=dict)
    state = models.CharField(
        max_length=10, choices=choices(OutboxState), default=OutboxState.PENDING.value
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True, blank=True)
    claim_id = models.UUIDField(null=True, blank=True)
    processed_at = models.DateTimeField(null=True, blank=True)
    error_message = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=Q(state__in=[OutboxState.PENDING.value, OutboxState.FAILED.value]),
                name="billing_outbox_due",
            ),
            models.Index(fields=["-created_at", "-id"], name="billing_outbox_newest"),
            models.Index(
                fields=["-created_at"],
                condition=Q(state=OutboxState.DEAD.value),
                name="billing_outbox_dead",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.dedupe_key}"
