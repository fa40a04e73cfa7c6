from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.enums import (
    EndReason,
    InvoiceStatus,
    PaymentState,
    PaymentStatus,
    RefundReason,
    RefundStatus,
    SubscriptionStatus,
)
from billing.providers.polar import mapping
from billing.providers.types import LineData
from billing.providers.values import Incomplete
from billing.testing import check_data
from billing.tests.providers.polar.conftest import example
from billing.tests.providers.polar.published_shapes import require_spec, schema

AS_OF = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
CUSTOMER = example("subscription")["customer"]
ORDER_ID = "00000000-0000-4000-8000-000000000004"


def subscription(**changes: Any) -> Any:
    data = mapping.subscription(example("subscription", **changes), as_of=AS_OF)
    check_data(data)
    return data


def invoice(**changes: Any) -> Any:
    data = mapping.invoice(example("order", **changes), as_of=AS_OF)
    check_data(data)
    return data


def payment(**changes: Any) -> Any:
    data = mapping.payment(example("order", **changes), as_of=AS_OF)
    check_data(data)
    return data


def refund(**changes: Any) -> Any:
    data = mapping.refund(example("refund", **changes), as_of=AS_OF)
    check_data(data)
    return data


class TestAsOf:
    @pytest.mark.parametrize("later", [-1, 0, 1])
    def test_an_answer_is_no_older_than_what_it_holds(self, later: int) -> None:
        modified = AS_OF + timedelta(seconds=later)
        data = mapping.customer(CUSTOMER | {"modified_at": modified.isoformat()}, as_of=AS_OF)
        assert data.as_of == max(AS_OF, modified)

    @pytest.mark.parametrize("value", [None, "soon", 5])
    def test_without_a_stamp_it_is_what_was_told(self, value: object) -> None:
        assert mapping.customer(CUSTOMER | {"modified_at": value}, as_of=AS_OF).as_of == AS_OF


class TestCustomer:
    def test_our_reference_is_its_external_id(self) -> None:
        data = mapping.customer(CUSTOMER, as_of=AS_OF)
        check_data(data)
        assert (data.id, data.email, data.name) == (
            "00000000-0000-4000-8000-000000000001",
            "customer@example.com",
            "John Doe",
        )
        assert data.reference == "usr_1337"
        assert data.created_at == datetime(2026, 1, 1, tzinfo=UTC)
        assert not data.is_deleted

    def test_one_that_was_deleted(self) -> None:
        gone = CUSTOMER | {"deleted_at": "2026-01-02T00:00:00Z", "external_id": None, "name": None}
        data = mapping.customer(gone, as_of=AS_OF)
        assert data.is_deleted
        assert (data.reference, data.name) == (None, "")

    def test_one_without_an_id_is_none(self) -> None:
        with pytest.raises(Incomplete):
            mapping.customer({}, as_of=AS_OF)


class TestSubscription:
    def test_one_that_ends_with_its_period_is_active_until_then(self) -> None:
        data = subscription()
        assert data.status is SubscriptionStatus.ACTIVE
        assert data.cancel_at_period_end
        assert data.cancel_at == data.current_period_end == datetime(2026, 2, 1, tzinfo=UTC)
        assert (data.ended_at, data.end_reason) == (None, None)
        assert data.reference == "0b7f6d52-6a1e-4f8e-9a0e-5f2f4c1d2e3a"
        assert data.price_id == "00000000-0000-4000-8000-000000000003"

    @pytest.mark.parametrize(("said", "why"), [("unused", EndReason.CUSTOMER), (None, None)])
    def test_one_that_ended(self, said: str | None, why: EndReason | None) -> None:
        data = subscription(
            status="canceled",
            ended_at="2026-02-01T00:00:00Z",
            customer_cancellation_reason=said,
        )
        assert data.status is SubscriptionStatus.CANCELED
        assert data.ended_at == datetime(2026, 2, 1, tzinfo=UTC)
        assert data.end_reason is why

    def test_every_word_of_polars_is_one_of_ours(self) -> None:
        require_spec()
        words = schema("SubscriptionStatus")["enum"]
        assert {subscription(status=each).status for each in words} == set(SubscriptionStatus)

    def test_an_unknown_word_is_kept_as_it_is(self) -> None:
        data = subscription(status="hibernating")
        assert (data.status, data.provider_status) == (None, "hibernating")

    def test_a_paused_one_tells_when_it_goes_on(self) -> None:
        data = subscription(status="paused", resumes_at="2026-03-01T00:00:00Z")
        assert data.resumes_at == datetime(2026, 3, 1, tzinfo=UTC)

    @pytest.mark.parametrize(("seats", "quantity"), [(3, 3), (None, 1), ("3", 1)])
    def test_seats_are_its_quantity(self, seats: object, quantity: int) -> None:
        assert subscription(seats=seats).quantity == quantity

    def test_a_discount(self) -> None:
        assert not subscription().has_discount
        assert subscription(discount_id="d-1").has_discount


class TestInvoice:
    def test_a_paid_order_with_tax_and_discount(self) -> None:
        data = invoice()
        assert data.subtotal_minor - data.discount_minor + data.tax_minor == data.total_minor
        assert (data.status, data.payment_state) == (InvoiceStatus.PAID, PaymentState.PAID)
        assert (data.amount_due_minor, data.amount_paid_minor, data.currency) == (0, 9720, "USD")
        assert (data.id, data.payment_id) == (ORDER_ID, ORDER_ID)
        assert data.number == "COBRO-0001"
        assert data.subscription_id == "00000000-0000-4000-8000-000000000002"

    def test_one_that_is_to_be_paid(self) -> None:
        data = invoice(status="pending")
        assert (data.status, data.payment_state) == (InvoiceStatus.OPEN, None)
        assert (data.amount_due_minor, data.amount_paid_minor) == (9720, 0)
        assert data.payment_id is None

    def test_one_that_was_tried_in_vain(self) -> None:
        data = invoice(status="pending", next_payment_attempt_at="2026-01-03T00:00:00Z")
        assert data.payment_state is PaymentState.FAILED
        assert data.next_attempt_at == datetime(2026, 1, 3, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("word", "state"),
        [
            ("refunded", PaymentState.REFUNDED),
            ("partially_refunded", PaymentState.PARTIALLY_REFUNDED),
        ],
    )
    def test_one_of_which_money_went_back_is_paid(self, word: str, state: PaymentState) -> None:
        data = invoice(status=word)
        assert (data.status, data.payment_state) == (InvoiceStatus.PAID, state)

    def test_the_customers_balance_is_not_asked_for(self) -> None:
        data = invoice(status="pending", applied_balance_amount=-720, due_amount=9000)
        assert (data.total_minor, data.amount_due_minor) == (9720, 9000)

    def test_every_word_of_polars_has_a_status(self) -> None:
        require_spec()
        for word in schema("OrderStatus")["enum"]:
            assert invoice(status=word).status is not None
            assert payment(status=word).status is not None

    def test_an_unknown_word_is_kept_as_it_is(self) -> None:
        data = invoice(status="contested", next_payment_attempt_at="2026-01-03T00:00:00Z")
        assert (data.status, data.provider_status, data.payment_state) == (None, "contested", None)

    def test_its_period_is_that_of_the_cycle_it_was_made_in(self) -> None:
        data = invoice(created_at="2026-01-31T23:59:59Z")
        assert data.period_start == datetime(2026, 1, 1, tzinfo=UTC)
        assert data.period_end == datetime(2026, 2, 1, tzinfo=UTC)

    @pytest.mark.parametrize("made", ["2025-12-31T23:59:59Z", "2026-02-01T00:00:00Z", None])
    def test_an_order_of_another_cycle_does_not_take_this_ones(self, made: str | None) -> None:
        data = invoice(created_at=made)
        assert (data.period_start, data.period_end) == (None, None)

    def test_its_lines(self) -> None:
        lines = [{"label": "Pro", "amount": 10000}, {"label": None, "amount": "x"}, "odd"]
        assert invoice(items=lines).lines == (
            LineData(description="Pro", amount_minor=10000),
            LineData(description="", amount_minor=0),
        )

    @pytest.mark.parametrize("name", ["id", "currency", "total_amount", "subtotal_amount"])
    def test_without_what_each_order_has_it_is_incomplete(self, name: str) -> None:
        with pytest.raises(Incomplete, match=name.removesuffix("_amount")):
            invoice(**{name: None})


class TestPayment:
    def test_an_order_is_what_was_collected_for_it(self) -> None:
        data = payment()
        assert (data.id, data.invoice_id) == (ORDER_ID, ORDER_ID)
        assert (data.amount_minor, data.currency) == (9720, "USD")
        assert data.status is PaymentStatus.SUCCEEDED

    def test_what_was_not_asked_for_was_not_collected(self) -> None:
        assert payment(due_amount=9000).amount_minor == 9000
        assert payment(due_amount=None).amount_minor == 9720

    @pytest.mark.parametrize(
        ("word", "status"),
        [("pending", PaymentStatus.PENDING), ("void", PaymentStatus.CANCELED), ("new", None)],
    )
    def test_an_order_that_is_not_paid(self, word: str, status: PaymentStatus | None) -> None:
        assert payment(status=word).status is status


class TestRefund:
    def test_its_tax_goes_back_too(self) -> None:
        data = refund()
        assert (data.amount_minor, data.currency, data.payment_id) == (4860, "USD", ORDER_ID)
        assert (data.status, data.reason) == (
            RefundStatus.SUCCEEDED,
            RefundReason.REQUESTED_BY_CUSTOMER,
        )
        assert data.reference == "5a0e2c1d-7b6f-4f8e-9a0e-5f2f4c1d2e3a"

    def test_every_word_of_polars_has_a_status(self) -> None:
        require_spec()
        words = schema("RefundStatus")["enum"]
        assert None not in {refund(status=each).status for each in words}

    def test_unknown_words(self) -> None:
        data = refund(status="lost", reason="service_disruption")
        assert (data.status, data.provider_status, data.reason) == (None, "lost", None)

    @pytest.mark.parametrize("name", ["id", "order_id", "amount", "currency"])
    def test_without_what_each_refund_has_it_is_incomplete(self, name: str) -> None:
        with pytest.raises(Incomplete, match=name):
            refund(**{name: None})
