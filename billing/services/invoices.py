"""Collecting invoices, and writing them off."""

from collections.abc import Callable
from functools import partial
from typing import Any

from billing import lifecycle
from billing.enums import PaymentState
from billing.errors import (
    InvalidTransition,
    OutcomeUnknown,
    PaymentMethodElsewhere,
    ProviderError,
)
from billing.models import Invoice, Payment, PaymentMethod, Subscription
from billing.providers.base import (
    CollectsInvoices,
    ReadsPayments,
    VoidsInvoices,
    WritesOffInvoices,
)
from billing.providers.types import InvoiceData, Ref
from billing.registry import providers
from billing.services import operations, sync


def pay(
    invoice: Invoice, *, payment_method: PaymentMethod | None = None, request_key: str = ""
) -> Invoice:
    """Collect an open invoice now, with the customer's default payment method or the one given.

    Raises InvalidTransition when it is not open or its bank is asked already, PaymentDeclined,
    PaymentMethodElsewhere, and what the provider raises.
    """
    provider = providers.get(invoice.provider, CollectsInvoices)
    if payment_method and payment_method.customer_id != invoice.customer_id:
        raise PaymentMethodElsewhere("the payment method is not of the invoice's customer")
    remote_id = payment_method.provider_payment_method_id if payment_method else None
    call = partial(provider.pay_invoice, payment_method_id=remote_id)
    return _command("pay", invoice, request_key, call)


def payment_of(invoice: Invoice) -> Payment | None:
    """The payment that the provider names for an invoice, as it is there now; None where there is
    none, since nothing was to be paid.

    Raises OutcomeUnknown where it cannot be read: what was asked for may have been done.
    """
    if not invoice.payment_intent_id:
        return None
    ref = Ref(id=invoice.payment_intent_id, customer_id=invoice.ref.customer_id)
    try:
        data = providers.get(invoice.provider, ReadsPayments).get_payment(ref)
    except ProviderError as exc:
        raise OutcomeUnknown("its payment cannot be read", provider=invoice.provider) from exc
    return sync.upsert_payment(invoice.provider, data)


def void(invoice: Invoice, *, request_key: str = "") -> Invoice:
    """Take back an open or uncollectible invoice: nothing is owed any more. Final.

    Raises InvalidTransition for any other, UnsupportedOperation, and what the provider raises.
    """
    provider = providers.get(invoice.provider, VoidsInvoices)
    return _command("void", invoice, request_key, provider.void_invoice)


def mark_uncollectible(invoice: Invoice, *, request_key: str = "") -> Invoice:
    """Give up an open invoice as a bad debt; the amount stays owed on it.

    Raises InvalidTransition for any other, UnsupportedOperation, and what the provider raises.
    """
    provider = providers.get(invoice.provider, WritesOffInvoices)
    return _command("mark_uncollectible", invoice, request_key, provider.mark_uncollectible)


def _command(
    command: str, invoice: Invoice, request_key: str, call: Callable[..., InvoiceData]
) -> Invoice:
    with operations.start(
        f"invoice.{command}",
        invoice,
        request_key,
        step=str(invoice.pk),
        guard=partial(ensure, invoice, command),
    ) as operation:
        if operation.is_done:
            return Invoice.objects.get(pk=invoice.pk)
        data = call(invoice.ref, idempotency_key=operation.key)
        operation.remote_id = data.id
        return sync.upsert_invoice(invoice.provider, data)


def ensure(invoice: Invoice, command: str) -> None:
    """Raise InvalidTransition unless the invoice's state allows `command`."""
    lifecycle.ensure_invoice(invoice.status, command)
    if command == "pay" and invoice.payment_state == PaymentState.PROCESSING:
        raise InvalidTransition("the bank is asked for this invoice already")


def open_of(customer: Any) -> list[Invoice]:
    """The customer's open invoices of subscriptions that are behind, oldest first; without those
    that a bank is asked for already."""
    behind = Subscription.objects.filter(customer=customer, status__in=["past_due", "unpaid"])
    return list(
        Invoice.objects.filter(subscription__in=behind)
        .open()
        .exclude(payment_state=PaymentState.PROCESSING)
        .select_related("customer", "organization")
        .order_by("created_at")
    )
