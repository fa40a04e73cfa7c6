"""Invoices at Stripe and the payments that collect them."""

from billing.enums import InvoiceStatus
from billing.errors import InvalidRequest
from billing.providers.base import (
    CollectsInvoices,
    PrintsInvoices,
    ReadsPayments,
    WritesOffInvoices,
)
from billing.providers.reading import readable
from billing.providers.stripe import mapping
from billing.providers.stripe.backend import INVOICE_EXPAND, StripeBackend
from billing.providers.types import JSON, InvoiceData, PaymentData, Ref


class Invoices(StripeBackend, CollectsInvoices, WritesOffInvoices, PrintsInvoices, ReadsPayments):
    def get_invoice(self, invoice: Ref) -> InvoiceData:
        answer = self._client.get("invoices", invoice.id, expand=INVOICE_EXPAND)
        return mapping.invoice(answer.body, as_of=answer.as_of)

    def list_invoices(self, customer: Ref, *, limit: int = 100) -> list[InvoiceData]:
        """Stripe expands four levels at most, so a list tells the payments' ids only."""
        found = self._client.pages(
            "invoices", customer=customer.id, limit=limit, expand=("data.payments",)
        )
        return list(readable(found, mapping.invoice))

    def get_payment(self, payment: Ref) -> PaymentData:
        """Read a PaymentIntent; invoices from before 2019-03-15 may name a bare charge."""
        if payment.id.startswith("ch_"):
            answer = self._client.get("charges", payment.id)
        else:
            answer = self._client.get("payment_intents", payment.id, expand=("latest_charge",))
        return mapping.payment(answer.body, as_of=answer.as_of)

    def pay_invoice(
        self, invoice: Ref, *, payment_method_id: str | None = None, idempotency_key: str
    ) -> InvoiceData:
        """A draft is finalized first."""
        current = self.get_invoice(invoice)
        if current.status is InvoiceStatus.PAID:
            return current
        if current.status is InvoiceStatus.DRAFT:
            key = f"{idempotency_key}-finalize"
            self._client.post("invoices", invoice.id, "finalize", idempotency_key=key)
        params = {"payment_method": payment_method_id}
        return self._command(invoice, "pay", InvoiceStatus.PAID, idempotency_key, params)

    def void_invoice(self, invoice: Ref, *, idempotency_key: str) -> InvoiceData:
        return self._command(invoice, "void", InvoiceStatus.VOID, idempotency_key)

    def mark_uncollectible(self, invoice: Ref, *, idempotency_key: str) -> InvoiceData:
        wanted = InvoiceStatus.UNCOLLECTIBLE
        return self._command(invoice, "mark_uncollectible", wanted, idempotency_key)

    def get_invoice_pdf(self, invoice: Ref) -> str:
        """Stripe: there is none until the invoice is finalized."""
        return self.get_invoice(invoice).pdf_url

    def _command(
        self,
        invoice: Ref,
        command: str,
        wanted: InvoiceStatus,
        key: str,
        params: JSON | None = None,
    ) -> InvoiceData:
        """Stripe refuses the command where it has happened already, so a refusal is looked at."""
        try:
            answer = self._client.post(
                "invoices",
                invoice.id,
                command,
                idempotency_key=key,
                expand=INVOICE_EXPAND,
                params=params,
            )
        except InvalidRequest:
            current = self.get_invoice(invoice)
            if current.status is not wanted:
                raise
            return current
        return mapping.invoice(answer.body, as_of=answer.as_of)
