"""The ledger of what changed and why. Append-only."""

import uuid

from django.conf import settings
from django.db import models

from billing.enums import ChangeCause, ChangeOutcome
from billing.models.base import OrganizationQuerySet, choices


class StateChange(models.Model):
    """A row per applied or superseded event, and per other change. No unique key hides double work.

    `object_type` is a model's lower-case name, `event_id` the WebhookEvent that caused it,
    `occurred_at` the provider's time of the snapshot.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    organization = models.ForeignKey(
        settings.BILLING_ORGANIZATION_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    object_type = models.CharField(max_length=20)
    object_id = models.UUIDField()
    provider = models.CharField(max_length=40, blank=True)
    cause = models.CharField(max_length=10, choices=choices(ChangeCause))
    outcome = models.CharField(max_length=12, choices=choices(ChangeOutcome))
    code = models.CharField(max_length=40, blank=True)
    from_state = models.CharField(max_length=60, blank=True)
    to_state = models.CharField(max_length=60, blank=True)
    event_id = models.UUIDField(null=True, blank=True)
    event_type = models.CharField(max_length=255, blank=True)
    occurred_at = models.DateTimeField()
    detail = models.JSONField(default=dict, blank=True)

    objects = OrganizationQuerySet["StateChange"].as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["object_type", "object_id", "created_at"], name="billing_change_object"
            ),
            models.Index(fields=["event_id"], name="billing_change_event"),
            models.Index(fields=["-created_at", "-id"], name="billing_change_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.object_type} {self.from_state or '-'} to {self.to_state or '-'}"
