"""Single payments at Conekta, outside any subscription: orders with one charge, by card, OXXO or
SPEI; and vouchers for an order that is open."""

from datetime import UTC, datetime

from billing.enums import PaymentStatus
from billing.errors import InvalidRequest, OutcomeUnknown, PaymentDeclined
from billing.providers.base import IssuesVouchers, TakesPayments
from billing.providers.conekta import installments, mapping, orders_mapping, vouchers
from billing.providers.conekta.orders import Orders
from billing.providers.http import Answer, begun
from billing.providers.types import JSON, PaymentData, PaymentRequest, Ref, VoucherRequest
from billing.providers.values import remote_id

# Specification, product: a name has 3 to 249 characters.
_SHORTEST, _LONGEST = 3, 249
_UNNAMED = "Pago"


class Payments(Orders, TakesPayments, IssuesVouchers):
    def get_payment(self, payment: Ref) -> PaymentData:
        """Read the charge, and its order, which tells what the customer must still do."""
        charge = self._charge(payment.id)
        order_id = remote_id(charge.body.get("order_id"))
        order = self._order(order_id).body if order_id else None
        return orders_mapping.payment(charge.body, as_of=charge.as_of, order=order)

    def create_payment(self, request: PaymentRequest, *, idempotency_key: str) -> PaymentData:
        """One that was made for the same reference before is answered as it is now."""
        wanted = order_request(request, {"type": "card", **card(request)})
        if request.return_url and not request.is_off_session:
            # Conekta: 3-D Secure is only run where it is asked for.
            wanted |= {"three_ds_mode": "smart", "return_url": request.return_url}
        made = self._made(self._order_once(request.reference, wanted), request.reference)
        if made.status is PaymentStatus.FAILED:
            raise PaymentDeclined(
                "the charge was refused", decline_code=made.decline_code, provider=self.alias
            )
        return made

    def create_voucher(self, request: VoucherRequest, *, idempotency_key: str) -> PaymentData:
        """Conekta: an open order takes several vouchers, and whoever pays two has paid twice."""
        method = vouchers.charged(request, now=datetime.now(UTC))
        if request.invoice_id:
            order = self._charge_once(request, method)
        else:
            order = self._order_once(request.reference, order_request(request, method))
        return self._made(order, request.reference)

    def _order_once(self, reference: str, wanted: JSON) -> Answer:
        found = self._order_made_for(reference)
        return found or self._client.write("OrdersApi", "create_order", order_request=wanted)

    def _charge_once(self, request: VoucherRequest, method: JSON) -> Answer:
        order = self._order(request.invoice_id)
        if orders_mapping.charge_for(order.body, request.reference):
            return order
        wanted = {"payment_method": method, "reference_id": request.reference}
        self._client.write(
            "ChargesApi", "orders_create_charge", id=request.invoice_id, charge_request=wanted
        )
        with begun():
            return self._order(request.invoice_id)

    def _made(self, order: Answer, reference: str) -> PaymentData:
        """The order's charge that carries our reference, else the only one that matters."""
        charge = orders_mapping.charge_for(order.body, reference)
        charge = charge or orders_mapping.current_charge(order.body)
        if not charge:
            raise OutcomeUnknown("the order shows no charge", provider=self.alias)
        return orders_mapping.payment(charge, as_of=order.as_of, order=order.body)


def order_request(request: PaymentRequest | VoucherRequest, method: JSON) -> dict[str, object]:
    """An order of one line, which is charged at once. Raises InvalidRequest for nothing."""
    if request.amount_minor < 1:
        raise InvalidRequest("there is nothing to charge", param="amount_minor")
    name = request.description[:_LONGEST]
    line = {"name": name if len(name) >= _SHORTEST else _UNNAMED, "quantity": 1}
    return {
        "currency": request.currency,
        "customer_info": {"customer_id": request.customer_id},
        "line_items": [{**line, "unit_price": request.amount_minor}],
        "charges": [{"payment_method": method, "reference_id": request.reference}],
        "metadata": {**request.metadata, mapping.REFERENCE_KEY: request.reference},
    }


def card(request: PaymentRequest) -> dict[str, object]:
    """The card to charge. Raises InvalidRequest for months that the amount is too small for."""
    months = installments.checked(request.installments, request.amount_minor, request.currency)
    source: dict[str, object] = {"payment_source_id": request.payment_method_id}
    return source | ({"monthly_installments": months} if months else {})
