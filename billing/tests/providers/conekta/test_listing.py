import json
from datetime import UTC, datetime

import pytest
import responses

from billing.enums import PaymentMethodType
from billing.errors import InvalidRequest
from billing.providers.conekta import ConektaProvider, listing
from billing.providers.types import Page, Ref, SubscriptionData, SubscriptionRequest
from billing.testing import customer_request, key, voucher_request
from billing.tests.conekta_account import ConektaAccount, cards, cycles
from billing.tests.conekta_account.journal import Journal
from billing.tests.providers.conekta.conftest import API, example, listed
from billing.tests.providers.conekta.test_events import event

SINCE = datetime.fromtimestamp(100, UTC)


class TestListCustomers:
    def test_page_by_page(self, conekta: ConektaProvider, account: ConektaAccount) -> None:
        made = [
            conekta.create_customer(customer_request(), idempotency_key=key()).id
            for _ in range(251)
        ]
        first = conekta.list_customers()
        second = conekta.list_customers(cursor=first.next_cursor)
        assert [each.id for each in (*first.items, *second.items)] == made[::-1]
        assert (len(first.items), second.next_cursor) == (250, "")

    def test_what_is_older_is_left_out(
        self, conekta: ConektaProvider, wire: responses.RequestsMock
    ) -> None:
        old, new = (example("customer", id=f"cus_{at}", created_at=at) for at in (99, 100))
        untold = example("customer", id="cus_untold", created_at=None)
        wire.get(f"{API}/customers", json=listed(old, new, untold))
        found = conekta.list_customers(since=SINCE)
        assert [each.id for each in found.items] == ["cus_100", "cus_untold"]

    def test_an_odd_one_is_told_and_costs_nothing(
        self, conekta: ConektaProvider, wire: responses.RequestsMock
    ) -> None:
        wire.get(f"{API}/customers", json=listed({"object": "customer"}, example("customer")))
        found = conekta.list_customers()
        assert len(found.items) == 1
        assert [each.reason for each in found.unreadable] == ["the customer has no id"]

    def test_a_cursor_that_is_void(self, conekta: ConektaProvider, account: ConektaAccount) -> None:
        with pytest.raises(InvalidRequest):
            conekta.list_customers(cursor="cus_gone")


class TestListSubscriptions:
    def test_those_of_a_page_of_customers(
        self, conekta: ConektaProvider, account: ConektaAccount, wanted: SubscriptionRequest
    ) -> None:
        made = [conekta.create_subscription(wanted, idempotency_key=key()).id for _ in range(2)]
        conekta.create_customer(customer_request(), idempotency_key=key())
        first = conekta.list_subscriptions()
        assert [each.id for each in first.items] == made[::-1]
        (asked,) = account.sent("GET", "customers")[-1:]
        assert asked["limit"] == str(listing.CUSTOMERS_AT_ONCE)

    def test_a_customer_that_goes_meanwhile_has_none(
        self, conekta: ConektaProvider, wire: responses.RequestsMock
    ) -> None:
        wire.get(f"{API}/customers", json=listed(example("customer", id="cus_1"), {"id": None}))
        error = {"object": "error", "type": "resource_not_found_error", "details": []}
        wire.get(f"{API}/customers/cus_1/subscriptions", status=404, json=error)
        assert conekta.list_subscriptions() == Page(items=())


class TestListEvents:
    def test_each_is_as_it_was_delivered(
        self, conekta: ConektaProvider, account: ConektaAccount
    ) -> None:
        Journal(account)
        conekta.create_customer(customer_request(), idempotency_key=key())
        (found,) = conekta.list_events().items
        assert json.loads(found.body) == account.told[0]
        assert found.event.type == "customer.created"

    def test_one_that_cannot_be_read_is_told(
        self, conekta: ConektaProvider, wire: responses.RequestsMock
    ) -> None:
        wire.get(f"{API}/events", json=listed(event(), event(type=None)))
        found = conekta.list_events()
        assert len(found.items) == 1
        assert [each.id for each in found.unreadable] == [event()["id"]]


class TestListOrders:
    @pytest.fixture
    def sold(self, conekta: ConektaProvider, wanted: SubscriptionRequest) -> SubscriptionData:
        return conekta.create_subscription(wanted, idempotency_key=key())

    def test_invoices_with_their_subscription(
        self, conekta: ConektaProvider, account: ConektaAccount, sold: SubscriptionData
    ) -> None:
        cycles.renew(account, sold.id)
        request = voucher_request(Ref(id=sold.customer_id), PaymentMethodType.SPEI)
        conekta.create_voucher(request, idempotency_key=key())
        found = conekta.list_account_invoices().items
        assert [each.subscription_id for each in found] == [None, sold.id, sold.id]
        assert [each.period_start is None for each in found] == [True, False, True]
        assert len(account.sent("GET", f"customers/{sold.customer_id}/subscriptions")) == 1

    def test_payments_of_every_order(
        self, conekta: ConektaProvider, account: ConektaAccount, sold: SubscriptionData
    ) -> None:
        cards.refuse(account, str(sold.payment_method_id))
        cycles.renew(account, sold.id)
        cycles.retry(account, sold.id)
        found = conekta.list_payments().items
        assert [each.status for each in found] == ["failed", "failed", "succeeded"]
        assert {each.customer_id for each in found} == {sold.customer_id}

    def test_an_odd_order_costs_nothing_else(
        self, conekta: ConektaProvider, wire: responses.RequestsMock
    ) -> None:
        odd = example("order", id="ord_odd", amount=None, charges=listed({"id": "charge_odd"}))
        wire.get(f"{API}/orders", json=listed(odd, example("order")))
        invoices, payments = conekta.list_account_invoices(), conekta.list_payments()
        assert [len(each.items) for each in (invoices, payments)] == [1, 1]
        assert [each.id for each in invoices.unreadable] == ["ord_odd"]
        assert [each.id for each in payments.unreadable] == ["charge_odd"]
