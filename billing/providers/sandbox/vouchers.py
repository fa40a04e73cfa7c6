"""Vouchers, to be paid in a store or by bank transfer; `pay_voucher` is the customer."""

from datetime import datetime

from billing.enums import VOUCHER_METHODS, InvoiceStatus, PaymentStatus
from billing.errors import InvalidRequest
from billing.providers.base import IssuesVouchers
from billing.providers.sandbox import (
    charging,
    clock,
    customers,
    mapping,
    payments,
    subscriptions,
)
from billing.providers.sandbox.backend import SandboxBackend
from billing.providers.sandbox.store import Record, Session
from billing.providers.types import PaymentData, PaymentRequest, Ref, VoucherRequest

CURRENCY = "MXN"
LASTS_SECONDS = 3 * 24 * 3600
_TAKEN_FROM = (PaymentStatus.PENDING, PaymentStatus.CANCELED)


class Vouchers(SandboxBackend, IssuesVouchers):
    def create_voucher(self, request: VoucherRequest, *, idempotency_key: str) -> PaymentData:
        if request.method not in self.features.methods:
            raise InvalidRequest(f"{self.provider_name} has no such voucher", param="method")
        answer = self._calls.write(
            "create_voucher", idempotency_key, request, lambda session: issue(session, request)
        )
        return mapping.payment(answer.body, answer.as_of)

    def pay_voucher(self, payment: Ref) -> PaymentData:
        """Do what the customer does at the counter, be it late or of what is paid already."""
        with self._store.write() as session:
            record = pay(session, payment.id)
            return mapping.payment(record.body, clock.moment(session.now))


def issue(session: Session, request: VoucherRequest) -> Record:
    """Make the pending payment, alone or of an open invoice; once for a reference."""
    customer = customers.live(session, request.customer_id)
    made = _made_before(session, customer.id, request.reference)
    if made is not None:
        return made
    if request.method not in VOUCHER_METHODS or request.currency != CURRENCY:
        raise InvalidRequest("vouchers are for OXXO and SPEI, in pesos", param="method")
    ends_at = _ends_at(session, request.expires_at)
    if request.invoice_id:
        invoice = session.require("invoice", request.invoice_id)
        if invoice.body["status"] != InvoiceStatus.OPEN:
            raise InvalidRequest("the invoice is not open", param="invoice_id")
        payment = charging.new_payment(session, invoice)
        payment.body["reference"] = request.reference or None
        charging.wait_for_voucher(payment, request.method, ends_at)
        charging.settle(session, invoice, payment, PaymentStatus.PENDING)
    else:
        payment = payments.new(session, _as_payment(request), decline_code="")
        charging.wait_for_voucher(payment, request.method, ends_at)
        payments.settle(session, payment, PaymentStatus.PENDING)
    payment.due_at = ends_at
    payment.hidden["voucher"] = request.method
    return session.save(payment)


def pay(session: Session, payment_id: str) -> Record:
    """Take the money, which counters and banks do whatever has become of what it was for."""
    payment = session.require("payment", payment_id)
    if payment.body["status"] not in _TAKEN_FROM or not _is_voucher(payment):
        raise InvalidRequest("no such voucher", param="payment")
    payment.body["next_action"] = None
    invoice_id = payment.body["invoice"]
    invoice = session.require("invoice", invoice_id) if invoice_id else None
    if invoice is None or invoice.body["status"] != InvoiceStatus.OPEN:
        return payments.settle(session, payment, PaymentStatus.SUCCEEDED)
    charging.settle(session, invoice, payment, PaymentStatus.SUCCEEDED)
    owner = session.require("subscription", invoice.body["subscription"])
    subscriptions.paid(session, owner, invoice)
    return payment


def expire(session: Session, payment: Record) -> None:
    """Nobody has paid in time: the payment is over, its invoice stays open."""
    charging.cancel(session, payment)
    if payment.body["invoice"]:
        charging.forget_voucher(session, payment.body["invoice"])


def _is_voucher(payment: Record) -> bool:
    return bool(payment.hidden.get("voucher"))


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
