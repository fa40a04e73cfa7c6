"""Single charges, outside any subscription; `confirm_payment` is the customer."""

from billing.enums import PaymentStatus
from billing.errors import InvalidRequest, PaymentDeclined
from billing.money import Money
from billing.providers.base import TakesPayments
from billing.providers.sandbox import charging, clock, customers, mapping
from billing.providers.sandbox.backend import SandboxBackend
from billing.providers.sandbox.store import Record, Session
from billing.providers.sandbox.tokens import Charge
from billing.providers.types import PaymentData, PaymentRequest, Ref


class Payments(SandboxBackend, TakesPayments):
    def create_payment(self, request: PaymentRequest, *, idempotency_key: str) -> PaymentData:
        answer = self._calls.write(
            "create_payment", idempotency_key, request, lambda session: charge(session, request)
        )
        return mapping.payment(answer.body, answer.as_of)

    def get_payment(self, payment: Ref) -> PaymentData:
        return mapping.payment(*self._get("payment", payment))

    def confirm_payment(self, payment: Ref) -> PaymentData:
        """Do what the customer was asked to do: pass the bank's check, pay the voucher."""
        with self._store.write() as session:
            record = confirm(session, payment.id)
            return mapping.payment(record.body, clock.moment(session.now))


def charge(session: Session, request: PaymentRequest) -> Record:
    """Charge a customer's method once; a refused one leaves a failed payment behind.

    Off session nobody is there to confirm: what would need its owner is refused.
    """
    if request.installments != 1:
        raise InvalidRequest("the sandbox charges at once", param="installments")
    customer = customers.live(session, request.customer_id)
    method = session.find("payment_method", request.payment_method_id)
    if method is None or method.body["customer"] != customer.id:
        raise InvalidRequest("the method is not the customer's", param="payment_method_id")
    outcome, decline_code = charging.behaviour(method)
    if outcome is Charge.REQUIRES_ACTION and request.is_off_session:
        outcome, decline_code = Charge.DECLINES, "authentication_required"
    payment = new(session, request, decline_code)
    method.hidden["charges"] += 1
    session.save(method)
    status = charging.status_of(session, payment, outcome)
    settle(session, payment, status)
    if status is PaymentStatus.FAILED:
        raise PaymentDeclined("the charge was refused", decline_code=decline_code)
    return payment


def confirm(session: Session, payment_id: str) -> Record:
    """Let a payment that waits for the customer succeed."""
    payment = session.require("payment", payment_id)
    if payment.body["invoice"] or payment.body["status"] not in charging.WAITING:
        raise InvalidRequest("no such payment waits", param="payment")
    payment.body["next_action"] = None
    return settle(session, payment, PaymentStatus.SUCCEEDED)


def bounce(session: Session, payment_id: str) -> Record:
    """Let the debit under way be refused by its bank."""
    payment = session.require("payment", payment_id)
    refusal = charging.debit_refusal(session, payment)
    payment.body.update(next_action=None, decline_code=refusal)
    return settle(session, payment, PaymentStatus.FAILED)


def new(session: Session, request: PaymentRequest, decline_code: str) -> Record:
    """A payment that nobody has tried yet; not saved."""
    payment_id = session.new_id("pay")
    body = {
        "object": "payment",
        "id": payment_id,
        "created": session.now,
        "customer": request.customer_id,
        "invoice": None,
        "amount": positive_minor(request.amount_minor, request.currency),
        "currency": request.currency,
        "description": request.description,
        "status": PaymentStatus.PENDING,
        "decline_code": decline_code,
        "payment_method": request.payment_method_id or None,
        "paid_at": None,
        "next_action": None,
        "reference": request.reference or None,
        "metadata": dict(request.metadata),
    }
    return Record("payment", payment_id, body)


def positive_minor(minor: int, currency: str) -> int:
    """Return the amount; raise InvalidRequest unless it is more than nothing in a currency."""
    try:
        money = Money(minor, currency)
    except (TypeError, ValueError) as exc:
        raise InvalidRequest(str(exc), param="amount_minor") from exc
    if money.minor <= 0:
        raise InvalidRequest("there is nothing to charge", param="amount_minor")
    return money.minor


def settle(session: Session, payment: Record, status: PaymentStatus) -> Record:
    """Write down what has become of a payment."""
    is_paid = status is PaymentStatus.SUCCEEDED
    payment.body.update(status=status, paid_at=session.now if is_paid else None)
    if status is not PaymentStatus.PROCESSING:
        payment.due_at = None
    return session.save(payment, charging.PAYMENT_EVENTS[status])
