from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.enums import DisputeStatus, RefundReason, RefundStatus
from billing.errors import (
    InvalidRequest,
    OutcomeUnknown,
    ProviderKeyConflict,
    ProviderObjectMissing,
)
from billing.providers.stripe import StripeProvider, returned
from billing.providers.types import Ref, RefundRequest, SubscriptionRequest
from billing.providers.values import Incomplete
from billing.testing import key, refund_request
from billing.tests.stripe_account import StripeAccount
from billing.tests.stripe_account.journal import Journal
from billing.tests.stripe_account.refunds import decide, open_dispute, send_back
from billing.tests.stripe_life import published

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
REQUEST = RefundRequest(
    reference="ref-1",
    payment_id="pi_1",
    amount_minor=500,
    currency="USD",
    reason=RefundReason.DUPLICATE,
)


@pytest.fixture
def payment(stripe: StripeProvider, wanted: SubscriptionRequest) -> Ref:
    """299.00 MXN, collected."""
    made = stripe.create_subscription(wanted, idempotency_key=key())
    invoice = stripe.get_invoice(Ref(id=str(made.latest_invoice_id)))
    return Ref(id=str(invoice.payment_id), customer_id=made.customer_id)


class TestCreate:
    def test_what_is_sent_and_what_comes_back(
        self, stripe: StripeProvider, account: StripeAccount, payment: Ref
    ) -> None:
        request = refund_request(stripe, payment, amount_minor=10_000)
        account.calls.clear()
        made = stripe.create_refund(request, idempotency_key="op-refund")
        assert account.sent("POST", "refunds") == [
            {
                "payment_intent": payment.id,
                "amount": "10000",
                "reason": "requested_by_customer",
                "metadata[cobro_reference]": request.reference,
            }
        ]
        assert account.keys() == ["op-refund"]
        assert (made.payment_id, made.amount_minor, made.currency) == (payment.id, 10_000, "MXN")
        assert (made.status, made.reference) == (RefundStatus.SUCCEEDED, request.reference)
        assert made.reason is RefundReason.REQUESTED_BY_CUSTOMER
        assert stripe.get_refund(Ref(id=made.id)) == made

    def test_more_than_is_left(
        self, stripe: StripeProvider, account: StripeAccount, payment: Ref
    ) -> None:
        with pytest.raises(InvalidRequest) as refused:
            stripe.create_refund(
                refund_request(stripe, payment, amount_minor=29_901), idempotency_key=key()
            )
        assert refused.value.param == "amount"
        assert stripe.list_refunds(payment) == []

    def test_a_payment_that_is_refunded_whole(self, stripe: StripeProvider, payment: Ref) -> None:
        whole = refund_request(stripe, payment, amount_minor=29_900)
        stripe.create_refund(whole, idempotency_key=key())
        with pytest.raises(InvalidRequest) as refused:
            stripe.create_refund(replace(whole, amount_minor=1), idempotency_key=key())
        assert refused.value.provider_code == "charge_already_refunded"

    def test_a_payment_that_its_bank_took_back(
        self, stripe: StripeProvider, account: StripeAccount, payment: Ref
    ) -> None:
        open_dispute(account, payment.id)
        with pytest.raises(InvalidRequest) as refused:
            stripe.create_refund(
                refund_request(stripe, payment, amount_minor=1), idempotency_key=key()
            )
        assert refused.value.provider_code == "charge_disputed"

    def test_a_lost_answer_has_one_effect(
        self, stripe: StripeProvider, account: StripeAccount, payment: Ref
    ) -> None:
        request, used = refund_request(stripe, payment, amount_minor=100), key()
        account.lose_next("POST", "refunds")
        with pytest.raises(OutcomeUnknown):
            stripe.create_refund(request, idempotency_key=used)
        made = stripe.create_refund(request, idempotency_key=used)
        assert [each.id for each in stripe.list_refunds(payment)] == [made.id]
        with pytest.raises(ProviderKeyConflict):
            stripe.create_refund(replace(request, amount_minor=101), idempotency_key=used)

    @pytest.mark.parametrize(
        ("amount_minor", "currency"), [(0, "USD"), (-1, "USD"), (1_005, "KWD"), (10, "MGA")]
    )
    def test_an_amount_that_stripe_does_not_take_is_not_sent(
        self, stripe: StripeProvider, account: StripeAccount, amount_minor: int, currency: str
    ) -> None:
        request = replace(REQUEST, amount_minor=amount_minor, currency=currency)
        with pytest.raises(InvalidRequest) as refused:
            stripe.create_refund(request, idempotency_key=key())
        assert refused.value.param == "amount_minor"
        assert account.calls == []

    def test_what_happens_is_told(
        self, stripe: StripeProvider, account: StripeAccount, payment: Ref
    ) -> None:
        journal = Journal(account)
        made = stripe.create_refund(
            refund_request(stripe, payment, amount_minor=100), idempotency_key=key()
        )
        send_back(account, made.id)
        decide(account, open_dispute(account, payment.id), "won")
        told = journal.take(payment.customer_id)
        assert [each["type"] for each in told] == [
            "charge.updated",
            "charge.refunded",
            "refund.created",
            "charge.updated",
            "refund.updated",
            "refund.failed",
            "charge.dispute.created",
            "charge.dispute.updated",
            "charge.dispute.closed",
        ]
        assert stripe.get_refund(Ref(id=made.id)).status is RefundStatus.FAILED


class TestRead:
    def test_those_of_one_payment_only_newest_first(
        self, stripe: StripeProvider, account: StripeAccount, payment: Ref
    ) -> None:
        made = [
            stripe.create_refund(
                refund_request(stripe, payment, amount_minor=amount), idempotency_key=key()
            ).id
            for amount in (100, 200)
        ]
        account.make("refund", "re", payment_intent="pi_other")
        assert [each.id for each in stripe.list_refunds(payment)] == made[::-1]
        assert f"payment_intent={payment.id}" in account.calls[-1]["url"]

    def test_what_is_not_there(self, stripe: StripeProvider, account: StripeAccount) -> None:
        for read in (stripe.get_refund, stripe.get_dispute):
            with pytest.raises(ProviderObjectMissing):
                read(Ref(id="none_1"))

    def test_a_dispute(self, stripe: StripeProvider, account: StripeAccount, payment: Ref) -> None:
        dispute_id = open_dispute(account, payment.id)
        found = stripe.get_dispute(Ref(id=dispute_id))
        assert (found.id, found.payment_id) == (dispute_id, payment.id)
        assert (found.amount_minor, found.currency) == (29_900, "MXN")
        assert (found.status, found.reason) == (DisputeStatus.NEEDS_RESPONSE, "fraudulent")
        assert found.evidence_due_at == datetime.fromtimestamp(1_723_679_999, UTC)


class TestParameters:
    @pytest.mark.parametrize(
        ("payment_id", "name"), [("pi_1", "payment_intent"), ("ch_1", "charge"), ("py_1", "charge")]
    )
    def test_what_is_refunded_is_named(self, payment_id: str, name: str) -> None:
        sent = returned.parameters(replace(REQUEST, payment_id=payment_id))
        assert sent[name] == payment_id
        assert {"payment_intent", "charge"} - set(sent) == {"payment_intent", "charge"} - {name}

    def test_the_amount_is_in_stripes_unit(self) -> None:
        sent = returned.parameters(replace(REQUEST, amount_minor=5, currency="ISK"))
        assert sent["amount"] == 500


class TestRefund:
    def test_one_of_a_charge_without_a_payment_intent(self) -> None:
        source = published("refund")
        found = returned.refund(source, as_of=NOW)
        assert found.payment_id == source["charge"]
        assert (found.reason, found.failure_code, found.reference) == (None, "", None)

    def test_a_failed_one_says_why(self) -> None:
        source = published("refund") | {"status": "failed", "failure_reason": "declined"}
        found = returned.refund(source, as_of=NOW)
        assert (found.status, found.failure_code) == (RefundStatus.FAILED, "declined")

    @pytest.mark.parametrize("status", ["teleported", None, 5, ["succeeded"]])
    def test_an_unknown_status_keeps_the_rest(self, status: object) -> None:
        found = returned.refund(published("refund") | {"status": status}, as_of=NOW)
        assert found.status is None
        assert found.provider_status == (status if isinstance(status, str) else "")
        assert found.amount_minor == 100

    def test_a_reason_that_is_none_of_ours(self) -> None:
        source = published("refund") | {"reason": "expired_uncaptured_charge"}
        assert returned.refund(source, as_of=NOW).reason is None

    @pytest.mark.parametrize("name", ["id", "amount", "currency"])
    def test_what_every_refund_has(self, name: str) -> None:
        with pytest.raises(Incomplete):
            returned.refund(published("refund") | {name: None}, as_of=NOW)

    def test_one_of_no_payment(self) -> None:
        with pytest.raises(Incomplete):
            returned.refund(published("refund") | {"charge": None}, as_of=NOW)

    def test_an_expanded_payment(self) -> None:
        source = published("refund") | {"payment_intent": {"id": "pi_9", "object": "x"}}
        assert returned.refund(source, as_of=NOW).payment_id == "pi_9"


WORDS = {
    "warning_needs_response": DisputeStatus.WARNING,
    "warning_under_review": DisputeStatus.WARNING,
    "warning_closed": DisputeStatus.WARNING_CLOSED,
    "needs_response": DisputeStatus.NEEDS_RESPONSE,
    "under_review": DisputeStatus.UNDER_REVIEW,
    "appeal_needs_response": DisputeStatus.NEEDS_RESPONSE,
    "appeal_under_review": DisputeStatus.UNDER_REVIEW,
    "won": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
    "prevented": DisputeStatus.PREVENTED,
    "warning": None,
    "teleported": None,
}


class TestDispute:
    @pytest.mark.parametrize(("word", "status"), WORDS.items())
    def test_each_word(self, word: str, status: DisputeStatus | None) -> None:
        found = returned.dispute(published("dispute") | {"status": word}, as_of=NOW)
        assert (found.status, found.provider_status) == (status, word)

    def test_without_what_may_be_missing(self) -> None:
        source = published("dispute") | {"evidence_details": None, "reason": None}
        found = returned.dispute(source, as_of=NOW)
        assert (found.evidence_due_at, found.reason) == (None, "")

    @given(
        st.sampled_from(sorted(published("dispute"))),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers()),
    )
    def test_whatever_stands_there(self, name: str, value: Any) -> None:
        source = published("dispute") | {name: value}
        try:
            found = returned.dispute(source, as_of=NOW)
        except Incomplete:
            assert name in ("id", "amount", "currency", "charge")
        else:
            assert found.raw == source
