"""Invoices and the payments that settle them. What follows for a subscription is not here."""

from datetime import UTC, datetime
from typing import Any

from billing import clabe
from billing.enums import (
    InvoiceStatus,
    NextActionType,
    PaymentMethodType,
    PaymentState,
    PaymentStatus,
)
from billing.providers.sandbox import discounts, tokens
from billing.providers.sandbox.store import Record, Session
from billing.providers.sandbox.tokens import Charge

CREDIT = "Unused time"
NO_METHOD = "payment_method_missing"
# How the numbers of vouchers begin: STP is the bank of most collecting accounts, 98 is OXXO's.
_BANK, _STORES = "646180", "98"
VOUCHER_SECONDS = 23 * 3600
DEBIT_SECONDS = 3 * 24 * 3600
WAITING = frozenset(
    {PaymentStatus.REQUIRES_ACTION, PaymentStatus.PENDING, PaymentStatus.PROCESSING}
)
_STATES = {
    PaymentStatus.SUCCEEDED: PaymentState.PAID,
    PaymentStatus.FAILED: PaymentState.FAILED,
    PaymentStatus.REQUIRES_ACTION: PaymentState.REQUIRES_ACTION,
    PaymentStatus.PENDING: PaymentState.VOUCHER_WAITING,
    PaymentStatus.PROCESSING: PaymentState.PROCESSING,
}
PAYMENT_EVENTS = {
    PaymentStatus.SUCCEEDED: "payment.succeeded",
    PaymentStatus.FAILED: "payment.failed",
    PaymentStatus.REQUIRES_ACTION: "payment.requires_action",
    PaymentStatus.PENDING: "payment.requires_action",
    PaymentStatus.PROCESSING: "payment.processing",
}
_INVOICE_EVENTS = {
    PaymentStatus.SUCCEEDED: "invoice.paid",
    PaymentStatus.FAILED: "invoice.payment_failed",
}


def behaviour(method: Record | None) -> tuple[Charge, str]:
    """Return what the next charge of a method does and its decline code."""
    if method is None or not method.body["active"]:
        return Charge.DECLINES, NO_METHOD
    token = tokens.behaviour(method.hidden["token"])
    outcome = token.charge(method.hidden["charges"])
    return outcome, token.decline_code if outcome is Charge.DECLINES else ""


def open_invoice(
    session: Session, subscription: Record, plan: Record, *, start: int, end: int
) -> Record:
    """Make the open invoice of one period of a subscription."""
    invoice_id = session.new_id("inv")
    body = {
        "object": "invoice",
        "id": invoice_id,
        "number": f"SB-{session.count():06d}",
        "created": session.now,
        "customer": subscription.body["customer"],
        "subscription": subscription.id,
        "status": InvoiceStatus.OPEN,
        "payment_state": PaymentState.NONE,
        "currency": plan.body["currency"],
        **amounts(subscription, plan),
        "amount_paid": 0,
        "period_start": start,
        "period_end": end,
        "due_at": session.now,
        "paid_at": None,
        "next_attempt_at": None,
        "payment": None,
        "payment_method": None,
        "hosted_url": "",
        "pdf_url": "",
        "reference": None,
    }
    discounts.use(subscription)
    subscription.hidden["credit"] = _credit(subscription) - _credited(body)
    return session.save(Record("invoice", invoice_id, body), "invoice.created")


def amounts(subscription: Record, plan: Record) -> dict[str, Any]:
    """What the next invoice comes to: price, coupon, and as much of a pause's credit as fits."""
    quantity = subscription.body["quantity"]
    price = plan.body["amount"] * quantity
    lines = [{"description": plan.body["name"], "amount": price, "quantity": quantity}]
    discount = discounts.of(subscription, price)
    credit = min(_credit(subscription), price - discount)
    if credit:
        lines.append({"description": CREDIT, "amount": -credit, "quantity": 1})
    total = price - credit - discount
    return {
        "lines": lines,
        "subtotal": price - credit,
        "discount": discount,
        "tax": 0,
        "total": total,
        "amount_due": total,
    }


def _credit(subscription: Record) -> int:
    return int(subscription.hidden.get("credit", 0))


def _credited(invoice: dict[str, Any]) -> int:
    return sum(-int(line["amount"]) for line in invoice["lines"] if line["amount"] < 0)


def attempt(session: Session, invoice: Record, method: Record | None) -> PaymentStatus:
    """Charge an invoice once and write down what became of it; nothing owed is paid at once."""
    if invoice.body["amount_due"] == 0:
        return settle(session, invoice, None, PaymentStatus.SUCCEEDED)
    outcome, decline_code = behaviour(method)
    payment = _payment(session, invoice, method)
    payment.body["decline_code"] = decline_code
    if method is not None:
        method.hidden["charges"] += 1
        session.save(method)
    return settle(session, invoice, payment, status_of(session, payment, outcome))


def bounce(session: Session, invoice: Record) -> None:
    """Let the debit under way be refused by its bank."""
    payment = session.require("payment", invoice.body["payment"])
    payment.body.update(next_action=None, decline_code=debit_refusal(session, payment))
    settle(session, invoice, payment, PaymentStatus.FAILED)


def debit_refusal(session: Session, payment: Record) -> str:
    """Why the bank refuses the debit under way, our decline code; "" where it pays."""
    method = session.require("payment_method", payment.body["payment_method"])
    token = tokens.behaviour(method.hidden["token"])
    return "" if token.clears else token.decline_code


def finish(session: Session, invoice: Record) -> bool:
    """Let a waiting payment succeed, as when a voucher is paid or a debit arrives; False when none
    waits."""
    payment = _waiting(session, invoice)
    if payment is None:
        return False
    payment.body["next_action"] = None
    settle(session, invoice, payment, PaymentStatus.SUCCEEDED)
    return True


def close(session: Session, invoice: Record, status: InvoiceStatus) -> None:
    """Give up an invoice as void or uncollectible, with the payments that wait for it."""
    waiting = waiting_for(session, invoice.id)
    for payment in waiting:
        cancel(session, payment)
    invoice.body.update(status=status, next_attempt_at=None)
    if waiting:
        invoice.body["payment_state"] = PaymentState.NONE
    is_void = status == InvoiceStatus.VOID
    session.save(invoice, "invoice.voided" if is_void else "invoice.updated")


def cancel(session: Session, payment: Record) -> None:
    """Let a payment be over that nobody has made."""
    payment.body.update(status=PaymentStatus.CANCELED, next_action=None)
    payment.due_at = None
    session.save(payment, "payment.canceled")


def waiting_for(session: Session, invoice_id: str) -> list[Record]:
    """The invoice's payments that may still be made, the newest first: vouchers may be several."""
    found = session.of_parent("payment", invoice_id)
    return [payment for payment in found if payment.body["status"] in WAITING]


def is_issued(payment: Record) -> bool:
    """Whether it is a voucher that was asked for, with an end of its own."""
    return payment.body["status"] == PaymentStatus.PENDING and payment.due_at is not None


def _payment(session: Session, invoice: Record, method: Record | None) -> Record:
    # A payment that waited for the customer is gone on with; a failed one is final, and a voucher
    # in somebody's hand stays what it is.
    waiting = _waiting(session, invoice)
    payment = new_payment(session, invoice) if waiting is None or is_issued(waiting) else waiting
    payment.body["payment_method"] = method.id if method else None
    return payment


def _waiting(session: Session, invoice: Record) -> Record | None:
    payment_id = invoice.body["payment"]
    payment = session.require("payment", payment_id) if payment_id else None
    return payment if payment and payment.body["status"] in WAITING else None


def new_payment(session: Session, invoice: Record) -> Record:
    payment_id = session.new_id("pay")
    body = {
        "object": "payment",
        "id": payment_id,
        "created": session.now,
        "customer": invoice.body["customer"],
        "invoice": invoice.id,
        "amount": invoice.body["amount_due"],
        "currency": invoice.body["currency"],
        "status": PaymentStatus.PENDING,
        "decline_code": "",
        "payment_method": None,
        "paid_at": None,
        "next_action": None,
        "reference": None,
    }
    return Record("payment", payment_id, body)


def status_of(session: Session, payment: Record, outcome: Charge) -> PaymentStatus:
    """Tell a payment's status by what its charge does, and write down what the customer must do."""
    payment.body["next_action"] = None
    payment.due_at = session.now + DEBIT_SECONDS if outcome is Charge.DEBIT else None
    if outcome is Charge.DEBIT:
        payment.body["next_action"] = {"type": NextActionType.WAIT, "details": {}}
        return PaymentStatus.PROCESSING
    if outcome is Charge.REQUIRES_ACTION:
        payment.body["next_action"] = _redirect(payment)
        return PaymentStatus.REQUIRES_ACTION
    if outcome is Charge.VOUCHER:
        wait_for_voucher(payment, PaymentMethodType.OXXO, session.now + VOUCHER_SECONDS)
        return PaymentStatus.PENDING
    return PaymentStatus.FAILED if outcome is Charge.DECLINES else PaymentStatus.SUCCEEDED


def wait_for_voucher(payment: Record, method: PaymentMethodType, ends_at: int) -> None:
    """Write down what the customer pays a voucher with: a reference, at a bank a CLABE."""
    payment.body["next_action"] = _voucher(payment, ends_at, method)


def forget_voucher(session: Session, invoice_id: str) -> None:
    """A voucher of the invoice has run out: unless another does, nothing waits for its money."""
    invoice = session.require("invoice", invoice_id)
    is_open = invoice.body["status"] == InvoiceStatus.OPEN
    if not is_open or any(map(is_issued, waiting_for(session, invoice_id))):
        return
    invoice.body["payment_state"] = PaymentState.NONE
    session.save(invoice, "invoice.updated")


def _redirect(payment: Record) -> dict[str, object]:
    url = f"https://sandbox.invalid/authenticate/{payment.id}"
    return {"type": NextActionType.REDIRECT, "details": {"url": url}}


def _voucher(payment: Record, expires_at: int, method: PaymentMethodType) -> dict[str, object]:
    details = {
        "method": method.value,
        **_numbers(payment.id, method),
        "amount_minor": str(payment.body["amount"]),
        "currency": payment.body["currency"],
        "expires_at": datetime.fromtimestamp(expires_at, tz=UTC).isoformat(),
    }
    return {"type": NextActionType.DISPLAY_VOUCHER, "details": details}


def _numbers(payment_id: str, method: PaymentMethodType) -> dict[str, str]:
    """What identifies the payment at a bank or at a counter, where the barcode says the same."""
    digits = int.from_bytes(payment_id.encode(), "big")
    if method is PaymentMethodType.SPEI:
        return {"clabe": clabe.complete(f"{_BANK}{digits % 10**11:011d}")}
    reference = f"{_STORES}{digits % 10**12:012d}"
    return {"reference": reference, "barcode": reference}


def settle(
    session: Session, invoice: Record, payment: Record | None, status: PaymentStatus
) -> PaymentStatus:
    is_paid = status is PaymentStatus.SUCCEEDED
    if payment is not None:
        payment.body.update(status=status, paid_at=session.now if is_paid else None)
        if status is not PaymentStatus.PROCESSING:
            payment.due_at = None
        session.save(payment, PAYMENT_EVENTS[status])
        invoice.body.update(payment=payment.id, payment_method=payment.body["payment_method"])
    invoice.body["payment_state"] = _STATES[status]
    if is_paid:
        invoice.body.update(
            status=InvoiceStatus.PAID,
            amount_paid=invoice.body["total"],
            amount_due=0,
            paid_at=session.now,
            next_attempt_at=None,
        )
    session.save(invoice, _INVOICE_EVENTS.get(status, "invoice.updated"))
    return status
