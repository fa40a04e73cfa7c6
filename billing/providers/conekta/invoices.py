"""Invoices at Conekta, which has none: its orders are ours (provider_invoice_id = order id)."""

from datetime import datetime
from itertools import islice

from billing.enums import InvoiceStatus
from billing.errors import InvalidRequest, PaymentDeclined
from billing.providers.base import CollectsInvoices, VoidsInvoices
from billing.providers.conekta import orders_mapping
from billing.providers.conekta.orders import Orders
from billing.providers.http import Answer, begun
from billing.providers.reading import readable
from billing.providers.types import JSON, InvoiceData, Ref, SubscriptionData
from billing.providers.values import remote_id


class Invoices(Orders, CollectsInvoices, VoidsInvoices):
    def get_invoice(self, invoice: Ref) -> InvoiceData:
        """Of a subscription's order its subscription is read too: the order does not name it."""
        order = self._order(invoice.id)
        return _invoice(order, self._payer_of(order))

    def list_invoices(self, customer: Ref, *, limit: int = 100) -> list[InvoiceData]:
        known = self._subscriptions_of(customer)

        def read(order: JSON, as_of: datetime) -> InvoiceData:
            payer = orders_mapping.subscription_of(order, known)
            return orders_mapping.invoice(order, as_of=as_of, subscription=payer)

        return list(islice(readable(self._orders_of(customer), read), limit))

    def pay_invoice(
        self, invoice: Ref, *, payment_method_id: str | None = None, idempotency_key: str
    ) -> InvoiceData:
        """What the last cycle of a subscription owes is tried again by the subscription's own card,
        any other order is charged to the card named, or to the customer's default one."""
        order = self._order(invoice.id)
        payer = self._payer_of(order)
        current = _invoice(order, payer)
        if current.status is InvoiceStatus.PAID:
            return current
        if payer and payer.latest_invoice_id == current.id:
            self._retry(payer, payment_method_id)
        else:
            self._charge_card(current, payment_method_id, idempotency_key)
        with begun():
            found = self.get_invoice(invoice)
        if found.status is not InvoiceStatus.PAID:
            raise _declined(found, self.alias)
        return found

    def void_invoice(self, invoice: Ref, *, idempotency_key: str) -> InvoiceData:
        """Conekta refuses the command where it has happened already: a refusal is looked at."""
        try:
            self._client.write("OrdersApi", "cancel_order", id=invoice.id)
        except InvalidRequest:
            current = self.get_invoice(invoice)
            if current.status is not InvoiceStatus.VOID:
                raise
            return current
        with begun():
            return self.get_invoice(invoice)

    def _payer_of(self, order: Answer) -> SubscriptionData | None:
        """The subscription of which an order is a cycle; None for any other order."""
        owner = orders_mapping.owner(order.body)
        if not owner or not orders_mapping.is_recurrent(order.body):
            return None
        known = self._subscriptions_of(Ref(id=owner))
        return orders_mapping.subscription_of(order.body, known)

    def _retry(self, payer: SubscriptionData, payment_method_id: str | None) -> None:
        """Conekta tries by the card that the subscription has, so it is given the one named."""
        ref = {"customer_id": payer.customer_id, "id": payer.id}
        if payment_method_id:
            self._client.write(
                "SubscriptionsApi",
                "subscription_update",
                **ref,
                updates_a_subscription={"card_id": payment_method_id},
            )
        with begun(bool(payment_method_id)):
            self._client.write("SubscriptionsApi", "subscriptions_retry", **ref)

    def _charge_card(self, current: InvoiceData, payment_method_id: str | None, key: str) -> None:
        """The charge carries the operation's key, so that its trace can be found at Conekta."""
        card = payment_method_id or self._default_card(current.customer_id)
        method = {"type": "card", "payment_source_id": card}
        self._client.write(
            "ChargesApi",
            "orders_create_charge",
            id=current.id,
            charge_request={"payment_method": method, "reference_id": key},
        )

    def _default_card(self, customer_id: str) -> str:
        answer = self._client.read("CustomersApi", "get_customer_by_id", id=customer_id)
        card = remote_id(answer.body.get("default_payment_source_id"))
        if not card:
            raise InvalidRequest("the customer has no card", param="payment_method_id")
        return card


def _invoice(order: Answer, payer: SubscriptionData | None) -> InvoiceData:
    return orders_mapping.invoice(order.body, as_of=order.as_of, subscription=payer)


def _declined(invoice: InvoiceData, alias: str) -> PaymentDeclined:
    charge = orders_mapping.current_charge(invoice.raw)
    code = orders_mapping.decline_code_of(charge)
    return PaymentDeclined("the charge was refused", decline_code=code, provider=alias)
