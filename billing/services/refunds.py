"""Sending money back. Reserve, call, record."""

from functools import partial

from django.db import transaction

from billing import clock
from billing.enums import (
    ChangeCause,
    ChangeOutcome,
    OperationOutcome,
    PaymentStatus,
    RefundReason,
    RefundStatus,
)
from billing.errors import (
    BillingError,
    InvalidTransition,
    RefundExceedsPayment,
    RequestInProgress,
)
from billing.models import Operation, Payment, Refund, StateChange
from billing.providers.base import RefundsPayments
from billing.providers.types import RefundRequest
from billing.registry import providers
from billing.services import operations, sync

CREATE = "refund.create"
IN_PROGRESS_SECONDS = 5


def create(
    payment: Payment,
    *,
    reason: RefundReason,
    amount_minor: int | None = None,
    request_key: str = "",
) -> Refund:
    """Send `amount_minor` of `payment` back, minor units of its currency; None: all that is left.

    The refund may still be pending when this returns. A repeated `request_key` returns the same
    refund. Raises InvalidTransition where the payment was not collected, was charged back or has
    nothing left, RefundExceedsPayment, UnsupportedOperation, OutcomeUnknown (repeat with the same
    key), and InvalidRequest where the provider refuses it; then nothing was sent.
    """
    providers.get(payment.provider, RefundsPayments)
    operation = _earlier(payment, request_key)
    return _finish(operation or _reserve(payment, reason, amount_minor, request_key))


def left(payment: Payment) -> int:
    """Return what can still be sent back of `payment`, in minor units: reserved is not left."""
    amounts = payment.refunds.lasting().values_list("amount_minor", flat=True)
    return max(payment.amount_minor - sum(amounts), 0)


def settle_creation(operation: Operation) -> None:
    """Settle a creation that was left open by what the provider holds; nothing is sent.

    Raises what the provider raises.
    """
    refund = Refund.objects.get(pk=operation.subject_id)
    operations.look_up(operation, on_failed=partial(_abandon, refund))


def _earlier(payment: Payment, request_key: str) -> Operation | None:
    """The creation that an earlier try of the same request left, to be answered or repeated."""
    found = operations.find(payment.organization, CREATE, request_key, step=str(payment.pk))
    if found is None:
        return None
    refund = Refund.objects.get(pk=found.subject_id)
    return operations.repeatable(found, on_failed=partial(_abandon, refund))


def _reserve(
    payment: Payment, reason: RefundReason, amount_minor: int | None, request_key: str
) -> Operation:
    """Commit the intent and the pending row under the payment's lock: no two share what is left."""
    with transaction.atomic():
        locked = Payment.objects.select_for_update(no_key=True).get(pk=payment.pk)
        step = str(payment.pk)
        again = operations.find(payment.organization, CREATE, request_key, step=step)
        if again:
            return again
        refund = Refund.objects.create(
            organization_id=locked.organization_id,
            payment=locked,
            provider=locked.provider,
            mode=locked.mode,
            currency=locked.currency,
            amount_minor=_amount(locked, amount_minor),
            reason=reason,
        )
        return operations.reserve(
            CREATE,
            refund,
            organization=payment.organization,
            provider=locked.provider,
            request_key=request_key,
            step=step,
        )


def _amount(payment: Payment, wanted: int | None) -> int:
    if payment.status != PaymentStatus.SUCCEEDED:
        raise InvalidTransition(f"a payment that is {payment.status} cannot be refunded")
    if payment.charged_back_minor:
        raise InvalidTransition("the customer's bank has taken the payment back")
    rest = left(payment)
    if not rest:
        raise InvalidTransition("nothing is left of the payment")
    if wanted is None:
        return rest
    if not 0 < wanted <= rest:
        raise RefundExceedsPayment(f"{wanted} is not between 1 and what is left, {rest}")
    return wanted


def _finish(operation: Operation) -> Refund:
    """Carry out a reserved creation, or repeat with its own key one whose answer was lost."""
    refund = Refund.objects.select_related("payment").get(pk=operation.subject_id)
    if operation.is_done:
        return refund
    if refund.provider_refund_id:
        # The answer was lost, but a webhook told that it was made.
        operation.remote_id = refund.provider_refund_id
        operations.settle(operation, OperationOutcome.DONE)
        return refund
    if not (operation.was_reserved_now or operations.can_repeat(operation)):
        raise RequestInProgress("it is being made right now", retry_after=IN_PROGRESS_SECONDS)
    provider = providers.get(refund.provider, RefundsPayments)
    with operations.recording(operation, on_failed=partial(_abandon, refund)):
        data = provider.create_refund(_request(refund), idempotency_key=operation.key)
        operation.remote_id = data.id
        return sync.upsert_refund(refund.provider, data)


def _request(refund: Refund) -> RefundRequest:
    return RefundRequest(
        reference=str(refund.pk),
        payment_id=refund.payment.provider_payment_id,
        amount_minor=refund.amount_minor,
        currency=refund.currency,
        reason=RefundReason(refund.reason),
    )


def _abandon(refund: Refund, error: BillingError) -> None:
    """Nothing was sent by the provider: what was reserved is left again.

    Runs in the transaction that records the failed operation.
    """
    abandoned = Refund.objects.filter(
        pk=refund.pk, provider_refund_id=None, status=RefundStatus.PENDING
    ).update(status=RefundStatus.FAILED, failure_code=error.code)
    if abandoned:
        StateChange.objects.create(
            organization_id=refund.organization_id,
            object_type="refund",
            object_id=refund.pk,
            provider=refund.provider,
            cause=ChangeCause.API,
            outcome=ChangeOutcome.APPLIED,
            code=error.code,
            from_state=RefundStatus.PENDING,
            to_state=RefundStatus.FAILED,
            occurred_at=clock.now(),
        )
