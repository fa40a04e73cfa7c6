"""Money that goes back: our refund as parameters, Stripe's refunds and disputes as ours. Pure."""

from datetime import datetime
from typing import Any

from billing.enums import DisputeStatus, RefundReason, RefundStatus
from billing.errors import InvalidRequest
from billing.providers.stripe.amounts import required_amount, to_stripe
from billing.providers.stripe.mapping import REFERENCE_KEY
from billing.providers.types import JSON, DisputeData, RefundData, RefundRequest
from billing.providers.values import currency, incomplete, moment, part, remote_id, text
from billing.providers.values import required_id as own_id

# "warning" is an inquiry of the bank: Stripe docs, "How disputes work", no funds are withdrawn for
# one. An appeal goes on with a dispute that was decided, so no state here is final.
_DISPUTE_STATUSES = {
    "warning_needs_response": DisputeStatus.WARNING,
    "warning_under_review": DisputeStatus.WARNING,
    "appeal_needs_response": DisputeStatus.NEEDS_RESPONSE,
    "appeal_under_review": DisputeStatus.UNDER_REVIEW,
} | {status.value: status for status in DisputeStatus if status is not DisputeStatus.WARNING}


def source_of(payment_id: str) -> dict[str, Any]:
    """Name what is refunded: a PaymentIntent, or a Charge that has none."""
    is_charge = payment_id.startswith(("ch_", "py_"))
    return {"charge" if is_charge else "payment_intent": payment_id}


def parameters(request: RefundRequest) -> JSON:
    """Raises InvalidRequest for an amount that Stripe would refuse or read as another one."""
    amount = to_stripe(request.amount_minor, request.currency)
    if not amount:
        raise InvalidRequest("nothing is refunded by 0", param="amount_minor")
    return {
        **source_of(request.payment_id),
        "amount": amount,
        "reason": request.reason.value,
        "metadata": {REFERENCE_KEY: request.reference},
    }


def refund(source: JSON, *, as_of: datetime) -> RefundData:
    code = currency(source)
    status = text(source.get("status"))
    reason = text(source.get("reason"))
    return RefundData(
        id=own_id(source),
        payment_id=_payment_id(source),
        amount_minor=required_amount(source, "amount", code),
        currency=code,
        status=RefundStatus(status) if status in list(RefundStatus) else None,
        provider_status=status,
        as_of=as_of,
        reason=RefundReason(reason) if reason in list(RefundReason) else None,
        failure_code=text(source.get("failure_reason")),
        reference=text(part(source, "metadata").get(REFERENCE_KEY)) or None,
        raw=source,
    )


def dispute(source: JSON, *, as_of: datetime) -> DisputeData:
    code = currency(source)
    status = text(source.get("status"))
    return DisputeData(
        id=own_id(source),
        payment_id=_payment_id(source),
        amount_minor=required_amount(source, "amount", code),
        currency=code,
        status=_DISPUTE_STATUSES.get(status),
        provider_status=status,
        as_of=as_of,
        reason=text(source.get("reason")),
        evidence_due_at=moment(part(source, "evidence_details").get("due_by")),
        raw=source,
    )


def _payment_id(source: JSON) -> str:
    found = remote_id(source.get("payment_intent")) or remote_id(source.get("charge"))
    return found or incomplete(source, "payment")
