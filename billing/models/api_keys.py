"""Idempotency keys of our own API's clients."""

from django.conf import settings
from django.db import models

from billing.enums import IdempotencyStatus
from billing.models.base import BaseModel, choices


class IdempotencyKey(BaseModel):
    """One client request that writes. `fingerprint` covers method, path and body.

    A running key is a lease until `locked_until`: a killed process blocks nobody for ever.
    """

    organization = models.ForeignKey(
        settings.BILLING_ORGANIZATION_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.CharField(max_length=10, choices=choices(IdempotencyStatus))
    locked_until = models.DateTimeField()
    response_status = models.PositiveSmallIntegerField(null=True, blank=True)
    response_body = models.JSONField(null=True, blank=True)
    response_headers = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "key"], name="billing_idempotencykey_once"
            )
        ]
        indexes = [models.Index(fields=["created_at"], name="billing_idempotency_age")]

    def __str__(self) -> str:
        return f"{self.key}: {self.status}"
