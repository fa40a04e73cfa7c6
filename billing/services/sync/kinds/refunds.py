"""Refunds and disputes: both belong to a payment, and to its owner."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from billing.enums import EventKind, RefundStatus
from billing.lifecycle import TERMINAL_REFUND
from billing.models import Dispute, Payment, Refund
from billing.providers.base import ReadsDisputes, RefundsPayments
from billing.providers.types import DisputeData, RefundData
from billing.services.sync import returned
from billing.services.sync.kinds.base import Kind, Relatives, Take, by_id, locked

Returned = RefundData | DisputeData


class _OfPayments(Kind):
    """What names its payment and nobody else; its payment's sums follow it."""

    def relatives(self, provider: str, mode: str, items: Sequence[Returned]) -> Relatives:
        ids = (item.payment_id for item in items)
        rows = Payment.objects.only("provider_payment_id", "organization")
        payments = by_id(rows, "provider_payment_id", provider, mode, ids)
        return Relatives(payments=payments)

    def missing_parent(
        self, data: Returned, row: Any, relatives: Relatives
    ) -> tuple[EventKind, str]:
        known = row is not None or data.payment_id in relatives.payments
        return (EventKind.PAYMENT, "" if known else data.payment_id)

    def values(self, data: Returned, row: Any, relatives: Relatives) -> dict[str, Any]:
        values: dict[str, Any] = {
            "currency": data.currency,
            "amount_minor": data.amount_minor,
            "status": data.status.value if data.status else row.status,
            "provider_status": data.provider_status[:60],
        }
        payment = relatives.payments.get(data.payment_id)
        if payment:
            values |= {"organization_id": payment.organization_id, "payment_id": payment.pk}
        return values

    def follow(self, rows: Sequence[Any]) -> None:
        returned.sum_up({row.payment_id for row in rows})


class RefundKind(_OfPayments):
    name = EventKind.REFUND
    model = Refund
    id_field = "provider_refund_id"
    columns = (
        "organization_id", "payment_id", "currency", "amount_minor", "status", "provider_status",
        "reason", "failure_code",
    )  # fmt: skip
    reader = RefundsPayments
    read_method = "get_refund"
    terminal = frozenset(TERMINAL_REFUND)
    early = frozenset({RefundStatus.PENDING.value, RefundStatus.REQUIRES_ACTION.value})

    def reserved_rows(
        self, provider: str, mode: str, items: Sequence[Any], take: Take = locked
    ) -> dict[str, Any]:
        """But for those that we gave up: money that the provider has sent all the same counts."""
        found = {
            remote_id: row
            for remote_id, row in super().reserved_rows(provider, mode, items, take).items()
            if row.provider_refund_id or row.status not in self.terminal
        }
        unnamed = [item for item in items if not (item.reference or item.keeps_reference)]
        return found | self._of_their_amount(provider, mode, unnamed, take) if unnamed else found

    def _of_their_amount(
        self, provider: str, mode: str, items: Sequence[RefundData], take: Take
    ) -> dict[str, Any]:
        """Where the provider keeps no reference of ours: the oldest row that waits for a refund of
        that payment and amount."""
        ids = (item.payment_id for item in items)
        payments = by_id(Payment.objects.all(), "provider_payment_id", provider, mode, ids)
        rows = take(
            Refund,
            Q(provider=provider, mode=mode, provider_refund_id=None)
            & Q(payment_id__in=[payment.pk for payment in payments.values()])
            & ~Q(status__in=self.terminal),
        )
        waiting = sorted(rows, key=lambda row: row.created_at)
        found = {}
        for item in items:
            payment = payments.get(item.payment_id)
            wanted = (payment and payment.pk, item.amount_minor)
            mine = [row for row in waiting if (row.payment_id, row.amount_minor) == wanted]
            if mine:
                found[item.id] = mine[0]
                waiting.remove(mine[0])
        return found

    def values(self, data: Any, row: Any, relatives: Relatives) -> dict[str, Any]:
        return super().values(data, row, relatives) | {
            "reason": data.reason.value if data.reason else row.reason,
            "failure_code": data.failure_code[:60],
        }


class DisputeKind(_OfPayments):
    name = EventKind.DISPUTE
    model = Dispute
    id_field = "provider_dispute_id"
    columns = (
        "organization_id", "payment_id", "currency", "amount_minor", "status", "provider_status",
        "reason", "evidence_due_at",
    )  # fmt: skip
    reader = ReadsDisputes
    read_method = "get_dispute"

    def reserved_rows(
        self, provider: str, mode: str, items: Sequence[Any], take: Take = locked
    ) -> dict[str, Any]:
        """We open none."""
        return {}

    def values(self, data: Any, row: Any, relatives: Relatives) -> dict[str, Any]:
        return super().values(data, row, relatives) | {
            "reason": data.reason[:60],
            "evidence_due_at": data.evidence_due_at,
        }
