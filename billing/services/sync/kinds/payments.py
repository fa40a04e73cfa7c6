"""Attempts to collect."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from billing.enums import (
    EventKind,
    NextActionType,
    PaymentStatus,
)
from billing.lifecycle import TERMINAL_PAYMENT
from billing.models import (
    Invoice,
    Payment,
)
from billing.providers.base import ReadsPayments
from billing.providers.types import PaymentData
from billing.services.sync import returned, surplus
from billing.services.sync.kinds.base import (
    NOBODY,
    Kind,
    Relatives,
    by_id,
    customers_of,
    method_columns,
    next_action_column,
    owner_columns,
    payment_methods_of,
)


class PaymentKind(Kind):
    name = EventKind.PAYMENT
    model = Payment
    id_field = "provider_payment_id"
    columns = (
        "organization_id", "customer_id", "invoice_id", "payment_method_id",
        "provider_payment_method_id", "currency", "amount_minor", "status", "provider_status",
        "decline_code", "next_action", "paid_at", "voucher_method", "voucher_expires_at",
    )  # fmt: skip
    reader = ReadsPayments
    read_method = "get_payment"
    terminal = frozenset(TERMINAL_PAYMENT)
    early = frozenset({PaymentStatus.PENDING.value})
    # The event tells when it was sent, the charge when it was made.
    volatile = frozenset({"paid_at"})

    def relatives(self, provider: str, mode: str, items: Sequence[PaymentData]) -> Relatives:
        return Relatives(
            customers=customers_of(provider, mode, items),
            payment_methods=payment_methods_of(provider, mode, items),
            invoices=by_id(
                Invoice.objects.only("provider_invoice_id"),
                "provider_invoice_id",
                provider,
                mode,
                (item.invoice_id for item in items),
            ),
        )

    def missing_parent(
        self, data: PaymentData, row: Any, relatives: Relatives
    ) -> tuple[EventKind, str]:
        if data.invoice_id and data.invoice_id not in relatives.invoices:
            return (EventKind.INVOICE, data.invoice_id)
        known = row is not None or data.customer_id in relatives.customers
        return (EventKind.CUSTOMER, "" if known else data.customer_id or NOBODY)

    def values(self, data: PaymentData, row: Any, relatives: Relatives) -> dict[str, Any]:
        invoice = relatives.invoices.get(data.invoice_id or "")
        values: dict[str, Any] = {
            "invoice_id": invoice.pk if invoice else row.invoice_id,
            "currency": data.currency,
            "amount_minor": data.amount_minor,
            "status": data.status.value if data.status else row.status,
            "provider_status": data.provider_status[:60],
            "decline_code": data.decline_code[:60],
            "next_action": next_action_column(data.next_action),
            "paid_at": data.paid_at or row.paid_at,  # only an expanded charge tells it again
        }
        values |= method_columns(data, relatives) | _voucher_columns(data)
        return values | owner_columns(data, relatives)

    def follow(self, rows: Sequence[Any]) -> None:
        """A payment of which something has gone back may get its invoice only now. What came late
        or twice is told."""
        gone = [row for row in rows if row.refunded_minor or row.charged_back_minor]
        returned.sum_up_invoices({row.invoice_id for row in gone if row.invoice_id})
        surplus.tell([row for row in rows if row.status == PaymentStatus.SUCCEEDED])


def _voucher_columns(data: PaymentData) -> dict[str, Any]:
    """A voucher that is paid or over is not shown any more: what is stored of it stays."""
    action = data.next_action
    shown = action.details if action and action.type is NextActionType.DISPLAY_VOUCHER else {}
    if not shown.get("method"):
        return {}
    ends = shown.get("expires_at")
    return {
        "voucher_method": shown["method"][:20],
        "voucher_expires_at": datetime.fromisoformat(ends) if ends else None,
    }
