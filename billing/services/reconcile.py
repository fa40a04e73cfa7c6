"""Repairing what a crash or a lost answer left open."""

import logging
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from billing.conf import conf
from billing.enums import OperationOutcome
from billing.errors import BillingError
from billing.models import Operation
from billing.providers.base import PaymentProvider
from billing.registry import providers
from billing.services import subscriptions

logger = logging.getLogger(__name__)
# Stripe keeps idempotency keys for at least 24 hours; an older repetition could act twice.
KEYS_LAST = timedelta(hours=23)
BATCH_SIZE = 50


def settle_creations() -> int:
    """Settle subscription creations whose outcome is open; return how many are settled now.

    Each is repeated with its own key, so that the provider answers what it did the first time.
    Where a provider keeps no keys only a webhook can settle it.
    """
    settled = 0
    for operation in _open_creations()[:BATCH_SIZE]:
        if not _can_repeat(operation):
            continue
        try:
            subscriptions.finish(operation)
        except BillingError as exc:
            extra = {"operation": str(operation.pk), "code": exc.code}
            logger.warning("operation.repeated", extra=extra)
        settled += operation.outcome in (OperationOutcome.DONE, OperationOutcome.FAILED)
    return settled


def _open_creations() -> QuerySet[Operation]:
    """Creations that nobody is waiting for any more, the oldest first."""
    now = timezone.now()
    return Operation.objects.filter(
        verb=subscriptions.CREATE,
        outcome__in=[OperationOutcome.PENDING, OperationOutcome.UNKNOWN],
        provider__in=providers.aliases(),
        created_at__lt=now - conf.idempotency_lease,
        created_at__gt=now - KEYS_LAST,
    ).order_by("created_at")


def _can_repeat(operation: Operation) -> bool:
    return providers.get(operation.provider, PaymentProvider).features.has_idempotency_keys
