"""Paying an open invoice by hand: one voucher at the provider, and no money that nobody sees."""

import logging
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from django.utils import timezone

from billing import clock
from billing.enums import OperationOutcome, PaymentMethodType, PaymentState, VoucherState
from billing.errors import (
    InvalidTransition,
    OutcomeUnknown,
    RequestInProgress,
    UnsupportedOperation,
    VoucherMissing,
    VoucherNotOffered,
)
from billing.models import Invoice, Operation, Organization, Payment, StateChange, Subscription
from billing.providers.base import Simulates
from billing.registry import providers
from billing.services import invariants, invoices, reconcile, subscriptions, sync, vouchers
from billing.tests.services.sandbox_objects import side_by_side

pytestmark = pytest.mark.django_db(transaction=True)
OXXO, SPEI = PaymentMethodType.OXXO, PaymentMethodType.SPEI
DAYS = timedelta(days=4)


def sandbox() -> Any:
    """The stand-in of Conekta, with its customer."""
    return providers.get("conekta", Simulates)


def owed_by(organization: Organization, published: Any, deliver: Any, **wish: Any) -> Invoice:
    subscriptions.create(
        organization,
        plan=published["startup"],
        interval="monthly",
        token="tok_requires_action",
        **wish,
    )
    deliver("conekta")
    return Invoice.objects.select_related("customer", "organization").get()


@pytest.fixture
def invoice(organization_mx: Organization, published: Any, deliver: Any) -> Invoice:
    """549.00 MXN, open at the stand-in of Conekta."""
    return owed_by(organization_mx, published, deliver)


@pytest.fixture
def renewal(organization_mx: Organization, published: Any, deliver: Any) -> Invoice:
    """549.00 MXN that a running subscription owes for its second month."""
    subscriptions.create(
        organization_mx, plan=published["startup"], interval="monthly", token="tok_renewal_declined"
    )
    sandbox().advance_clock(timedelta(days=32))
    deliver("conekta")
    return Invoice.objects.select_related("customer", "organization").get(status="open")


def at_provider() -> list[Any]:
    """The vouchers that the stand-in holds, oldest first."""
    with sandbox()._store.read() as session:
        found = session.of_kind("payment")
        made = [each.id for each in found if each.hidden.get("voucher")]
    return sorted(made)


def codes() -> list[tuple[str, str]]:
    """What the ledger tells of money that was not wanted: code, voucher."""
    found = StateChange.objects.filter(code__in=["late_payment", "double_payment"])
    methods = dict(Payment.objects.values_list("pk", "voucher_method"))
    return sorted((change.code, methods[change.object_id]) for change in found)


def fresh(row: Any) -> Any:
    row.refresh_from_db()
    return row


class TestIssue:
    def test_what_the_customer_is_shown(self, invoice: Invoice) -> None:
        payment = vouchers.issue(invoice, OXXO)
        assert (payment.status, payment.invoice_id) == ("pending", invoice.pk)
        assert (payment.amount_minor, payment.currency) == (54900, "MXN")
        action = payment.next_action
        assert action["type"] == "display_voucher"
        assert action["barcode"] == action["reference"]
        assert payment.voucher_expires_at == datetime.fromisoformat(action["expires_at"])
        assert payment.voucher_state(clock.now()) is VoucherState.WAITING
        operation = Operation.objects.get(verb=vouchers.ISSUE)
        assert operation.outcome == OperationOutcome.DONE
        assert (operation.remote_id, operation.subject_id) == (
            payment.provider_payment_id,
            invoice.pk,
        )

    def test_a_clabe_is_never_masked(self, invoice: Invoice, deliver: Any) -> None:
        payment = vouchers.issue(invoice, SPEI)
        clabe = payment.next_action["clabe"]
        deliver("conekta")
        assert fresh(payment).next_action["clabe"] == clabe
        assert clabe.isdecimal()

    def test_the_invoice_waits_for_it(self, invoice: Invoice, deliver: Any) -> None:
        vouchers.issue(invoice, OXXO)
        deliver("conekta")
        assert fresh(invoice).payment_state == PaymentState.VOUCHER_WAITING

    def test_a_second_request_gives_the_same_one(self, invoice: Invoice, deliver: Any) -> None:
        first = vouchers.issue(invoice, OXXO)
        deliver("conekta")
        assert vouchers.issue(invoice, OXXO) == first
        assert len(at_provider()) == 1

    def test_another_method_is_issued_beside_it(self, invoice: Invoice) -> None:
        both = vouchers.issue(invoice, OXXO), vouchers.issue(invoice, SPEI)
        assert [each.provider_payment_id for each in both] != 2 * [both[0].provider_payment_id]
        assert vouchers.issue(invoice, OXXO) == both[0]
        assert len(at_provider()) == 2

    @pytest.mark.parametrize("status", ["draft", "paid", "void", "uncollectible"])
    def test_only_for_an_open_invoice(self, invoice: Invoice, status: str) -> None:
        vouchers.issue(invoice, OXXO)
        invoice.status = status
        with pytest.raises(InvalidTransition):
            vouchers.issue(invoice, OXXO)

    def test_a_provider_without_vouchers(
        self, organization_de: Organization, published: Any, deliver: Any
    ) -> None:
        subscriptions.create(
            organization_de, plan=published["startup"], interval="monthly", token="tok_visa"
        )
        deliver("stripe")
        with pytest.raises(UnsupportedOperation):
            vouchers.issue(Invoice.objects.get(), OXXO)

    def test_only_in_pesos(
        self, organization_mx: Organization, published: Any, deliver: Any
    ) -> None:
        dollars = owed_by(organization_mx, published, deliver, currency="USD")
        with pytest.raises(VoucherNotOffered):
            vouchers.issue(dollars, SPEI)
        assert at_provider() == []

    def test_what_is_no_voucher(self, invoice: Invoice) -> None:
        with pytest.raises(VoucherNotOffered):
            vouchers.issue(invoice, PaymentMethodType.SEPA_DEBIT)


class TestLostAnswers:
    def lose(self, invoice: Invoice, *, deliver: Any = None) -> Operation:
        sandbox().set_faults(timeout_after_success=1)
        with pytest.raises(OutcomeUnknown):
            vouchers.issue(invoice, OXXO)
        return Operation.objects.get(verb=vouchers.ISSUE)

    def test_a_repetition_finds_it(self, invoice: Invoice) -> None:
        self.lose(invoice)
        payment = vouchers.issue(invoice, OXXO)
        assert at_provider() == [payment.provider_payment_id]

    def test_a_webhook_may_be_quicker(self, invoice: Invoice, deliver: Any) -> None:
        self.lose(invoice)
        deliver("conekta")
        assert vouchers.issue(invoice, OXXO).provider_payment_id in at_provider()
        assert len(at_provider()) == 1

    def test_one_that_nobody_asks_for_again_is_found(self, invoice: Invoice) -> None:
        operation = self.lose(invoice)
        Operation.objects.update(created_at=timezone.now() - timedelta(minutes=3))
        reconcile.reconcile_unknown()
        assert fresh(operation).outcome == OperationOutcome.DONE
        assert vouchers.newest(invoice).provider_payment_id == operation.remote_id

    def test_another_that_was_issued_since_hides_nothing(
        self, invoice: Invoice, deliver: Any
    ) -> None:
        operation = self.lose(invoice)
        vouchers.issue(invoice, SPEI)
        deliver("conekta")
        Operation.objects.update(created_at=timezone.now() - timedelta(minutes=3))
        reconcile.reconcile_unknown()
        assert fresh(operation).outcome == OperationOutcome.DONE
        assert len(at_provider()) == 2

    def test_one_that_was_never_made_can_be_asked_for_anew(self, invoice: Invoice) -> None:
        Operation.objects.create(
            organization=invoice.organization,
            verb=vouchers.ISSUE,
            request_key=f"{vouchers.ISSUE}:oxxo:0",
            step=str(invoice.pk),
            provider="conekta",
            subject_type="invoice",
            subject_id=invoice.pk,
            key="cobro-lost",
            request={"method": "oxxo"},
        )
        with pytest.raises(RequestInProgress):
            vouchers.issue(invoice, OXXO)
        Operation.objects.update(created_at=timezone.now() - timedelta(minutes=3))
        vouchers.issue(invoice, OXXO)
        assert len(at_provider()) == 1

    def test_a_process_that_dies_after_the_answer(self, invoice: Invoice) -> None:
        """The row is there and the operation still open."""
        made = vouchers.issue(invoice, OXXO)
        Operation.objects.update(
            outcome="pending", created_at=timezone.now() - timedelta(minutes=3)
        )
        reconcile.reconcile_unknown()
        assert vouchers.issue(invoice, OXXO) == made
        assert len(at_provider()) == 1


class TestPaying:
    def test_in_any_order_of_deliveries_it_pays_once(self, invoice: Invoice, deliver: Any) -> None:
        """As at Conekta, both the payment and the invoice tell of it, and each of them twice."""
        payment = vouchers.issue(invoice, OXXO)
        sandbox().pay_voucher(payment.ref)
        deliver("conekta", lambda queued: [*reversed(queued), *queued])
        assert fresh(payment).status == "succeeded"
        assert (payment.next_action, payment.voucher_method) == ({}, "oxxo")
        assert (fresh(invoice).status, invoice.amount_paid_minor) == ("paid", 54900)
        assert Subscription.objects.get().status == "active"
        assert Payment.objects.filter(status="succeeded").count() == 1
        assert codes() == []
        assert not [each for each in invariants.check() if each.count]

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_paid_and_expired_in_any_order(
        self, invoice: Invoice, deliver: Any, order: tuple[int, ...]
    ) -> None:
        """The newest word counts: the money came after the end."""
        payment = vouchers.issue(invoice, OXXO)
        sandbox().advance_clock(DAYS)
        sandbox().pay_voucher(payment.ref)

        def shuffled(queued: list[Any]) -> list[Any]:
            mine = [each for each in queued if payment.provider_payment_id.encode() in each[1]]
            mine = [each for each in mine if b'"object":"payment"' in each[1]]
            others = [each for each in queued if each not in mine]
            return others + [mine[at] for at in order]

        deliver("conekta", shuffled)
        assert fresh(payment).status == "succeeded"
        assert codes() == [("late_payment", "oxxo")]

    def test_one_after_the_other_too(self, invoice: Invoice, deliver: Any) -> None:
        payment = vouchers.issue(invoice, OXXO)
        sandbox().advance_clock(DAYS)
        deliver("conekta")
        assert fresh(payment).status == "canceled"
        sandbox().pay_voucher(payment.ref)
        deliver("conekta")
        assert fresh(payment).status == "succeeded"
        assert codes() == [("late_payment", "oxxo")]

    def test_it_is_told_once_and_loudly(
        self, invoice: Invoice, deliver: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        payment = vouchers.issue(invoice, OXXO)
        sandbox().advance_clock(DAYS)
        sandbox().pay_voucher(payment.ref)
        with caplog.at_level(logging.ERROR):
            deliver("conekta", lambda queued: queued * 2)
            sandbox().emit_event("payment.succeeded", payment.provider_payment_id)
            deliver("conekta")
        told = [each for each in caplog.records if each.message == "payment.not_wanted"]
        assert [each.code for each in told] == ["late_payment"]
        (change,) = StateChange.objects.filter(code="late_payment")
        assert (change.object_id, change.detail) == (payment.pk, {"invoice": str(invoice.pk)})

    def test_whoever_pays_both_has_paid_twice(self, invoice: Invoice, deliver: Any) -> None:
        cash, transfer = vouchers.issue(invoice, OXXO), vouchers.issue(invoice, SPEI)
        sandbox().pay_voucher(cash.ref)
        deliver("conekta")
        assert codes() == []
        sandbox().pay_voucher(transfer.ref)
        deliver("conekta")
        assert codes() == [("double_payment", "spei")]
        assert (fresh(cash).status, fresh(transfer).status) == ("succeeded", "succeeded")
        assert fresh(invoice).amount_paid_minor == 54900

    def test_both_in_one_batch(self, invoice: Invoice, deliver: Any) -> None:
        for payment in vouchers.issue(invoice, OXXO), vouchers.issue(invoice, SPEI):
            sandbox().pay_voucher(payment.ref)
        deliver("conekta", lambda queued: queued[::-1])
        assert [code for code, _ in codes()] == ["double_payment"]

    def test_a_card_and_then_the_voucher(
        self, invoice: Invoice, organization_mx: Organization, deliver: Any
    ) -> None:
        voucher = vouchers.issue(invoice, OXXO)
        invoices.pay(invoice)
        deliver("conekta")
        assert fresh(invoice).status == "paid"
        sandbox().pay_voucher(voucher.ref)
        deliver("conekta")
        assert codes() == [("double_payment", "oxxo")]


class TestRunningOut:
    def test_the_invoice_is_free_again(self, renewal: Invoice, deliver: Any) -> None:
        payment = vouchers.issue(renewal, OXXO)
        sandbox().advance_clock(DAYS)
        assert payment.voucher_state(clock.now()) is VoucherState.EXPIRED
        deliver("conekta")
        assert (fresh(payment).status, payment.next_action) == ("canceled", {})
        assert payment.voucher_state(clock.now()) is VoucherState.EXPIRED
        assert payment.voucher_method == "oxxo"
        assert (fresh(renewal).status, renewal.payment_state) == ("open", PaymentState.NONE)

    def test_late_money_pays_what_is_still_open(self, renewal: Invoice, deliver: Any) -> None:
        payment = vouchers.issue(renewal, OXXO)
        sandbox().advance_clock(DAYS)
        deliver("conekta")
        sandbox().pay_voucher(payment.ref)
        deliver("conekta")
        assert (fresh(renewal).status, fresh(payment).status) == ("paid", "succeeded")
        assert codes() == [("late_payment", "oxxo")]

    def test_a_day_in_mexico_ends_in_the_next_one_of_utc(
        self, invoice: Invoice, deliver: Any
    ) -> None:
        """23:59:59 in Mexico City is 05:59:59 UTC: what is stored is the instant, not the day."""
        payment = vouchers.issue(invoice, OXXO)
        ends = datetime.fromisoformat("2031-01-31T23:59:59-06:00")
        payment.voucher_expires_at = ends
        payment.save()
        assert fresh(payment).voucher_expires_at == datetime(2031, 2, 1, 5, 59, 59, tzinfo=UTC)
        assert payment.voucher_state(ends - timedelta(seconds=1)) is VoucherState.WAITING
        assert payment.voucher_state(ends) is VoucherState.EXPIRED


class TestReissue:
    @pytest.mark.parametrize(("asked", "given"), [(None, "spei"), (SPEI, "spei"), (OXXO, "oxxo")])
    def test_after_the_end(
        self, renewal: Invoice, asked: PaymentMethodType | None, given: str
    ) -> None:
        """Also where nobody has told us of the end yet."""
        first = vouchers.issue(renewal, SPEI)
        sandbox().advance_clock(DAYS)
        again = vouchers.reissue(renewal, asked)
        assert (again.voucher_method, again.status) == (given, "pending")
        assert again != first
        assert vouchers.newest(renewal) == again

    def test_not_while_one_can_be_paid(self, invoice: Invoice) -> None:
        vouchers.issue(invoice, OXXO)
        with pytest.raises(InvalidTransition):
            vouchers.reissue(invoice)
        with pytest.raises(InvalidTransition):
            vouchers.reissue(invoice, SPEI)

    def test_not_without_a_first(self, invoice: Invoice) -> None:
        with pytest.raises(VoucherMissing):
            vouchers.reissue(invoice)


@pytest.mark.postgres
def test_two_requests_at_once_make_one_voucher(invoice: Invoice) -> None:
    def ask() -> str:
        try:
            return vouchers.issue(invoice, OXXO).provider_payment_id
        except (RequestInProgress, OutcomeUnknown):
            return ""

    answers = side_by_side(ask, ask, ask)
    assert len(at_provider()) == 1
    assert set(answers) - {""} == set(at_provider())
    assert vouchers.issue(invoice, OXXO).provider_payment_id in at_provider()


@pytest.mark.postgres
def test_two_workers_tell_a_double_payment_once(invoice: Invoice, deliver: Any) -> None:
    both = vouchers.issue(invoice, OXXO), vouchers.issue(invoice, SPEI)
    deliver("conekta")
    paid = [sandbox().pay_voucher(each.ref) for each in both]
    side_by_side(*[lambda data=data: sync.upsert_payment("conekta", data) for data in paid])
    assert [code for code, _ in codes()] == ["double_payment"]
