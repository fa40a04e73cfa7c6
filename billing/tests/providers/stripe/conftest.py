import os
from collections.abc import Iterator
from typing import Any

import pytest
import responses

from billing.providers.stripe import StripeProvider
from billing.providers.types import PaymentMethodRequest, Ref, SubscriptionRequest
from billing.testing import customer_request, key, plan_request
from billing.tests.providers.stripe.shared_contract import CHECKER, contract_module
from billing.tests.stripe_account import StripeAccount


@pytest.fixture(scope="session")
def recorded() -> Iterator[list[dict[str, Any]]]:
    """Every call that an account of these tests took, held to the published contract at the end,
    with its answer. CI must have the contract."""
    calls: list[dict[str, Any]] = []
    yield calls
    if not (CHECKER.exists() or os.environ.get("CI")):
        return
    checker = contract_module().Checker(responses=True)
    found = [
        (call["method"], call["url"], each) for call in calls for each in violations(checker, call)
    ]
    assert not found


# The contract lists "" as the only known value of a text that may be anything or unset; Stripe's
# OpenAPI description of the same parameter (POST /v1/products/{id}, description) takes any text.
_ANY_TEXT = "is none of ''"


def violations(checker: Any, call: dict[str, Any]) -> list[Any]:
    """A key that was used twice on purpose was refused by the account as Stripe would."""
    is_refused = call["response_status"] == 400
    return [
        each
        for each in checker.check(call)
        if not (is_refused and each.rule == "idempotency") and not each.message.endswith(_ANY_TEXT)
    ]


@pytest.fixture
def account(recorded: list[dict[str, Any]]) -> Iterator[StripeAccount]:
    account = StripeAccount()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        account.serve(mock)
        yield account
    recorded.extend(account.calls)


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
