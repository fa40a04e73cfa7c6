import pytest
import responses
from responses import matchers

from billing.enums import InvoiceStatus, PaymentStatus
from billing.errors import ProviderObjectMissing
from billing.providers.polar import PolarProvider
from billing.providers.types import Ref
from billing.tests.providers.polar.conftest import API, example

ORDER = example("order")
URL = f"{API}/v1/orders/{ORDER['id']}"
REF = Ref(id=ORDER["id"], customer_id=ORDER["customer_id"])


def test_an_order_is_read_as_invoice_and_as_payment(
    polar: PolarProvider, wire: responses.RequestsMock
) -> None:
    wire.get(URL, json=ORDER)
    assert polar.get_invoice(REF).status is InvoiceStatus.PAID
    assert polar.get_payment(REF).status is PaymentStatus.SUCCEEDED


def test_one_that_is_missing(polar: PolarProvider, wire: responses.RequestsMock) -> None:
    wire.get(URL, json={"error": "ResourceNotFound", "detail": "Not found"}, status=404)
    with pytest.raises(ProviderObjectMissing):
        polar.get_invoice(REF)
    with pytest.raises(ProviderObjectMissing):
        polar.get_payment(REF)


@pytest.mark.parametrize(("limit", "ids"), [(1, ["a"]), (2, ["a", "b"]), (9, ["a", "b"])])
def test_a_customers_invoices_newest_first(
    polar: PolarProvider, wire: responses.RequestsMock, limit: int, ids: list[str]
) -> None:
    """What cannot be mapped costs itself only."""
    query = {"customer_id": REF.customer_id, "sorting": "-created_at", "page": 1, "limit": 100}
    found = [example("order", id=each) for each in ("a", "b")]
    found.insert(1, example("order", currency=None))
    wire.get(
        f"{API}/v1/orders/",
        json={"items": found, "pagination": {"total_count": 3, "max_page": 1}},
        match=[matchers.query_param_matcher(query)],
    )
    owner = Ref(id=REF.customer_id, customer_id=REF.customer_id)
    assert [each.id for each in polar.list_invoices(owner, limit=limit)] == ids
