"""Invoices, with the provider's own amounts."""

from collections.abc import Sequence
from typing import Any

from billing.enums import (
    EventKind,
    InvoiceStatus,
    PaymentState,
)
from billing.lifecycle import TERMINAL_INVOICE
from billing.models import (
    Invoice,
    Subscription,
)
from billing.money import Money
from billing.providers.base import ReadsInvoices
from billing.providers.types import (
    InvoiceData,
    LineData,
)
from billing.services.sync import returned
from billing.services.sync.kinds.base import (
    NOBODY,
    Kind,
    Relatives,
    by_id,
    customers_of,
    method_columns,
    owner_columns,
    payment_methods_of,
)


class InvoiceKind(Kind):
    name = EventKind.INVOICE
    model = Invoice
    id_field = "provider_invoice_id"
    columns = (
        "organization_id", "customer_id", "subscription_id", "decision_id", "payment_method_id",
        "provider_payment_method_id", "payment_intent_id", "number", "status", "provider_status",
        "payment_state", "currency", "subtotal_minor", "discount_minor", "tax_minor", "total_minor",
        "amount_due_minor", "amount_paid_minor", "period_start", "period_end", "due_date",
        "paid_at", "next_attempt_at", "invoice_pdf_url", "hosted_invoice_url", "line_items",
    )  # fmt: skip
    reader = ReadsInvoices
    read_method = "get_invoice"
    terminal = frozenset(TERMINAL_INVOICE)
    early = frozenset({InvoiceStatus.DRAFT.value})
    volatile = frozenset({"invoice_pdf_url", "hosted_invoice_url"})

    def relatives(self, provider: str, mode: str, items: Sequence[InvoiceData]) -> Relatives:
        return Relatives(
            customers=customers_of(provider, mode, items),
            payment_methods=payment_methods_of(provider, mode, items),
            subscriptions=by_id(
                Subscription.objects.only("provider_subscription_id", "decision"),
                "provider_subscription_id",
                provider,
                mode,
                (item.subscription_id for item in items),
            ),
        )

    def missing_parent(
        self, data: InvoiceData, row: Any, relatives: Relatives
    ) -> tuple[EventKind, str]:
        if data.subscription_id and data.subscription_id not in relatives.subscriptions:
            return (EventKind.SUBSCRIPTION, data.subscription_id)
        known = row is not None or data.customer_id in relatives.customers
        return (EventKind.CUSTOMER, "" if known else data.customer_id or NOBODY)

    def values(self, data: InvoiceData, row: Any, relatives: Relatives) -> dict[str, Any]:
        status = data.status.value if data.status else row.status
        subscription = relatives.subscriptions.get(data.subscription_id or "")
        values: dict[str, Any] = {
            "subscription_id": subscription.pk if subscription else row.subscription_id,
            "decision_id": subscription.decision_id if subscription else row.decision_id,
            "number": data.number[:100],
            "status": status,
            "provider_status": data.provider_status[:60],
            "payment_state": _payment_state(data, status, row),
            "currency": data.currency,
            "subtotal_minor": data.subtotal_minor,
            "discount_minor": data.discount_minor,
            "tax_minor": data.tax_minor,
            "total_minor": data.total_minor,
            "amount_due_minor": data.amount_due_minor,
            "amount_paid_minor": data.amount_paid_minor,
            # Conekta tells the period of a subscription's last order only.
            "period_start": data.period_start or row.period_start,
            "period_end": data.period_end or row.period_end,
            "due_date": data.due_at,
            "paid_at": data.paid_at,
            "next_attempt_at": data.next_attempt_at,
            "invoice_pdf_url": data.pdf_url[:1000],
            "hosted_invoice_url": data.hosted_url[:1000],
            "line_items": [_line(line, data.currency) for line in data.lines],
        }
        if data.payment_id is not None:
            values["payment_intent_id"] = data.payment_id
        values |= method_columns(data, relatives)
        return values | owner_columns(data, relatives)


def _line(line: LineData, currency: str) -> dict[str, Any]:
    return {
        "description": line.description,
        "amount": str(Money(line.amount_minor, currency).decimal),
        "amount_minor": line.amount_minor,
        "quantity": line.quantity,
    }


def _payment_state(data: InvoiceData, status: str, row: Invoice) -> str:
    """How collecting it stands; of a paid invoice, what has gone back of it, whenever we heard."""
    if data.status is None and data.payment_state is None:
        return row.payment_state
    is_paid = status == InvoiceStatus.PAID
    told = data.payment_state or (PaymentState.PAID if is_paid else PaymentState.NONE)
    if not is_paid or told != PaymentState.PAID:
        return told
    return returned.state_of_paid(
        data.amount_paid_minor, row.refunded_minor, row.charged_back_minor
    )
