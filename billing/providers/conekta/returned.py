"""Money that goes back: refunds, which Conekta keeps with their charge, and chargebacks. Pure."""

from datetime import datetime

from billing.enums import DisputeStatus, RefundReason, RefundStatus
from billing.errors import InvalidRequest
from billing.providers.conekta.mapping import amount
from billing.providers.conekta.orders_mapping import charges, newest_first
from billing.providers.types import JSON, DisputeData, RefundData, RefundRequest
from billing.providers.values import (
    currency,
    items,
    moment,
    part,
    remote_id,
    required_id,
    text,
)

# Specification: "suspected_fraud" is its one example; the others are those of Conekta's panel.
_REASONS = {
    RefundReason.DUPLICATE: "duplicated_transaction",
    RefundReason.FRAUDULENT: "suspected_fraud",
    RefundReason.REQUESTED_BY_CUSTOMER: "requested_by_client",
}
_STATUSES = {
    "": RefundStatus.SUCCEEDED,  # a card's is done at once, and tells no status
    "refunded": RefundStatus.SUCCEEDED,
    "paid": RefundStatus.SUCCEEDED,
    "pending": RefundStatus.PENDING,
    "expired": RefundStatus.FAILED,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.CANCELED,
}
# Specification, chargeback_response. "rt" is a request for papers before any money is taken.
_DISPUTES = {
    "action_required": DisputeStatus.NEEDS_RESPONSE,
    "pending_review": DisputeStatus.UNDER_REVIEW,
    "under_review": DisputeStatus.UNDER_REVIEW,
    "represented": DisputeStatus.UNDER_REVIEW,
    "rt": DisputeStatus.WARNING,
    "rt_sent": DisputeStatus.WARNING,
    "covered": DisputeStatus.WON,
    "won": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
}


def parameters(request: RefundRequest) -> JSON:
    """Raises InvalidRequest for nothing."""
    if request.amount_minor < 1:
        raise InvalidRequest("nothing is refunded by 0", param="amount_minor")
    return {"amount": request.amount_minor, "reason": _REASONS[request.reason]}


def refunds_of(charge: JSON) -> list[JSON]:
    """A charge's refunds, newest first."""
    return newest_first(items(charge.get("refunds")))


def newest_refund(charge: JSON) -> JSON:
    """The refund that a `charge.refunded` is about; empty where there is none."""
    return next(iter(refunds_of(charge)), {})


def told_refund(charge: JSON, *, as_of: datetime) -> RefundData:
    """Map the refund of an event's charge."""
    return refund(newest_refund(charge), charge, as_of=as_of)


def refund(source: JSON, charge: JSON, *, as_of: datetime) -> RefundData:
    """Map a refund of a charge. It carries no reference of ours; amounts are negative."""
    status = text(source.get("status"))
    return RefundData(
        id=required_id(source),
        payment_id=required_id(charge),
        amount_minor=abs(amount(source)),
        currency=currency(charge),
        status=_STATUSES.get(status),
        provider_status=status,
        as_of=as_of,
        keeps_reference=False,
        raw=source,
    )


def refunds_in(order: JSON) -> list[tuple[JSON, JSON]]:
    """All refunds of an order, each with its charge."""
    return [(each, charge) for charge in charges(order) for each in refunds_of(charge)]


def dispute(charge: JSON, *, as_of: datetime) -> DisputeData:
    """Map a charge's chargeback: the whole of the charge is disputed."""
    source = part(charge, "chargeback")
    status = text(source.get("status"))
    return DisputeData(
        id=required_id(source),
        payment_id=required_id(charge),
        amount_minor=amount(charge),
        currency=currency(charge),
        status=_DISPUTES.get(status),
        provider_status=status,
        as_of=as_of,
        reason=text(source.get("reason")),
        evidence_due_at=moment(source.get("evidence_due_by")),
        raw=source,
    )


def disputed_in(order: JSON) -> list[JSON]:
    """An order's charges that have a chargeback."""
    return [each for each in charges(order) if remote_id(part(each, "chargeback"))]
