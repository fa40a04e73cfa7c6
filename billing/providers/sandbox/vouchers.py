"""Vouchers, to be paid in a store or by bank transfer; `confirm_payment` is the customer."""

from datetime import datetime

from billing.enums import InvoiceStatus, PaymentMethodType, PaymentStatus
from billing.errors import InvalidRequest
from billing.providers.base import IssuesVouchers
from billing.providers.sandbox import charging, clock, customers, mapping, payments
from billing.providers.sandbox.backend import SandboxBackend
from billing.providers.sandbox.store import Record, Session
from billing.providers.types import PaymentData, PaymentRequest, VoucherRequest

KINDS = (PaymentMethodType.OXXO, PaymentMethodType.SPEI)
CURRENCY = "MXN"
LASTS_SECONDS = 3 * 24 * 3600


class Vouchers(SandboxBackend, IssuesVouchers):
    def create_voucher(self, request: VoucherRequest, *, idempotency_key: str) -> PaymentData:
        if request.method not in self.features.methods:
            raise InvalidRequest(f"{self.provider_name} has no such voucher", param="method")
        answer = self._calls.write(
            "create_voucher", idempotency_key, request, lambda session: issue(session, request)
        )
        return mapping.payment(answer.body, answer.as_of)


def issue(session: Session, request: VoucherRequest) -> Record:
    """Make the pending payment, alone or of an open invoice; once for a reference."""
    customer = customers.live(session, request.customer_id)
    made = _made_before(session, customer.id, request.reference)
    if made is not None:
        return made
    if request.method not in KINDS or request.currency != CURRENCY:
        raise InvalidRequest("vouchers are for OXXO and SPEI, in pesos", param="method")
    ends_at = _ends_at(session, request.expires_at)
    if request.invoice_id:
        invoice = session.require("invoice", request.invoice_id)
        if invoice.body["status"] != InvoiceStatus.OPEN:
            raise InvalidRequest("the invoice is not open", param="invoice_id")
        payment = charging.waiting_payment(session, invoice)
        payment.body["reference"] = request.reference or None
        charging.wait_for_voucher(payment, request.method, ends_at)
        charging.settle(session, invoice, payment, PaymentStatus.PENDING)
    else:
        payment = payments.new(session, _as_payment(request), decline_code="")
        charging.wait_for_voucher(payment, request.method, ends_at)
        payments.settle(session, payment, PaymentStatus.PENDING)
    payment.due_at = ends_at
    return session.save(payment)


def expire(session: Session, payment: Record) -> None:
    """Nobody has paid in time: the payment is over, its invoice stays open."""
    payment.body.update(status=PaymentStatus.CANCELED, next_action=None)
    payment.due_at = None
    session.save(payment, "payment.canceled")
    if payment.body["invoice"]:
        charging.forget_voucher(session, payment.body["invoice"])


def _made_before(session: Session, customer_id: str, reference: str) -> Record | None:
    found = session.of_customer("payment", customer_id)
    return next((each for each in found if reference and _carries(each, reference)), None)


def _carries(payment: Record, reference: str) -> bool:
    return bool(payment.body["reference"] == reference)


def _ends_at(session: Session, wanted: datetime | None) -> int:
    ends_at = clock.stamp(wanted) if wanted else session.now + LASTS_SECONDS
    if ends_at <= session.now:
        raise InvalidRequest("a voucher that has expired cannot be paid", param="expires_at")
    return ends_at


def _as_payment(request: VoucherRequest) -> PaymentRequest:
    return PaymentRequest(
        reference=request.reference,
        customer_id=request.customer_id,
        payment_method_id="",
        amount_minor=request.amount_minor,
        currency=request.currency,
        description=request.description,
        metadata=request.metadata,
    )
