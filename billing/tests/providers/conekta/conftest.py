import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import responses

from billing.providers.conekta import ConektaProvider
from billing.providers.types import PaymentMethodRequest, Ref, SubscriptionRequest
from billing.testing import customer_request, key, plan_request
from billing.tests.conekta_account import ConektaAccount
from billing.tests.conekta_account.signing import public_key

API = "https://api.conekta.io"
FIXTURES = Path(__file__).parents[2] / "fixtures" / "conekta"


def example(name: str, **changes: Any) -> dict[str, Any]:
    """An object of the specification's examples, as a test account would answer it."""
    found: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text())
    return found | ({"livemode": False} if "livemode" in found else {}) | changes


def listed(*found: Any, **changes: Any) -> dict[str, Any]:
    return {"object": "list", "has_more": False, "data": list(found)} | changes


def sent(wire: responses.RequestsMock) -> Any:
    """The body of the last request, None when it had none."""
    body = wire.calls[-1].request.body
    return json.loads(body) if body else None


@pytest.fixture
def wire() -> Iterator[responses.RequestsMock]:
    """Conekta on the wire, of which nothing is known but that the key is a test one."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(f"{API}/plans", json=listed(example("plan")))
        yield mock


@pytest.fixture
def account() -> Iterator[ConektaAccount]:
    account = ConektaAccount()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        account.serve(mock)
        yield account


@pytest.fixture
def conekta() -> ConektaProvider:
    options = {"api_key": "key_fake", "public_key": "key_fake_public", "max_retries": 0}
    options |= {"webhook_public_key": public_key()}
    return ConektaProvider(alias="conekta", mode="test", options=options)


@pytest.fixture
def owner(conekta: ConektaProvider, account: ConektaAccount) -> Ref:
    made = conekta.create_customer(customer_request(), idempotency_key=key())
    return Ref(id=made.id, customer_id=made.id)


@pytest.fixture
def wanted(conekta: ConektaProvider, owner: Ref) -> SubscriptionRequest:
    """By a customer with a good card, for a plan that is published."""
    plan = conekta.create_plan(plan_request(), idempotency_key=key())
    token = PaymentMethodRequest(token="tok_test_visa_4242")
    card = conekta.create_payment_method(owner, token, idempotency_key=key())
    return SubscriptionRequest(
        reference=key(), customer_id=owner.id, price_id=plan.id, payment_method_id=card.id
    )
