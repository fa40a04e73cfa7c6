from collections.abc import Iterator

import pytest
import responses

from billing.providers.stripe import StripeProvider
from billing.providers.types import PaymentMethodRequest, Ref, SubscriptionRequest
from billing.testing import customer_request, key, plan_request
from billing.tests.stripe_account import StripeAccount


@pytest.fixture
def account() -> Iterator[StripeAccount]:
    account = StripeAccount()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        account.serve(mock)
        yield account


@pytest.fixture
def stripe() -> StripeProvider:
    options = {"api_key": "sk_test_1", "max_retries": 0}
    return StripeProvider(alias="stripe", mode="test", options=options)


@pytest.fixture
def wanted(stripe: StripeProvider, account: StripeAccount) -> SubscriptionRequest:
    """By a customer with a good card, for a price that is published."""
    customer = stripe.create_customer(customer_request(), idempotency_key=key())
    plan = stripe.create_plan(plan_request(), idempotency_key=key())
    token = PaymentMethodRequest(token="pm_card_visa")
    card = stripe.create_payment_method(Ref(id=customer.id), token, idempotency_key=key())
    return SubscriptionRequest(
        reference=key(),
        customer_id=customer.id,
        price_id=plan.id,
        payment_method_id=card.id,
        metadata={"organization_id": "org-1"},
    )
