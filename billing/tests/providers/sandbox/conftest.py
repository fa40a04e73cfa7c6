"""A sandbox in a file of its own for each test, and short ways to drive it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from billing.providers.sandbox import SandboxProvider
from billing.providers.types import (
    PaymentMethodRequest,
    PlanRequest,
    Ref,
    SubscriptionData,
    SubscriptionRequest,
)
from billing.testing import SECRET, customer_request, key, plan_request

MakeSandbox = Callable[..., SandboxProvider]


class Driver:
    """Does in one call what the API does in several; every write has a fresh key."""

    def __init__(self, provider: SandboxProvider) -> None:
        self.provider = provider

    def customer(self) -> Ref:
        made = self.provider.create_customer(customer_request(), idempotency_key=key())
        return Ref(id=made.id, customer_id=made.id)

    def plan(self, **changes: Any) -> Ref:
        request: PlanRequest = plan_request(**changes)
        return Ref(id=self.provider.create_plan(request, idempotency_key=key()).id)

    def method(self, customer: Ref, token: str = "tok_visa") -> Ref:
        made = self.provider.create_payment_method(
            customer, PaymentMethodRequest(token=token), idempotency_key=key()
        )
        return Ref(id=made.id, customer_id=customer.id)

    def subscribe(self, customer: Ref, plan: Ref | None = None, **changes: Any) -> SubscriptionData:
        request = SubscriptionRequest(
            reference=key(),
            customer_id=customer.id,
            price_id=(plan or self.plan()).id,
            **changes,
        )
        return self.provider.create_subscription(request, idempotency_key=key())

    def start(self, token: str = "tok_visa", **changes: Any) -> SubscriptionData:
        customer = self.customer()
        self.method(customer, token)
        return self.subscribe(customer, **changes)

    def now(self, subscription: SubscriptionData) -> SubscriptionData:
        return self.provider.get_subscription(Ref(id=subscription.id))

    def invoice(self, subscription: SubscriptionData) -> Any:
        latest = self.now(subscription).latest_invoice_id
        assert latest
        return self.provider.get_invoice(Ref(id=latest))


@pytest.fixture
def make_sandbox(tmp_path: Path) -> MakeSandbox:
    """Make providers on one file; keyword arguments are options, `alias` and `mode` too."""

    def make(alias: str = "sandbox", mode: str = "sandbox", **options: Any) -> SandboxProvider:
        defaults = {"path": str(tmp_path / "var" / "sandbox.sqlite3"), "secret": SECRET}
        return SandboxProvider(alias=alias, mode=mode, options={**defaults, **options})

    return make


@pytest.fixture
def sandbox(make_sandbox: MakeSandbox) -> SandboxProvider:
    return make_sandbox()


@pytest.fixture
def driver(sandbox: SandboxProvider) -> Driver:
    return Driver(sandbox)
