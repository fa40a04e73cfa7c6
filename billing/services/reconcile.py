"""Repairing what a crash or a lost answer left open."""

import logging
from collections.abc import Callable, Mapping

from django.db.models import QuerySet
from django.utils import timezone

from billing.conf import conf
from billing.enums import OperationOutcome
from billing.errors import BillingError
from billing.models import Operation
from billing.registry import providers
from billing.services import customers, operations, plans, subscriptions

logger = logging.getLogger(__name__)
BATCH_SIZE = 50

# A creation is repeated with its key where the provider keeps keys: it is what the caller wanted,
# and nobody could find what is missing. Anything else is looked at as the provider holds it now.
_CREATIONS: Mapping[str, Callable[[Operation], object]] = {
    customers.CREATE: customers.settle_creation,
    subscriptions.CREATE: subscriptions.settle_creation,
    plans.PUBLISH_VERB: plans.settle_publication,
}


def reconcile_unknown() -> int:
    """Settle writes that nobody waits for any more and whose outcome is open; return how many.

    Afterwards our rows say what the provider holds, without any webhook. What cannot be settled now
    stays open for the next run, behind the others.
    """
    settled = 0
    for operation in list(_open()[:BATCH_SIZE]):
        operation.save(update_fields=["updated_at"])
        try:
            _CREATIONS.get(operation.verb, operations.look_up)(operation)
        except BillingError as exc:
            extra = {"operation": str(operation.pk), "verb": operation.verb, "code": exc.code}
            logger.warning("operation.reconciled", extra=extra)
        operation.refresh_from_db()
        settled += operation.outcome in (OperationOutcome.DONE, OperationOutcome.FAILED)
    return settled


def _open() -> QuerySet[Operation]:
    return Operation.objects.filter(
        outcome__in=[OperationOutcome.PENDING, OperationOutcome.UNKNOWN],
        provider__in=providers.aliases(),
        created_at__lt=timezone.now() - conf.idempotency_lease,
    ).order_by("updated_at", "created_at")
