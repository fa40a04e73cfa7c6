"""Refunds and disputes of payments at Stripe."""

from billing.providers.base import ReadsDisputes, RefundsPayments
from billing.providers.stripe import returned
from billing.providers.stripe.backend import StripeBackend
from billing.providers.types import DisputeData, Ref, RefundData, RefundRequest


class Refunds(StripeBackend, RefundsPayments, ReadsDisputes):
    def create_refund(self, request: RefundRequest, *, idempotency_key: str) -> RefundData:
        """Stripe refuses more than is left, a payment that is refunded whole, and a lost one."""
        answer = self._client.post(
            "refunds", idempotency_key=idempotency_key, params=returned.parameters(request)
        )
        return returned.refund(answer.body, as_of=answer.as_of)

    def get_refund(self, refund: Ref) -> RefundData:
        answer = self._client.get("refunds", refund.id)
        return returned.refund(answer.body, as_of=answer.as_of)

    def list_refunds(self, payment: Ref) -> list[RefundData]:
        found = self._client.pages("refunds", **returned.source_of(payment.id))
        return [returned.refund(each, as_of=as_of) for each, as_of in found]

    def get_dispute(self, dispute: Ref) -> DisputeData:
        answer = self._client.get("disputes", dispute.id)
        return returned.dispute(answer.body, as_of=answer.as_of)
