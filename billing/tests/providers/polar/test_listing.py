from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import responses
from responses import matchers

from billing.errors import InvalidRequest
from billing.providers.polar import PolarProvider
from billing.providers.types import CustomerData, InvoiceData, PaymentData, SubscriptionData
from billing.tests.providers.polar.conftest import API, example

CUSTOMER = example("subscription")["customer"]
LISTS: list[Any] = [
    ("list_customers", "customers", CUSTOMER, CustomerData),
    ("list_subscriptions", "subscriptions", example("subscription"), SubscriptionData),
    ("list_account_invoices", "orders", example("order"), InvoiceData),
    ("list_payments", "orders", example("order"), PaymentData),
]
EACH = pytest.mark.parametrize(("verb", "path", "source", "expected"), LISTS)


def answer(
    wire: responses.RequestsMock, path: str, *found: object, last: int = 1, **query: Any
) -> None:
    body = {"items": found, "pagination": {"total_count": len(found), "max_page": last}}
    match = [matchers.query_param_matcher(query, strict_match=False)]
    wire.get(f"{API}/v1/{path}/", json=body, match=match)


class TestEachList:
    @EACH
    def test_goes_on_page_by_page(
        self,
        polar: PolarProvider,
        wire: responses.RequestsMock,
        verb: str,
        path: str,
        source: Mapping[str, Any],
        expected: type,
    ) -> None:
        sorting = "started_at" if path == "subscriptions" else "created_at"
        answer(wire, path, source, last=2, page=1, limit=100, sorting=sorting)
        answer(wire, path, {**source, "id": "second"}, last=2, page=2, limit=100, sorting=sorting)
        first = getattr(polar, verb)()
        second = getattr(polar, verb)(cursor=first.next_cursor)
        assert [type(each) for each in (*first.items, *second.items)] == [expected, expected]
        assert [each.id for each in second.items] == ["second"]
        assert second.next_cursor == ""

    @EACH
    def test_leaves_out_what_was_made_before(
        self,
        polar: PolarProvider,
        wire: responses.RequestsMock,
        verb: str,
        path: str,
        source: Mapping[str, Any],
        expected: type,
    ) -> None:
        made = {"old": "2026-01-01T00:00:00Z", "new": "2026-01-02T00:00:00Z", "odd": None}
        found = [{**source, "id": name, "created_at": at} for name, at in made.items()]
        answer(wire, path, *found)
        page = getattr(polar, verb)(since=datetime(2026, 1, 2, tzinfo=UTC))
        assert [each.id for each in page.items] == ["new", "odd"]

    @EACH
    def test_tells_what_cannot_be_mapped(
        self,
        polar: PolarProvider,
        wire: responses.RequestsMock,
        verb: str,
        path: str,
        source: Mapping[str, Any],
        expected: type,
    ) -> None:
        answer(wire, path, {**source, "id": None}, source)
        page = getattr(polar, verb)()
        assert len(page.items) == len(page.unreadable) == 1

    @EACH
    def test_refuses_a_cursor_that_is_none(
        self, polar: PolarProvider, verb: str, path: str, source: object, expected: type
    ) -> None:
        with pytest.raises(InvalidRequest) as caught:
            getattr(polar, verb)(cursor="another list's")
        assert caught.value.param == "cursor"


def test_payments_are_the_orders_that_were_paid(
    polar: PolarProvider, wire: responses.RequestsMock
) -> None:
    paid = ["paid", "refunded", "partially_refunded"]
    answer(wire, "orders", example("order"), status=paid)
    (found,) = polar.list_payments().items
    assert found.invoice_id == found.id
