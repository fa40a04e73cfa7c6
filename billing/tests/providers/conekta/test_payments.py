"""Single payments: by card, with 3-D Secure, in months; by OXXO and SPEI; each made once."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import responses
from django.utils import timezone

from billing.enums import NextActionType, PaymentMethodType, PaymentStatus
from billing.errors import InvalidRequest, OutcomeUnknown, PaymentDeclined, ProviderObjectMissing
from billing.providers.conekta import ConektaProvider
from billing.providers.types import (
    PaymentMethodRequest,
    PaymentRequest,
    Ref,
    SubscriptionRequest,
    VoucherRequest,
)
from billing.testing import key, payment_request, voucher_request
from billing.tests.accounts.faults import Fault
from billing.tests.conekta_account import ConektaAccount, cards, orders
from billing.tests.providers.conekta.conftest import API, example, listed

OXXO, SPEI = PaymentMethodType.OXXO, PaymentMethodType.SPEI
LOST = [Fault.HANG, Fault.BREAK, Fault.FAIL, Fault.HALF, Fault.RESET]


@pytest.fixture
def charge(conekta: ConektaProvider, owner: Ref) -> PaymentRequest:
    token = PaymentMethodRequest(token="tok_test_visa_4242")
    card = conekta.create_payment_method(owner, token, idempotency_key=key())
    return payment_request(owner, Ref(id=card.id))


@pytest.fixture
def oxxo(owner: Ref) -> VoucherRequest:
    return voucher_request(owner, OXXO)


def made(account: ConektaAccount) -> Counter[str]:
    kinds = [each["object"] for each in account.objects.values()]
    return Counter(each for each in kinds if each in ("order", "charge"))


def sent(account: ConektaAccount) -> Any:
    (found,) = account.sent("POST", "orders")
    return found


class TestCard:
    def test_it_is_an_order_with_one_charge(
        self, conekta: ConektaProvider, account: ConektaAccount, charge: PaymentRequest
    ) -> None:
        paid = conekta.create_payment(charge, idempotency_key=key())
        order = sent(account)
        assert order["customer_info"] == {"customer_id": charge.customer_id}
        assert order["metadata"] == {"cobro_reference": charge.reference}
        (line,) = order["line_items"]
        assert (line["unit_price"], line["quantity"]) == (charge.amount_minor, 1)
        method = {"type": "card", "payment_source_id": charge.payment_method_id}
        assert order["charges"] == [{"payment_method": method, "reference_id": charge.reference}]
        assert "three_ds_mode" not in order
        assert account.one(paid.invoice_id)["payment_status"] == "paid"

    def test_in_months_without_interest(
        self, conekta: ConektaProvider, account: ConektaAccount, charge: PaymentRequest
    ) -> None:
        big = replace(charge, amount_minor=600_00, installments=6)
        conekta.create_payment(big, idempotency_key=key())
        assert sent(account)["charges"][0]["payment_method"]["monthly_installments"] == 6
        with pytest.raises(InvalidRequest):
            conekta.create_payment(
                replace(big, reference=key(), installments=9), idempotency_key=key()
            )
        assert made(account)["order"] == 1

    def test_a_bank_that_wants_its_owner(
        self, conekta: ConektaProvider, account: ConektaAccount, charge: PaymentRequest
    ) -> None:
        cards.refuse(account, charge.payment_method_id, cards.UNCONFIRMED)
        request = replace(charge, return_url="https://shop.example/back")
        waiting = conekta.create_payment(request, idempotency_key=key())
        assert waiting.status is PaymentStatus.REQUIRES_ACTION
        assert waiting.next_action
        assert waiting.next_action.type is NextActionType.REDIRECT
        assert waiting.next_action.details["url"].startswith("https://")
        order = sent(account)
        assert (order["three_ds_mode"], order["return_url"]) == ("smart", request.return_url)
        orders.pay(account, str(waiting.invoice_id))
        assert conekta.get_payment(Ref(id=waiting.id)).status is PaymentStatus.SUCCEEDED

    def test_a_decline_stays_one(
        self, conekta: ConektaProvider, account: ConektaAccount, charge: PaymentRequest
    ) -> None:
        cards.refuse(account, charge.payment_method_id, "processing.bank.insufficient_funds")
        for _ in range(2):
            with pytest.raises(PaymentDeclined) as declined:
                conekta.create_payment(charge, idempotency_key=key())
            assert declined.value.decline_code == "insufficient_funds"
        assert made(account) == {"order": 1, "charge": 1}

    @pytest.mark.parametrize("name", ["", "ab", "x" * 300])
    def test_every_description_is_sent_as_conekta_takes_it(
        self, conekta: ConektaProvider, account: ConektaAccount, charge: PaymentRequest, name: str
    ) -> None:
        conekta.create_payment(replace(charge, description=name), idempotency_key=key())
        (line,) = sent(account)["line_items"]
        assert 3 <= len(line["name"]) <= 249


class TestVoucher:
    @pytest.mark.parametrize(("method", "number"), [(OXXO, "barcode"), (SPEI, "clabe")])
    def test_it_is_paid_and_nothing_waits_any_more(
        self,
        conekta: ConektaProvider,
        account: ConektaAccount,
        owner: Ref,
        method: PaymentMethodType,
        number: str,
    ) -> None:
        waiting = conekta.create_voucher(voucher_request(owner, method), idempotency_key=key())
        assert waiting.next_action
        assert waiting.next_action.details[number].isdigit()
        orders.pay(account, str(waiting.invoice_id))
        paid = conekta.get_payment(Ref(id=waiting.id))
        assert (paid.status, paid.next_action) == (PaymentStatus.SUCCEEDED, None)

    def test_it_runs_out(
        self, conekta: ConektaProvider, account: ConektaAccount, oxxo: VoucherRequest
    ) -> None:
        waiting = conekta.create_voucher(oxxo, idempotency_key=key())
        orders.expire(account, str(waiting.invoice_id))
        assert conekta.get_payment(Ref(id=waiting.id)).status is PaymentStatus.CANCELED

    def test_its_end_is_that_of_a_day_in_mexico(
        self, conekta: ConektaProvider, account: ConektaAccount, oxxo: VoucherRequest
    ) -> None:
        made_voucher = conekta.create_voucher(oxxo, idempotency_key=key())
        end = datetime.fromtimestamp(
            sent(account)["charges"][0]["payment_method"]["expires_at"], UTC
        )
        assert (end.hour, end.minute, end.second) == (5, 59, 59)
        assert timedelta(days=3) <= end - timezone.now() + timedelta(seconds=60)
        assert made_voucher.next_action
        local_day = (end - timedelta(hours=6)).date().isoformat()
        assert made_voucher.next_action.details["expires_on"] == local_day

    def test_an_open_order_takes_another(
        self, conekta: ConektaProvider, account: ConektaAccount, oxxo: VoucherRequest
    ) -> None:
        first = conekta.create_voucher(oxxo, idempotency_key=key())
        again = replace(oxxo, reference=key(), method=SPEI, invoice_id=str(first.invoice_id))
        second = conekta.create_voucher(again, idempotency_key=key())
        assert (second.invoice_id, second.reference) == (first.invoice_id, again.reference)
        assert conekta.create_voucher(again, idempotency_key=key()).id == second.id
        assert made(account) == {"order": 1, "charge": 2}

    def test_a_paid_order_takes_none(
        self, conekta: ConektaProvider, wanted: SubscriptionRequest, owner: Ref
    ) -> None:
        sold = conekta.create_subscription(wanted, idempotency_key=key())
        request = replace(voucher_request(owner, OXXO), invoice_id=str(sold.latest_invoice_id))
        with pytest.raises(InvalidRequest):
            conekta.create_voucher(request, idempotency_key=key())


class TestLostAnswers:
    @pytest.mark.parametrize("fault", LOST)
    def test_an_order_is_made_once(
        self,
        conekta: ConektaProvider,
        account: ConektaAccount,
        charge: PaymentRequest,
        fault: Fault,
    ) -> None:
        account.break_next(fault, "POST", "orders")
        with pytest.raises(OutcomeUnknown):
            conekta.create_payment(charge, idempotency_key=key())
        found = conekta.create_payment(charge, idempotency_key=key())
        assert (found.status, found.reference) == (PaymentStatus.SUCCEEDED, charge.reference)
        assert made(account) == {"order": 1, "charge": 1}

    @pytest.mark.parametrize("fault", LOST)
    def test_a_further_voucher_is_made_once(
        self,
        conekta: ConektaProvider,
        account: ConektaAccount,
        oxxo: VoucherRequest,
        fault: Fault,
    ) -> None:
        first = conekta.create_voucher(oxxo, idempotency_key=key())
        again = replace(oxxo, reference=key(), invoice_id=str(first.invoice_id))
        account.break_next(fault, "POST", "orders/*/charges")
        with pytest.raises(OutcomeUnknown):
            conekta.create_voucher(again, idempotency_key=key())
        conekta.create_voucher(again, idempotency_key=key())
        assert made(account) == {"order": 1, "charge": 2}

    def test_what_the_search_does_not_show_is_found_among_the_newest(
        self, conekta: ConektaProvider, account: ConektaAccount, charge: PaymentRequest
    ) -> None:
        account.lose_next("POST", "orders")
        with pytest.raises(OutcomeUnknown):
            conekta.create_payment(charge, idempotency_key=key())
        account.is_searched = False
        conekta.create_payment(charge, idempotency_key=key())
        assert made(account) == {"order": 1, "charge": 1}

    def test_a_read_after_the_charge_that_fails_leaves_it_open(
        self, conekta: ConektaProvider, account: ConektaAccount, oxxo: VoucherRequest
    ) -> None:
        first = conekta.create_voucher(oxxo, idempotency_key=key())
        again = replace(oxxo, reference=key(), invoice_id=str(first.invoice_id))
        account.before(
            "POST",
            f"orders/{first.invoice_id}/charges",
            lambda: account.refuse_next("GET", "orders/*", 429),
        )
        with pytest.raises(OutcomeUnknown):
            conekta.create_voucher(again, idempotency_key=key())


def test_a_charge_that_nobody_knows(conekta: ConektaProvider, account: ConektaAccount) -> None:
    with pytest.raises(ProviderObjectMissing):
        conekta.get_payment(Ref(id="0" * 24))


def test_an_order_without_a_charge_leaves_it_open(
    conekta: ConektaProvider, wire: responses.RequestsMock
) -> None:
    wire.get(f"{API}/orders", json=listed())
    wire.post(f"{API}/orders", json=example("order", charges=None))
    request = payment_request(Ref(id="cus_1"), Ref(id="src_1"))
    with pytest.raises(OutcomeUnknown):
        conekta.create_payment(request, idempotency_key=key())


@pytest.mark.parametrize("order_id", [None, 7])
def test_a_charge_that_names_no_order(
    conekta: ConektaProvider, wire: responses.RequestsMock, order_id: object
) -> None:
    charge = example("order")["charges"]["data"][0] | {"order_id": order_id}
    wire.get(f"{API}/charges", json=listed(charge))
    found = conekta.get_payment(Ref(id=charge["id"]))
    assert (found.status, found.invoice_id) == (PaymentStatus.SUCCEEDED, None)
