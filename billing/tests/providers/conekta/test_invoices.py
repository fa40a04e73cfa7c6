"""Orders as invoices: read with their subscription, collected, voided."""

from dataclasses import replace

import pytest

from billing.enums import InvoiceStatus, PaymentMethodType, PaymentState
from billing.errors import InvalidRequest, OutcomeUnknown, PaymentDeclined
from billing.providers.conekta import ConektaProvider
from billing.providers.types import (
    InvoiceData,
    PaymentMethodRequest,
    Ref,
    SubscriptionData,
    SubscriptionRequest,
)
from billing.testing import customer_request, key, voucher_request
from billing.tests.conekta_account import ConektaAccount, cards, cycles

OPEN, PAID, VOID = InvoiceStatus.OPEN, InvoiceStatus.PAID, InvoiceStatus.VOID


@pytest.fixture
def sold(conekta: ConektaProvider, wanted: SubscriptionRequest) -> SubscriptionData:
    return conekta.create_subscription(wanted, idempotency_key=key())


@pytest.fixture
def owed(conekta: ConektaProvider, account: ConektaAccount, sold: SubscriptionData) -> InvoiceData:
    """A renewal that the card's bank has refused."""
    cards.refuse(account, str(sold.payment_method_id))
    cycles.renew(account, sold.id)
    (latest, _) = conekta.list_invoices(Ref(id=sold.customer_id))
    return latest


@pytest.fixture
def voucher(conekta: ConektaProvider, owner: Ref) -> Ref:
    """The order of a voucher that waits."""
    request = voucher_request(owner, PaymentMethodType.OXXO)
    made = conekta.create_voucher(request, idempotency_key=key())
    return Ref(id=str(made.invoice_id), customer_id=owner.id)


def ref(invoice: InvoiceData) -> Ref:
    return Ref(id=invoice.id, customer_id=invoice.customer_id)


def add_card(conekta: ConektaProvider, owner: Ref, token: str = "tok_test_visa_4242") -> str:
    request = PaymentMethodRequest(token=token)
    return conekta.create_payment_method(owner, request, idempotency_key=key()).id


class TestRead:
    def test_a_cycle_tells_its_subscription_and_period(
        self, conekta: ConektaProvider, sold: SubscriptionData
    ) -> None:
        data = conekta.get_invoice(Ref(id=str(sold.latest_invoice_id)))
        assert (data.status, data.subscription_id) == (PAID, sold.id)
        assert data.period_start == sold.current_period_start
        assert data.period_end == sold.current_period_end

    def test_an_earlier_cycle_is_the_only_subscription_s(
        self, conekta: ConektaProvider, account: ConektaAccount, sold: SubscriptionData
    ) -> None:
        cycles.renew(account, sold.id)
        latest, first = conekta.list_invoices(Ref(id=sold.customer_id))
        assert {latest.subscription_id, first.subscription_id} == {sold.id}
        assert latest.period_start == sold.current_period_end
        assert first.period_start is None

    def test_it_outlives_its_customer(
        self, conekta: ConektaProvider, sold: SubscriptionData
    ) -> None:
        conekta.delete_customer(Ref(id=sold.customer_id), idempotency_key=key())
        data = conekta.get_invoice(Ref(id=str(sold.latest_invoice_id)))
        assert (data.status, data.subscription_id) == (PAID, None)

    def test_only_the_customer_s_own_newest_first(
        self, conekta: ConektaProvider, sold: SubscriptionData, voucher: Ref
    ) -> None:
        other = conekta.create_customer(
            replace(customer_request(), email="other@example.test"), idempotency_key=key()
        )
        conekta.create_voucher(
            voucher_request(Ref(id=other.id), PaymentMethodType.SPEI), idempotency_key=key()
        )
        found = conekta.list_invoices(Ref(id=sold.customer_id))
        assert [each.id for each in found] == [voucher.id, sold.latest_invoice_id]
        assert [each.id for each in conekta.list_invoices(Ref(id=sold.customer_id), limit=1)] == [
            voucher.id
        ]

    def test_two_customers_with_one_mail_keep_their_own(
        self, conekta: ConektaProvider, voucher: Ref
    ) -> None:
        twin = conekta.create_customer(customer_request(), idempotency_key=key())
        assert conekta.list_invoices(Ref(id=twin.id)) == []


class TestPay:
    def test_a_refused_cycle_is_tried_again(
        self, conekta: ConektaProvider, account: ConektaAccount, owed: InvoiceData
    ) -> None:
        assert (owed.status, owed.payment_state) == (OPEN, PaymentState.FAILED)
        with pytest.raises(PaymentDeclined):
            conekta.pay_invoice(ref(owed), idempotency_key=key())
        cards.accept(account, account.all("subscription")[0]["card_id"])
        assert conekta.pay_invoice(ref(owed), idempotency_key=key()).status is PAID
        assert account.all("subscription")[0]["status"] == "active"

    def test_by_another_card_which_the_subscription_keeps(
        self, conekta: ConektaProvider, account: ConektaAccount, owed: InvoiceData
    ) -> None:
        card = add_card(conekta, Ref(id=owed.customer_id))
        paid = conekta.pay_invoice(ref(owed), payment_method_id=card, idempotency_key=key())
        assert paid.status is PAID
        assert account.all("subscription")[0]["card_id"] == card

    def test_a_lone_order_is_charged_to_the_default_card(
        self, conekta: ConektaProvider, account: ConektaAccount, voucher: Ref
    ) -> None:
        with pytest.raises(InvalidRequest) as refused:
            conekta.pay_invoice(voucher, idempotency_key=key())
        assert refused.value.param == "payment_method_id"
        card = add_card(conekta, Ref(id=voucher.customer_id))
        assert conekta.pay_invoice(voucher, idempotency_key="one").status is PAID
        (sent,) = account.sent("POST", f"orders/{voucher.id}/charges")
        assert sent["payment_method"]["payment_source_id"] == card

    def test_a_lone_order_whose_card_is_refused(
        self, conekta: ConektaProvider, voucher: Ref
    ) -> None:
        card = add_card(conekta, Ref(id=voucher.customer_id), "tok_test_insufficient_funds")
        with pytest.raises(PaymentDeclined) as declined:
            conekta.pay_invoice(voucher, payment_method_id=card, idempotency_key=key())
        assert declined.value.decline_code == "insufficient_funds"

    def test_what_is_paid_is_not_paid_again(
        self, conekta: ConektaProvider, account: ConektaAccount, voucher: Ref
    ) -> None:
        add_card(conekta, Ref(id=voucher.customer_id))
        account.lose_next("POST", f"orders/{voucher.id}/charges")
        with pytest.raises(OutcomeUnknown):
            conekta.pay_invoice(voucher, idempotency_key="one")
        assert conekta.pay_invoice(voucher, idempotency_key="one").status is PAID
        statuses = [each["status"] for each in account.all("charge")]
        assert statuses.count("paid") == 1

    def test_a_lost_retry_is_not_made_again(
        self, conekta: ConektaProvider, account: ConektaAccount, owed: InvoiceData
    ) -> None:
        cards.accept(account, account.all("subscription")[0]["card_id"])
        account.lose_next("POST", "customers/*/subscriptions/*/retry")
        with pytest.raises(OutcomeUnknown):
            conekta.pay_invoice(ref(owed), idempotency_key="one")
        assert conekta.pay_invoice(ref(owed), idempotency_key="one").status is PAID
        (order, _) = account.all("order")
        assert [each["status"] for each in order["charges"]["data"]] == ["declined", "paid"]


class TestVoid:
    def test_a_voucher_that_waits(
        self, conekta: ConektaProvider, account: ConektaAccount, voucher: Ref
    ) -> None:
        account.lose_next("POST", f"orders/{voucher.id}/cancel")
        with pytest.raises(OutcomeUnknown):
            conekta.void_invoice(voucher, idempotency_key=key())
        assert conekta.void_invoice(voucher, idempotency_key=key()).status is VOID
        assert account.objects[voucher.id]["charges"]["data"][0]["status"] == "canceled"

    def test_what_is_paid(self, conekta: ConektaProvider, sold: SubscriptionData) -> None:
        with pytest.raises(InvalidRequest):
            conekta.void_invoice(Ref(id=str(sold.latest_invoice_id)), idempotency_key=key())
