"""Sending money back: never more than was paid, once per request, and what became of it."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from billing.enums import DisputeStatus, OperationOutcome, PaymentState, RefundReason, RefundStatus
from billing.errors import (
    InvalidRequest,
    InvalidTransition,
    OutcomeUnknown,
    RefundExceedsPayment,
    UnsupportedOperation,
)
from billing.models import Invoice, Operation, Payment, Refund, StateChange
from billing.providers.base import RefundsPayments, Simulates
from billing.providers.types import Ref, RefundData, RefundRequest
from billing.registry import providers
from billing.services import invariants, reconcile, refunds, subscriptions
from billing.tests.services.sandbox_objects import side_by_side, take_away

pytestmark = pytest.mark.django_db(transaction=True)

PRICE = 2999
WISH = RefundReason.REQUESTED_BY_CUSTOMER


@pytest.fixture
def payment(organization_de: Any, published: Any, deliver: Any) -> Payment:
    """29.99 USD, collected by the stand-in of Stripe."""
    return bought(organization_de, published, deliver)


def bought(organization: Any, published: Any, deliver: Any) -> Payment:
    row = subscriptions.create(
        organization, plan=published["startup"], interval="monthly", token="tok_visa"
    )
    deliver(row.provider)
    found = Payment.objects.get(customer=row.customer)
    assert found.status == "succeeded"
    return found


def sandbox_of(alias: str) -> Any:
    return providers.get(alias, Simulates)


def at_provider(payment: Payment) -> list[RefundData]:
    return providers.get(payment.provider, RefundsPayments).list_refunds(payment.ref)


def by_hand(payment: Payment, amount_minor: int) -> RefundData:
    """A refund that staff makes in the provider's own pages."""
    request = RefundRequest(
        reference="",
        payment_id=payment.provider_payment_id,
        amount_minor=amount_minor,
        currency=payment.currency,
        reason=RefundReason.DUPLICATE,
    )
    return providers.get(payment.provider, RefundsPayments).create_refund(
        request, idempotency_key=f"by-hand-{amount_minor}"
    )


def sums(payment: Payment) -> tuple[int, int, str]:
    """What the payment and its invoice say, which must be the same, and the invoice's state."""
    payment.refresh_from_db()
    invoice = Invoice.objects.get(pk=payment.invoice_id)
    assert invoice.refunded_minor == payment.refunded_minor
    assert invoice.charged_back_minor == payment.charged_back_minor
    return payment.refunded_minor, payment.charged_back_minor, invoice.payment_state


def lose(run: Callable[[], Any], alias: str = "stripe", *, minutes: int = 3) -> Operation:
    """Lose the answer of `run`'s write; return what it left, some minutes ago."""
    sandbox_of(alias).set_faults(timeout_after_success=1)
    with pytest.raises(OutcomeUnknown):
        run()
    return aged(Operation.objects.latest("created_at"), minutes=minutes)


def aged(operation: Operation, **by: int) -> Operation:
    created_at = timezone.now() - timedelta(**by)
    Operation.objects.filter(pk=operation.pk).update(created_at=created_at)
    operation.refresh_from_db()
    return operation


def no_statement_is_violated() -> bool:
    return not [found.statement.name for found in invariants.check() if found.count]


class TestCreate:
    def test_a_part_and_then_the_rest(self, payment: Payment, deliver: Any) -> None:
        first = refunds.create(payment, reason=WISH, amount_minor=1000)
        assert (first.status, first.amount_minor, first.currency) == ("succeeded", 1000, "USD")
        assert (first.reason, first.organization_id) == (WISH, payment.organization_id)
        assert sums(payment) == (1000, 0, PaymentState.PARTIALLY_REFUNDED)
        rest = refunds.create(payment, reason=RefundReason.DUPLICATE)
        assert rest.amount_minor == PRICE - 1000
        assert sums(payment) == (PRICE, 0, PaymentState.REFUNDED)
        deliver("stripe")
        assert sums(payment) == (PRICE, 0, PaymentState.REFUNDED)
        assert [each.reference for each in at_provider(payment)] == [str(rest.pk), str(first.pk)]
        assert no_statement_is_violated()

    def test_its_operation_and_its_history(self, payment: Payment) -> None:
        refund = refunds.create(payment, reason=WISH, request_key="key-1")
        operation = Operation.objects.get(verb="refund.create")
        assert (operation.outcome, operation.remote_id) == ("done", refund.provider_refund_id)
        assert (operation.subject_type, operation.subject_id) == ("refund", refund.pk)
        (change,) = StateChange.objects.filter(object_type="refund", object_id=refund.pk)
        assert (change.from_state, change.to_state) == ("", "succeeded")

    @pytest.mark.parametrize("amount_minor", [0, -1, PRICE + 1])
    def test_more_than_was_paid_or_nothing(self, payment: Payment, amount_minor: int) -> None:
        with pytest.raises(RefundExceedsPayment):
            refunds.create(payment, reason=WISH, amount_minor=amount_minor)
        assert not Refund.objects.exists()
        assert at_provider(payment) == []

    def test_more_than_is_left(self, payment: Payment) -> None:
        refunds.create(payment, reason=WISH, amount_minor=PRICE - 1)
        with pytest.raises(RefundExceedsPayment):
            refunds.create(payment, reason=WISH, amount_minor=2)
        refunds.create(payment, reason=WISH, amount_minor=1)
        with pytest.raises(InvalidTransition):
            refunds.create(payment, reason=WISH)
        assert refunds.left(payment) == 0

    @pytest.mark.parametrize("status", ["pending", "processing", "failed", "canceled"])
    def test_a_payment_that_was_not_collected(self, payment: Payment, status: str) -> None:
        Payment.objects.filter(pk=payment.pk).update(status=status)
        with pytest.raises(InvalidTransition):
            refunds.create(payment, reason=WISH)
        assert at_provider(payment) == []

    def test_a_provider_that_sends_nothing_back(
        self, settings: Any, organization_mx: Any, published: Any, deliver: Any
    ) -> None:
        payment = bought(organization_mx, published, deliver)
        take_away(settings, "conekta", "RefundsPayments")
        with pytest.raises(UnsupportedOperation):
            refunds.create(payment, reason=WISH)
        assert not Refund.objects.exists()

    def test_a_repeated_request_is_one_refund(self, payment: Payment) -> None:
        made = [
            refunds.create(payment, reason=WISH, amount_minor=100, request_key="key-1").pk
            for _ in range(2)
        ]
        assert len(set(made)) == len(at_provider(payment)) == 1

    def test_a_refusal_leaves_as_much_as_before(self, payment: Payment) -> None:
        """The provider knows of a refund whose event has not come yet."""
        by_hand(payment, PRICE - 100)
        with pytest.raises(InvalidRequest):
            refunds.create(payment, reason=WISH, amount_minor=101, request_key="key-1")
        refund = Refund.objects.get()
        assert (refund.status, refund.failure_code) == ("failed", "invalid_request")
        assert Operation.objects.get(verb="refund.create").outcome == OperationOutcome.FAILED
        assert refunds.left(payment) == PRICE
        again = refunds.create(payment, reason=WISH, amount_minor=100, request_key="key-1")
        assert (again.status, sums(payment)[0]) == ("succeeded", 100)
        assert no_statement_is_violated()


class TestLostAnswers:
    def test_the_same_request_again_has_one_effect(self, payment: Payment) -> None:
        again = partial(refunds.create, payment, reason=WISH, amount_minor=100, request_key="key-1")
        lose(again)
        assert Refund.objects.get().status == RefundStatus.PENDING
        assert sums(payment)[0] == 0
        assert again().status == RefundStatus.SUCCEEDED
        assert len(at_provider(payment)) == 1
        assert sums(payment)[0] == 100

    def test_what_is_open_is_not_left(self, payment: Payment) -> None:
        lose(partial(refunds.create, payment, reason=WISH, amount_minor=PRICE - 100))
        with pytest.raises(RefundExceedsPayment):
            refunds.create(payment, reason=WISH, amount_minor=101)

    def test_nobody_repeats_it_and_it_is_found(self, payment: Payment) -> None:
        operation = lose(partial(refunds.create, payment, reason=WISH, amount_minor=100))
        by_hand(payment, 7)
        assert reconcile.reconcile_unknown() == 1
        operation.refresh_from_db()
        refund = Refund.objects.get()
        assert (operation.outcome, operation.remote_id) == ("done", refund.provider_refund_id)
        assert (refund.status, refund.amount_minor) == ("succeeded", 100)
        assert sums(payment)[0] == 100
        assert len(at_provider(payment)) == 2

    def test_it_never_arrived(self, payment: Payment) -> None:
        """As a process leaves it that was killed before the call: nothing is sent for it later."""
        sandbox_of("stripe").set_faults(answer_500=1)
        with pytest.raises(Exception, match="answer_500"):
            refunds.create(payment, reason=WISH, amount_minor=100)
        operation = Operation.objects.get(verb="refund.create")
        Operation.objects.filter(pk=operation.pk).update(outcome=OperationOutcome.PENDING)
        Refund.objects.update(status=RefundStatus.PENDING, failure_code="")
        aged(operation, minutes=3)
        assert reconcile.reconcile_unknown() == 1
        operation.refresh_from_db()
        assert operation.outcome == OperationOutcome.FAILED
        assert Refund.objects.get().status == RefundStatus.FAILED
        assert at_provider(payment) == []
        assert refunds.left(payment) == PRICE

    def test_after_the_provider_has_forgotten_the_key(self, payment: Payment) -> None:
        again = partial(refunds.create, payment, reason=WISH, amount_minor=100, request_key="key-1")
        aged(lose(again), days=2)
        assert again().status == RefundStatus.SUCCEEDED
        assert len(at_provider(payment)) == 1

    def test_a_webhook_told_of_it(self, payment: Payment, deliver: Any) -> None:
        again = partial(refunds.create, payment, reason=WISH, amount_minor=100, request_key="key-1")
        operation = lose(again)
        deliver("stripe")
        refund = Refund.objects.get()
        assert (refund.status, sums(payment)[0]) == ("succeeded", 100)
        assert again() == refund
        operation.refresh_from_db()
        assert (operation.outcome, operation.remote_id) == ("done", refund.provider_refund_id)

    def test_it_was_given_up_and_had_been_made(self, payment: Payment, deliver: Any) -> None:
        """Money that has gone counts, whatever we thought."""
        lose(partial(refunds.create, payment, reason=WISH, amount_minor=100))
        Refund.objects.update(status=RefundStatus.FAILED)
        deliver("stripe")
        assert Refund.objects.filter(status="succeeded", amount_minor=100).count() == 1
        assert sums(payment) == (100, 0, PaymentState.PARTIALLY_REFUNDED)
        assert refunds.left(payment) == PRICE - 100


class TestMirror:
    def test_a_refund_made_elsewhere(self, payment: Payment, deliver: Any) -> None:
        made = by_hand(payment, 500)
        deliver("stripe")
        refund = Refund.objects.get(provider_refund_id=made.id)
        assert (refund.payment, refund.organization_id) == (payment, payment.organization_id)
        assert (refund.reason, refund.amount_minor) == (RefundReason.DUPLICATE, 500)
        assert sums(payment) == (500, 0, PaymentState.PARTIALLY_REFUNDED)

    def test_one_that_the_bank_sends_back(self, payment: Payment, deliver: Any) -> None:
        refund = refunds.create(payment, reason=WISH)
        sandbox_of("stripe").fail_refund(Ref(id=str(refund.provider_refund_id)))
        deliver("stripe")
        refund.refresh_from_db()
        assert (refund.status, refund.failure_code) == ("failed", "expired_or_canceled_card")
        assert sums(payment) == (0, 0, PaymentState.PAID)
        assert refunds.left(payment) == PRICE
        assert no_statement_is_violated()

    def test_a_dispute_until_it_is_won(self, payment: Payment, deliver: Any) -> None:
        refunds.create(payment, reason=WISH, amount_minor=100)
        dispute = sandbox_of("stripe").open_dispute(payment.ref)
        deliver("stripe")
        assert sums(payment) == (100, PRICE, PaymentState.CHARGED_BACK)
        row = payment.disputes.get()
        assert (row.status, row.reason) == ("needs_response", "fraudulent")
        assert row.evidence_due_at == dispute.evidence_due_at
        with pytest.raises(InvalidTransition):
            refunds.create(payment, reason=WISH)
        sandbox_of("stripe").close_dispute(Ref(id=dispute.id), DisputeStatus.WON)
        deliver("stripe")
        assert sums(payment) == (100, 0, PaymentState.PARTIALLY_REFUNDED)
        assert no_statement_is_violated()

    def test_an_inquiry_takes_nothing(self, payment: Payment, deliver: Any) -> None:
        inquiry = sandbox_of("stripe").open_dispute(payment.ref, DisputeStatus.WARNING)
        deliver("stripe")
        assert sums(payment) == (0, 0, PaymentState.PAID)
        sandbox_of("stripe").close_dispute(Ref(id=inquiry.id), DisputeStatus.WARNING_CLOSED)
        deliver("stripe")
        assert payment.disputes.get().status == "warning_closed"
        assert sums(payment) == (0, 0, PaymentState.PAID)


@pytest.mark.postgres
class TestSideBySide:
    def test_two_at_once_do_not_share_what_is_left(self, payment: Payment) -> None:
        def refund() -> str:
            try:
                return refunds.create(payment, reason=WISH, amount_minor=PRICE - 100).status
            except RefundExceedsPayment:
                return "refused"

        assert sorted(side_by_side(*[refund] * 6)) == ["refused"] * 5 + ["succeeded"]
        assert len(at_provider(payment)) == 1
        assert sums(payment)[0] == PRICE - 100

    def test_one_request_many_times_at_once(self, payment: Payment) -> None:
        refund = partial(
            refunds.create, payment, reason=WISH, amount_minor=100, request_key="key-1"
        )
        made = side_by_side(*[refund] * 6)
        assert len({each.pk for each in made}) == len(at_provider(payment)) == 1
        assert sums(payment)[0] == 100

    def test_all_that_is_written_at_once_is_counted(self, payment: Payment) -> None:
        jobs = [
            partial(refunds.create, payment, reason=WISH, amount_minor=100 + number)
            for number in range(6)
        ]
        side_by_side(*jobs)
        assert sums(payment)[0] == 615

    def test_an_invoice_that_is_written_meanwhile(self, payment: Payment, deliver: Any) -> None:
        """Its snapshot was read before the refund and is written while the refund is."""
        invoice = Invoice.objects.get(pk=payment.invoice_id)

        def rewrite() -> None:
            for _ in range(5):
                with transaction.atomic():
                    sandbox_of("stripe").emit_event("invoice.updated", invoice.provider_invoice_id)
                deliver("stripe")

        job = partial(refunds.create, payment, reason=WISH, amount_minor=100)
        side_by_side(rewrite, job, rewrite, job)
        assert sums(payment) == (200, 0, PaymentState.PARTIALLY_REFUNDED)
