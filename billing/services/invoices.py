"""Collecting invoices."""

from typing import Any

from billing.enums import InvoiceStatus
from billing.errors import InvalidTransition
from billing.models import Invoice, Subscription
from billing.providers.base import CollectsInvoices
from billing.registry import providers
from billing.services import operations, sync


def pay(invoice: Invoice, *, request_key: str = "") -> Invoice:
    """Collect an open invoice now with the customer's default payment method.

    Raises InvalidTransition when it is not open, PaymentDeclined, and what the provider raises.
    """
    provider = providers.get(invoice.provider, CollectsInvoices)

    def guard() -> None:
        if invoice.status != InvoiceStatus.OPEN:
            raise InvalidTransition(f"an invoice that is {invoice.status} cannot be paid")

    with operations.start(
        "invoice.pay", invoice, request_key, step=str(invoice.pk), guard=guard
    ) as operation:
        if operation.is_done:
            return Invoice.objects.get(pk=invoice.pk)
        data = provider.pay_invoice(invoice.ref, idempotency_key=operation.key)
        operation.remote_id = data.id
        return sync.upsert_invoice(invoice.provider, data)


def open_of(customer: Any) -> list[Invoice]:
    """The customer's open invoices of subscriptions that are behind, oldest first."""
    behind = Subscription.objects.filter(customer=customer, status__in=["past_due", "unpaid"])
    return list(
        Invoice.objects.filter(subscription__in=behind)
        .open()
        .select_related("customer", "organization")
        .order_by("created_at")
    )
