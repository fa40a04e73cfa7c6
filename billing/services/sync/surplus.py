"""Money that came when it was not wanted any more: after its voucher's end, or a second time.

Nothing is sent back by itself: it is written down once for each payment, and staff decide.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from billing.enums import ChangeCause, ChangeOutcome, PaymentStatus
from billing.models import Invoice, Payment, StateChange

logger = logging.getLogger(__name__)

LATE = "late_payment"
DOUBLE = "double_payment"
CODES = (LATE, DOUBLE)


def tell(payments: Sequence[Payment]) -> None:
    """Write down which of these succeeded payments came late, or for what was paid already.

    Call it in the transaction that writes them.
    """
    found = [
        (LATE, payment) for payment in _late([each for each in payments if each.voucher_method])
    ]
    found += [(DOUBLE, payment) for payment in _doubles(payments)]
    if not found:
        return
    told = surplus_of([payment for _, payment in found])
    new = [(code, payment) for code, payment in found if code not in told[payment.pk]]
    StateChange.objects.bulk_create([_change(code, payment) for code, payment in new])
    for code, payment in new:
        extra = {"payment": str(payment.pk), "provider": payment.provider, "code": code}
        logger.error("payment.not_wanted", extra=extra)


def surplus_of(payments: Sequence[Payment]) -> Mapping[UUID, list[str]]:
    """The codes that were written down for each of these payments."""
    found: dict[UUID, list[str]] = defaultdict(list)
    keys = [payment.pk for payment in payments]
    changes = StateChange.objects.filter(object_id__in=keys, code__in=CODES).order_by("code")
    for key, code in changes.values_list("object_id", "code"):
        found[key].append(code)
    return found


def _late(vouchers: Sequence[Payment]) -> Iterator[Payment]:
    """Those paid after their end, and those that we had been told were over."""
    if not vouchers:
        return
    over = StateChange.objects.filter(
        object_id__in=[payment.pk for payment in vouchers], to_state=PaymentStatus.CANCELED
    )
    keys = set(over.values_list("object_id", flat=True))
    for payment in vouchers:
        ends, paid = payment.voucher_expires_at, payment.paid_at
        if payment.pk in keys or (ends and paid and paid > ends):
            yield payment


def _doubles(payments: Sequence[Payment]) -> Iterator[Payment]:
    """Payments with which more has come for an invoice than it asks for.

    The invoices are locked, after their payments as everywhere: the last of two writers sees both.
    """
    ids = {payment.invoice_id for payment in payments if payment.invoice_id}
    if not ids:
        return
    rows = Invoice.objects.filter(pk__in=ids).select_for_update(no_key=True).order_by("pk")
    totals: dict[UUID | None, int] = dict(rows.values_list("pk", "total_minor"))
    by_invoice = defaultdict(list)
    found = Payment.objects.filter(invoice__in=ids, status=PaymentStatus.SUCCEEDED)
    for payment in found.defer("provider_data"):
        by_invoice[payment.invoice_id].append(payment)
    for invoice_id, paid in by_invoice.items():
        if len(paid) > 1:
            yield from _beyond(totals[invoice_id], paid, {payment.pk for payment in payments})


def _beyond(total_minor: int, paid: Sequence[Payment], written: set[UUID]) -> Iterator[Payment]:
    """Of one invoice's payments those after the first that `total_minor` did not ask for. Of one
    second, the one that was told already is the later, then the one that is being written."""
    told = surplus_of(paid)

    def when(payment: Payment) -> tuple[datetime, bool, bool]:
        came_at = payment.paid_at or payment.created_at
        return (came_at, DOUBLE in told[payment.pk], payment.pk in written)

    collected = 0
    for payment in sorted(paid, key=when):
        if collected and collected + payment.amount_minor > total_minor:
            yield payment
        collected += payment.amount_minor


def _change(code: str, payment: Payment) -> StateChange:
    return StateChange(
        organization_id=payment.organization_id,
        object_type="payment",
        object_id=payment.pk,
        provider=payment.provider,
        cause=ChangeCause.DRIFT,
        outcome=ChangeOutcome.UNCHANGED,
        code=code,
        from_state=payment.status,
        to_state=payment.status,
        occurred_at=payment.paid_at or timezone.now(),
        detail={"invoice": str(payment.invoice_id or "")},
    )
