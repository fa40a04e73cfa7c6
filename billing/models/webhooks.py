"""The inbox: every verified delivery, once. This table is the queue; brokers only carry hints."""

from typing import Any

from django.db import models
from django.db.models import Q

from billing.enums import EventKind, Mode, WebhookState
from billing.models.base import BaseModel, choices
from billing.payloads import parse_storable

DUE_STATES = [WebhookState.PENDING.value, WebhookState.WAITING.value, WebhookState.FAILED.value]


class WebhookEvent(BaseModel):
    """`body` is the raw text as it was signed, but for card numbers, which are masked.

    A claim is a lease: `claimed_until`, `claim_id`.

    `attempts` counts tries that failed, `waits` looks for a parent that is still unknown.
    """

    provider = models.CharField(max_length=40)
    mode = models.CharField(max_length=10, choices=choices(Mode))
    provider_event_id = models.CharField(max_length=255)
    event_type = models.CharField(max_length=255)
    kind = models.CharField(max_length=20, choices=choices(EventKind), blank=True)
    object_id = models.CharField(max_length=255, blank=True)
    customer_id = models.CharField(max_length=255, blank=True)
    parent_id = models.CharField(max_length=255, blank=True)
    api_version = models.CharField(max_length=60, blank=True)
    is_pinned = models.BooleanField(default=True)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    state = models.CharField(
        max_length=10, choices=choices(WebhookState), default=WebhookState.PENDING.value
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    waits = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True, blank=True)
    claim_id = models.UUIDField(null=True, blank=True)
    processed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=200, blank=True)
    error_message = models.TextField(blank=True)
    body = models.TextField()
    headers = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "mode", "provider_event_id"], name="billing_event_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=Q(state__in=DUE_STATES),
                name="billing_event_due",
            ),
            models.Index(
                fields=["provider", "mode", "parent_id"],
                condition=Q(state=WebhookState.WAITING.value),
                name="billing_event_waiting",
            ),
            models.Index(fields=["-received_at", "-id"], name="billing_event_newest"),
            models.Index(fields=["state", "-received_at"], name="billing_event_state"),
            models.Index(fields=["provider", "-received_at"], name="billing_event_provider"),
            models.Index(fields=["kind", "-received_at"], name="billing_event_kind"),
            models.Index(fields=["object_id"], name="billing_event_object"),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.provider_event_id}"

    @property
    def processed(self) -> bool:
        """Whether the event has taken its effect, or needs none."""
        return self.state in (WebhookState.PROCESSED, WebhookState.IGNORED)

    @property
    def payload(self) -> Any:
        """The body as JSON, with what no database column can hold replaced."""
        return parse_storable(self.body)
