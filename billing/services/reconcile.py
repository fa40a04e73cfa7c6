"""Repairing what a crash or a lost answer left open."""

import logging
from collections.abc import Callable, Mapping

from django.db.models import QuerySet
from django.utils import timezone

from billing.conf import conf
from billing.enums import ChangeCause, OperationOutcome
from billing.errors import BillingError
from billing.models import Operation, Subscription
from billing.providers.base import ReadsInvoices, ReadsPayments, ReadsSubscriptions
from billing.providers.types import Ref
from billing.registry import providers
from billing.services import customers, operations, plans, refunds, subscriptions, sync

logger = logging.getLogger(__name__)
BATCH_SIZE = 50

# A creation is repeated with its key where the provider keeps keys: it is what the caller wanted,
# and nobody could find what is missing. Anything else is looked at as the provider holds it now;
# so is a refund, for a payment's refunds can be listed, and money moves only while somebody asks.
_CREATIONS: Mapping[str, Callable[[Operation], object]] = {
    customers.CREATE: customers.settle_creation,
    subscriptions.CREATE: subscriptions.settle_creation,
    plans.PUBLISH_VERB: plans.settle_publication,
    refunds.CREATE: refunds.settle_creation,
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
        if operation.verb == subscriptions.CREATE and operation.is_done:
            _read_bill(operation)
        settled += operation.outcome in (OperationOutcome.DONE, OperationOutcome.FAILED)
    return settled


def _read_bill(operation: Operation) -> None:
    """Read the invoice and the payment that a creation made: where its answer was lost, their
    webhooks may be lost too. What cannot be read now is left to them, and to a sync."""
    row = Subscription.objects.select_related("customer").get(pk=operation.subject_id)
    try:
        data = providers.get(row.provider, ReadsSubscriptions).get_subscription(row.ref)
        if not data.latest_invoice_id:
            return
        invoice = providers.get(row.provider, ReadsInvoices).get_invoice(
            Ref(id=data.latest_invoice_id, customer_id=data.customer_id)
        )
        sync.upsert_invoice(row.provider, invoice, cause=ChangeCause.SYNC)
        if invoice.payment_id:
            payment = providers.get(row.provider, ReadsPayments).get_payment(
                Ref(id=invoice.payment_id, customer_id=data.customer_id)
            )
            sync.upsert_payment(row.provider, payment, cause=ChangeCause.SYNC)
    except BillingError as exc:
        extra = {"operation": str(operation.pk), "code": exc.code}
        logger.warning("operation.bill_not_read", extra=extra)


def _open() -> QuerySet[Operation]:
    return Operation.objects.filter(
        outcome__in=[OperationOutcome.PENDING, OperationOutcome.UNKNOWN],
        provider__in=providers.aliases(),
        created_at__lt=timezone.now() - conf.idempotency_lease,
    ).order_by("updated_at", "created_at")
