"""Money that goes back: refunds of payments, and the disputes of banks."""

from billing.enums import DisputeStatus, PaymentStatus, RefundStatus
from billing.errors import InvalidRequest
from billing.providers.sandbox.store import Record, Session
from billing.providers.types import RefundRequest

EVIDENCE_SECONDS = 14 * 24 * 3600
_GONE = frozenset({RefundStatus.FAILED, RefundStatus.CANCELED})
_OPEN = frozenset({DisputeStatus.WARNING, DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW})
_KEPT = frozenset({DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW, DisputeStatus.LOST})
_ENDS = frozenset(
    {
        DisputeStatus.WON,
        DisputeStatus.LOST,
        DisputeStatus.PREVENTED,
        DisputeStatus.WARNING_CLOSED,
    }
)


def refund(session: Session, request: RefundRequest) -> Record:
    """Send `request.amount_minor` back at once, never more than is left of the payment."""
    payment = _collected(session, request.payment_id)
    if request.currency != payment.body["currency"]:
        raise InvalidRequest("a refund is in the payment's currency", param="currency")
    if request.amount_minor < 1:
        raise InvalidRequest("an amount is at least 1", param="amount_minor")
    if any(each.body["status"] in _KEPT for each in session.of_parent("dispute", payment.id)):
        raise InvalidRequest("the bank has taken the payment back", param="payment_id")
    if request.amount_minor > left(session, payment):
        raise InvalidRequest("more than is left of the payment", param="amount_minor")
    refund_id = session.new_id("re")
    body = {
        "object": "refund",
        "id": refund_id,
        "created": session.now,
        "payment": payment.id,
        "amount": request.amount_minor,
        "currency": request.currency,
        "status": RefundStatus.SUCCEEDED,
        "reason": request.reason,
        "failure_code": "",
        "reference": request.reference or None,
    }
    return session.save(Record("refund", refund_id, body), "refund.created")


def left(session: Session, payment: Record) -> int:
    """Return what can still be refunded of a payment, in minor units."""
    made = session.of_parent("refund", payment.id)
    lasting = [each for each in made if each.body["status"] not in _GONE]
    found: int = payment.body["amount"] - sum(each.body["amount"] for each in lasting)
    return found


def fail_refund(session: Session, refund_id: str) -> Record:
    """Let the customer's bank send a refund back, as when the account is closed."""
    made = session.require("refund", refund_id)
    if made.body["status"] in _GONE:
        raise InvalidRequest(f"the refund is {made.body['status']}", param="refund")
    made.body.update(status=RefundStatus.FAILED, failure_code="expired_or_canceled_card")
    return session.save(made, "refund.failed")


def open_dispute(session: Session, payment_id: str, status: DisputeStatus) -> Record:
    """Let the customer's bank ask about a payment (`warning`), or take the money back."""
    payment = _collected(session, payment_id)
    if status not in _OPEN:
        raise InvalidRequest(f"no dispute begins as {status}", param="status")
    dispute_id = session.new_id("dp")
    body = {
        "object": "dispute",
        "id": dispute_id,
        "created": session.now,
        "payment": payment.id,
        "amount": payment.body["amount"],
        "currency": payment.body["currency"],
        "status": status,
        "reason": "fraudulent",
        "evidence_due_at": session.now + EVIDENCE_SECONDS,
    }
    return session.save(Record("dispute", dispute_id, body), "dispute.created")


def close_dispute(session: Session, dispute_id: str, status: DisputeStatus) -> Record:
    """Let the bank decide a dispute that is open."""
    dispute = session.require("dispute", dispute_id)
    if dispute.body["status"] not in _OPEN or status not in _ENDS:
        message = f"a dispute that is {dispute.body['status']} does not end as {status}"
        raise InvalidRequest(message, param="status")
    dispute.body["status"] = status
    return session.save(dispute, "dispute.closed")


def _collected(session: Session, payment_id: str) -> Record:
    payment = session.require("payment", payment_id)
    if payment.body["status"] != PaymentStatus.SUCCEEDED:
        raise InvalidRequest(f"the payment is {payment.body['status']}", param="payment_id")
    return payment
