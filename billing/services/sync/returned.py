"""What has gone back of payments and invoices: sums of the refunds and disputes that count.

Locks are taken in one order, refund or dispute, payment, invoice, and a sum is made under the lock
of the row that it stands in: so the last of two writers counts what both wrote.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet, Sum

from billing.enums import InvoiceStatus, PaymentState
from billing.models import Dispute, Invoice, Payment, Refund

SOMETHING_IS_GONE = ~Q(refunded_minor=0) | ~Q(charged_back_minor=0)
_SUMS = ("refunded_minor", "charged_back_minor")
_OF_THE_PAID = frozenset(
    {
        PaymentState.PAID,
        PaymentState.PARTIALLY_REFUNDED,
        PaymentState.REFUNDED,
        PaymentState.CHARGED_BACK,
    }
)


def state_of_paid(paid: int, refunded: int, charged_back: int) -> PaymentState:
    """Return the payment state of a paid invoice by what has gone back of it, in minor units."""
    if charged_back > 0:
        return PaymentState.CHARGED_BACK
    if refunded <= 0:
        return PaymentState.PAID
    return PaymentState.REFUNDED if refunded >= paid else PaymentState.PARTIALLY_REFUNDED


def sum_up(payment_ids: Collection[UUID]) -> None:
    """Bring these payments' sums, and their invoices', to what their refunds and disputes say.

    Call it in the transaction that writes those.
    """
    payments = _locked(Payment.objects.filter(pk__in=payment_ids))
    refunded = _sums(Refund.objects.made(), "payment_id", payments, "amount_minor")
    charged_back = _sums(Dispute.objects.charged_back(), "payment_id", payments, "amount_minor")
    for payment in payments:
        payment.refunded_minor = refunded.get(payment.pk, 0)
        payment.charged_back_minor = charged_back.get(payment.pk, 0)
    Payment.objects.bulk_update(payments, _SUMS)
    sum_up_invoices({payment.invoice_id for payment in payments if payment.invoice_id})


def sum_up_invoices(invoice_ids: Collection[UUID]) -> None:
    """Bring these invoices' sums and payment states to what their payments say."""
    if not invoice_ids:
        return
    invoices = _locked(Invoice.objects.filter(pk__in=invoice_ids))
    rows = Payment.objects.all()
    refunded, charged_back = (_sums(rows, "invoice_id", invoices, column) for column in _SUMS)
    for invoice in invoices:
        invoice.refunded_minor = refunded.get(invoice.pk, 0)
        invoice.charged_back_minor = charged_back.get(invoice.pk, 0)
        if invoice.status == InvoiceStatus.PAID and invoice.payment_state in _OF_THE_PAID:
            invoice.payment_state = state_of_paid(
                invoice.amount_paid_minor, invoice.refunded_minor, invoice.charged_back_minor
            )
    Invoice.objects.bulk_update(invoices, (*_SUMS, "payment_state"))


def _locked(rows: QuerySet[Any]) -> list[Any]:
    return list(rows.select_for_update(no_key=True).order_by("pk"))


def _sums(rows: QuerySet[Any], by: str, owners: list[Any], column: str) -> dict[UUID, int]:
    found = rows.filter(**{f"{by}__in": [owner.pk for owner in owners]}).values_list(by)
    return dict(found.annotate(total=Sum(column)))
