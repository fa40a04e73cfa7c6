"""Orders at Polar, which are our invoices and our payments."""

from itertools import islice

from billing.providers.base import ReadsInvoices, ReadsPayments
from billing.providers.polar import mapping
from billing.providers.polar.backend import PolarBackend
from billing.providers.reading import readable
from billing.providers.types import InvoiceData, PaymentData, Ref


class Orders(PolarBackend, ReadsInvoices, ReadsPayments):
    def get_invoice(self, invoice: Ref) -> InvoiceData:
        answer = self._client.get("orders", invoice.id)
        return mapping.invoice(answer.body, as_of=answer.as_of)

    def list_invoices(self, customer: Ref, *, limit: int = 100) -> list[InvoiceData]:
        found = self._client.pages("orders", "", customer_id=customer.id, sorting="-created_at")
        return list(islice(readable(found, mapping.invoice), limit))

    def get_payment(self, payment: Ref) -> PaymentData:
        answer = self._client.get("orders", payment.id)
        return mapping.payment(answer.body, as_of=answer.as_of)
