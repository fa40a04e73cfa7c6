"""Stripe held to the contract of every provider, its API answered on the wire by one life."""

import re
from collections.abc import Iterator

import pytest
import responses

from billing.enums import EventKind
from billing.providers.stripe import StripeProvider
from billing.providers.types import Ref
from billing.testing import ProviderContract, Sign, SignedDelivery
from billing.tests.stripe_life import StripeLife, sign

SECRET = "whsec_contract"
NOT_FOUND = {"error": {"type": "invalid_request_error", "code": "resource_missing"}}


@pytest.fixture
def life() -> StripeLife:
    life = StripeLife(customer_reference="cus-row", subscription_reference="sub-row")
    for step in (life.sign_up, life.subscribe, life.pay):
        step()
    return life


@pytest.fixture(autouse=True)
def api(life: StripeLife) -> Iterator[None]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        life.serve(mock)
        mock.get(
            re.compile(r"https://api\.stripe\.com/v1/\w+/missing_0001"), json=NOT_FOUND, status=404
        )
        yield


class TestStripeContract(ProviderContract):
    @pytest.fixture
    def provider(self) -> StripeProvider:
        options = {"api_key": "sk_test_1", "webhook_secret": SECRET, "max_retries": 0}
        options |= {"publishable_key": "pk_test_1"}
        return StripeProvider(alias="stripe", mode="test", options=options)

    @pytest.fixture
    def sign(self) -> Sign:
        return lambda body: {"Stripe-Signature": sign(body, SECRET)}

    @pytest.fixture
    def delivery(self, life: StripeLife, sign: Sign) -> SignedDelivery:
        body = life.events[-1].body
        return SignedDelivery(
            body=body,
            headers=sign(body),
            kind=EventKind.SUBSCRIPTION,
            object_id=life.subscription_id,
        )

    @pytest.fixture
    def customer(self, life: StripeLife) -> Ref:
        return Ref(id=life.customer_id, customer_id=life.customer_id)

    @pytest.fixture
    def payment_method(self, life: StripeLife) -> Ref:
        return Ref(id=life.payment_method_id, customer_id=life.customer_id)

    @pytest.fixture
    def subscription(self, life: StripeLife) -> Ref:
        return Ref(id=life.subscription_id, customer_id=life.customer_id)

    @pytest.fixture
    def invoice(self, life: StripeLife) -> Ref:
        return Ref(id=life.invoice_id, customer_id=life.customer_id)

    @pytest.fixture
    def payment(self, life: StripeLife) -> Ref:
        return Ref(id=life.payment_id, customer_id=life.customer_id)
