"""The sandbox's refunds and disputes, and the bank that sends money back or takes it."""

from billing.enums import DisputeStatus
from billing.providers.base import ReadsDisputes, RefundsPayments
from billing.providers.sandbox import clock, mapping, returned
from billing.providers.sandbox.backend import SandboxBackend
from billing.providers.sandbox.store import Session
from billing.providers.types import DisputeData, Ref, RefundData, RefundRequest


class Refunds(SandboxBackend, RefundsPayments, ReadsDisputes):
    def create_refund(self, request: RefundRequest, *, idempotency_key: str) -> RefundData:
        answer = self._calls.write(
            "create_refund",
            idempotency_key,
            request,
            lambda session: returned.refund(session, request),
        )
        return mapping.refund(answer.body, answer.as_of)

    def get_refund(self, refund: Ref) -> RefundData:
        return mapping.refund(*self._get("refund", refund))

    def list_refunds(self, payment: Ref) -> list[RefundData]:
        def read(session: Session) -> list[RefundData]:
            session.require("payment", payment.id)
            as_of = clock.moment(session.now)
            found = session.of_parent("refund", payment.id)
            return [mapping.refund(refund.body, as_of) for refund in found]

        return self._calls.read(read)

    def get_dispute(self, dispute: Ref) -> DisputeData:
        return mapping.dispute(*self._get("dispute", dispute))

    # What only a simulation can do

    def fail_refund(self, refund: Ref) -> RefundData:
        """Let the customer's bank send the money back."""
        with self._store.write() as session:
            record = returned.fail_refund(session, refund.id)
            return mapping.refund(record.body, clock.moment(session.now))

    def open_dispute(
        self, payment: Ref, status: DisputeStatus = DisputeStatus.NEEDS_RESPONSE
    ) -> DisputeData:
        """Let the customer's bank take a payment back, or ask about it first (`warning`)."""
        with self._store.write() as session:
            record = returned.open_dispute(session, payment.id, status)
            return mapping.dispute(record.body, clock.moment(session.now))

    def close_dispute(self, dispute: Ref, status: DisputeStatus) -> DisputeData:
        """Let the bank decide: `won`, `lost`, `prevented` or `warning_closed`."""
        with self._store.write() as session:
            record = returned.close_dispute(session, dispute.id, status)
            return mapping.dispute(record.body, clock.moment(session.now))
