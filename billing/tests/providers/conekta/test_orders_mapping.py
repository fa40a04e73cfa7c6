"""Orders as invoices, charges as payments: every published status, and everything that is odd."""

from datetime import UTC, datetime
from typing import Any

import pytest

from billing.enums import InvoiceStatus, NextActionType, PaymentState, PaymentStatus
from billing.providers.conekta import orders_mapping
from billing.providers.types import SubscriptionData
from billing.providers.values import Incomplete
from billing.testing import check_data
from billing.tests.providers.conekta.conftest import example, listed

AS_OF = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
OPEN, PAID, VOID = InvoiceStatus.OPEN, InvoiceStatus.PAID, InvoiceStatus.VOID


def order(**changes: Any) -> dict[str, Any]:
    return example("order", **changes)


def charge(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = order()["charges"]["data"][0]
    return found | changes


def with_charges(*found: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return order(charges=listed(*found), **changes)


def subscription(number: int, **changes: Any) -> SubscriptionData:
    return SubscriptionData(
        id=f"sub_{number}",
        customer_id="cus_1",
        status=None,
        provider_status="",
        as_of=AS_OF,
        raw={},
        **changes,
    )


class TestInvoice:
    def test_the_published_order(self) -> None:
        data = orders_mapping.invoice(order(), as_of=AS_OF)
        check_data(data)
        assert (data.id, data.customer_id) == ("ord_2tMtQQpDvfnNjiuFG", "cus_23874283647")
        assert (data.status, data.payment_state) == (PAID, PaymentState.PAID)
        assert (data.total_minor, data.amount_due_minor, data.amount_paid_minor) == (
            21605,
            0,
            21605,
        )
        assert data.payment_id == "63efa757cf65380001aec040"
        assert data.paid_at == datetime.fromtimestamp(1676390742, UTC)
        assert [(each.description, each.amount_minor) for each in data.lines] == [
            ("Box of Cohiba S1s", 21605)
        ]
        assert data.subscription_id is None

    @pytest.mark.parametrize(
        ("word", "status", "state"),
        [
            ("pending_payment", OPEN, PaymentState.PROCESSING),
            ("pre_authorized", OPEN, PaymentState.PROCESSING),
            ("declined", OPEN, PaymentState.FAILED),
            ("paid", PAID, PaymentState.PAID),
            ("refunded", PAID, PaymentState.REFUNDED),
            ("partially_refunded", PAID, PaymentState.PARTIALLY_REFUNDED),
            ("charged_back", PAID, PaymentState.CHARGED_BACK),
            ("expired", VOID, PaymentState.NONE),
            ("canceled", VOID, PaymentState.NONE),
            ("voided", VOID, PaymentState.NONE),
            ("new_word", None, None),
        ],
    )
    def test_statuses(self, word: str, status: Any, state: Any) -> None:
        data = orders_mapping.invoice(order(payment_status=word), as_of=AS_OF)
        assert (data.status, data.payment_state) == (status, state)
        assert data.provider_status == word
        assert data.amount_due_minor == (21605 if status is OPEN else 0)
        assert data.amount_paid_minor == (21605 if status is PAID else 0)

    def test_a_voucher_is_waited_for_until_its_end(self) -> None:
        method = {"object": "cash_payment", "reference": "1", "expires_at": 1794031199}
        waiting = charge(status="pending_payment", payment_method=method)
        source = with_charges(waiting, payment_status="pending_payment")
        data = orders_mapping.invoice(source, as_of=AS_OF)
        assert data.payment_state is PaymentState.VOUCHER_WAITING
        assert data.due_at == datetime(2026, 11, 7, 5, 59, 59, tzinfo=UTC)

    def test_while_another_voucher_waits_an_expired_order_is_open(self) -> None:
        method = {"object": "bank_transfer_payment", "clabe": "1", "expires_at": 1794031199}
        waiting = charge(id="first", created_at=1, status="pending_payment", payment_method=method)
        expired = charge(id="second", created_at=2, status="expired")
        source = with_charges(waiting, expired, payment_status="expired")
        data = orders_mapping.invoice(source, as_of=AS_OF)
        assert (data.status, data.payment_state) == (OPEN, PaymentState.VOUCHER_WAITING)
        assert (data.payment_id, data.amount_due_minor) == ("first", 21605)

    def test_of_two_charges_the_one_that_paid_counts(self) -> None:
        paid = charge(id="first", created_at=1)
        later = charge(id="second", created_at=2, status="pending_payment")
        data = orders_mapping.invoice(with_charges(paid, later), as_of=AS_OF)
        assert data.payment_id == "first"
        open_ = with_charges(paid | {"status": "declined"}, later, payment_status="declined")
        assert orders_mapping.invoice(open_, as_of=AS_OF).payment_id == "second"

    def test_taxes_and_discounts(self) -> None:
        source = order(tax_lines=listed({"amount": 1605}), discount_lines=listed({"amount": 500}))
        data = orders_mapping.invoice(source, as_of=AS_OF)
        assert (data.tax_minor, data.discount_minor) == (1605, 500)
        assert data.subtotal_minor - data.discount_minor + data.tax_minor == data.total_minor

    def test_a_page_that_nobody_has_paid_on_tells_no_status(self) -> None:
        source = order(checkout={"url": "https://pay.conekta.com/1"})
        del source["payment_status"], source["charges"]
        data = orders_mapping.invoice(source, as_of=AS_OF)
        assert (data.status, data.payment_state) == (OPEN, PaymentState.NONE)
        assert data.hosted_url == "https://pay.conekta.com/1"

    @pytest.mark.parametrize("name", sorted(set(order()) - {"id", "amount", "currency"}))
    @pytest.mark.parametrize("odd", ["absent", None, [], {}, "text", -1])
    def test_an_odd_optional_field_costs_itself_only(self, name: str, odd: object) -> None:
        source = order() | {name: odd}
        if odd == "absent":
            del source[name]
        data = orders_mapping.invoice(source, as_of=AS_OF)
        assert (data.id, data.total_minor, data.currency) == (order()["id"], 21605, "MXN")
        if name not in ("payment_status", "charges"):
            assert (data.status, data.payment_id) == (PAID, "63efa757cf65380001aec040")

    @pytest.mark.parametrize("name", ["id", "amount", "currency"])
    def test_without_what_every_order_has_nothing_is_mapped(self, name: str) -> None:
        with pytest.raises(Incomplete):
            orders_mapping.invoice(order() | {name: None}, as_of=AS_OF)


class TestSubscriptionOf:
    def test_the_one_that_names_the_order(self) -> None:
        source = order(processing_mode="recurrent")
        start, end = AS_OF, datetime(2026, 12, 2, tzinfo=UTC)
        cycle = {"current_period_start": start, "current_period_end": end}
        payer = subscription(2, latest_invoice_id=source["id"], **cycle)
        assert orders_mapping.subscription_of(source, [subscription(1), payer]) is payer
        data = orders_mapping.invoice(source, as_of=AS_OF, subscription=payer)
        assert (data.subscription_id, data.period_start, data.period_end) == ("sub_2", start, end)

    def test_an_earlier_cycle_is_of_the_only_one(self) -> None:
        source, only = order(processing_mode="recurrent"), subscription(1)
        assert orders_mapping.subscription_of(source, [only]) is only
        data = orders_mapping.invoice(source, as_of=AS_OF, subscription=only)
        assert (data.subscription_id, data.period_start) == ("sub_1", None)

    def test_nobody_guesses(self) -> None:
        source = order(processing_mode="recurrent")
        assert orders_mapping.subscription_of(source, [subscription(1), subscription(2)]) is None
        assert orders_mapping.subscription_of(order(), [subscription(1)]) is None


class TestPayment:
    def test_the_published_charge(self) -> None:
        data = orders_mapping.payment(charge(), as_of=AS_OF)
        check_data(data)
        assert (data.id, data.invoice_id) == ("63efa757cf65380001aec040", order()["id"])
        assert (data.status, data.amount_minor) == (PaymentStatus.SUCCEEDED, 21605)
        assert data.paid_at == datetime.fromtimestamp(1676390742, UTC)

    @pytest.mark.parametrize(
        ("word", "status"),
        [
            ("pending_payment", PaymentStatus.PENDING),
            ("pre_authorized", PaymentStatus.PENDING),
            ("pending_confirmation", PaymentStatus.PROCESSING),
            ("paid", PaymentStatus.SUCCEEDED),
            ("refunded", PaymentStatus.SUCCEEDED),
            ("partially_refunded", PaymentStatus.SUCCEEDED),
            ("charged_back", PaymentStatus.SUCCEEDED),
            ("declined", PaymentStatus.FAILED),
            ("expired", PaymentStatus.CANCELED),
            ("canceled", PaymentStatus.CANCELED),
            ("voided", PaymentStatus.CANCELED),
            ("new_word", None),
        ],
    )
    def test_statuses(self, word: str, status: Any) -> None:
        data = orders_mapping.payment(charge(status=word), as_of=AS_OF)
        assert (data.status, data.provider_status) == (status, word)

    def test_a_decline_tells_why(self) -> None:
        source = charge(status="declined", failure_code="insufficient_funds")
        assert orders_mapping.payment(source, as_of=AS_OF).decline_code == "insufficient_funds"
        source["failure_code"] = "suspected_fraud"
        assert orders_mapping.payment(source, as_of=AS_OF).decline_code == "card_declined"

    def test_the_bank_s_page_stands_in_the_order(self) -> None:
        waiting = charge(status="pending_payment")
        url = "https://pay.conekta.com/1"
        source = with_charges(waiting, next_action={"redirect_to_url": {"url": url}})
        (data,) = orders_mapping.payments(source, as_of=AS_OF)
        assert data.status is PaymentStatus.REQUIRES_ACTION
        assert data.next_action
        assert data.next_action.type is NextActionType.REDIRECT
        assert data.next_action.details == {"url": url}
        assert orders_mapping.payment(waiting, as_of=AS_OF).status is PaymentStatus.PENDING

    def test_a_customer_that_the_charge_does_not_name_is_the_order_s(self) -> None:
        (data,) = orders_mapping.payments(with_charges(charge(customer_id="")), as_of=AS_OF)
        assert data.customer_id == "cus_23874283647"

    @pytest.mark.parametrize("method", [{"object": "wallet_payment", "type": "new"}, None, "x"])
    def test_an_unknown_kind_of_payment_is_a_payment(self, method: object) -> None:
        source = charge(status="pending_payment", payment_method=method)
        data = orders_mapping.payment(source, as_of=AS_OF)
        assert (data.status, data.next_action) == (PaymentStatus.PENDING, None)

    @pytest.mark.parametrize("name", sorted(set(charge()) - {"id", "amount", "currency"}))
    @pytest.mark.parametrize("odd", ["absent", None, [], {}, "text", -1])
    def test_an_odd_optional_field_costs_itself_only(self, name: str, odd: object) -> None:
        source = charge() | {name: odd}
        if odd == "absent":
            del source[name]
        data = orders_mapping.payment(source, as_of=AS_OF)
        assert (data.id, data.amount_minor, data.currency) == (charge()["id"], 21605, "MXN")
        if name != "status":
            assert data.status is PaymentStatus.SUCCEEDED
