"""Two runs of one request at once, where the second looks before the first has written down."""

from typing import Any

import pytest

from billing.errors import RequestInProgress
from billing.models import Customer, Operation
from billing.providers.base import ManagesPaymentMethods
from billing.providers.types import PaymentMethodRequest
from billing.registry import providers
from billing.services import customers, operations

pytestmark = pytest.mark.django_db(transaction=True)

VERB = "payment_method.add"


@pytest.fixture(params=["stripe", "conekta"])
def customer(request: pytest.FixtureRequest, organization_mx: Any, sandbox: Any) -> Customer:
    return customers.ensure(organization_mx, request.param)


def overtaken(customer: Customer, *, is_made: bool) -> Any:
    """Start an operation whose twin was written between the look and the insert."""

    def twin() -> None:
        operation = operations.reserve(
            VERB,
            customer,
            organization=customer.organization,
            provider=customer.provider,
            request_key="k-1",
        )
        if is_made:
            providers.get(customer.provider, ManagesPaymentMethods).create_payment_method(
                customer.ref, PaymentMethodRequest(token="tok_visa"), idempotency_key=operation.key
            )

    return operations.start(VERB, customer, "k-1", guard=twin)


def twins() -> Operation:
    return Operation.objects.get(verb=VERB)


@pytest.mark.parametrize("customer", ["stripe"], indirect=True)
def test_with_keys_the_second_sends_under_the_key_of_the_first(customer: Customer) -> None:
    with overtaken(customer, is_made=False) as operation:
        assert not operation.is_done
        assert operation.key == twins().key


@pytest.mark.parametrize("customer", ["conekta"], indirect=True)
class TestWithoutKeys:
    def test_the_second_does_not_send_what_may_be_on_its_way(self, customer: Customer) -> None:
        with pytest.raises(RequestInProgress), overtaken(customer, is_made=False):
            pytest.fail("sent twice")
        assert twins().outcome == "pending"

    def test_the_second_answers_with_what_the_first_has_made(self, customer: Customer) -> None:
        with overtaken(customer, is_made=True) as operation:
            assert operation.is_done
            assert operation.remote_id == customer.payment_methods.get().provider_payment_method_id
