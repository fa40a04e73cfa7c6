"""The sandbox is held to the same contract as the others, whole and as a stand-in."""

import json
from collections.abc import Callable

import pytest

from billing.enums import EventKind
from billing.providers.sandbox import SandboxProvider
from billing.providers.types import Ref
from billing.testing import ProviderContract, Sign, SignedDelivery, key, signed_webhook
from billing.tests.providers.sandbox.conftest import Driver, MakeSandbox


class SandboxFixtures(ProviderContract):
    @pytest.fixture
    def provider(self, sandbox: SandboxProvider) -> SandboxProvider:
        return sandbox

    @pytest.fixture
    def sign(self) -> Sign:
        return lambda body: signed_webhook(body, event_id=key())[1]

    @pytest.fixture
    def delivery(self, driver: Driver) -> SignedDelivery:
        customer = driver.customer()
        headers, body = driver.provider.pending_deliveries()[-1]
        return SignedDelivery(
            body=body, headers=headers, kind=EventKind.CUSTOMER, object_id=customer.id
        )

    @pytest.fixture
    def token(self) -> str:
        return "tok_visa"

    @pytest.fixture
    def declined_token(self) -> str:
        return "tok_declined"

    @pytest.fixture
    def coupon(self) -> str:
        return "save20"

    @pytest.fixture
    def posted(self, sandbox: SandboxProvider) -> Callable[[], list[str]]:
        return lambda: [json.loads(body)["id"] for _, body in sandbox.pending_deliveries(take=True)]

    @pytest.fixture
    def dispute(self, sandbox: SandboxProvider, payment: Ref) -> Ref:
        return Ref(id=sandbox.open_dispute(payment).id)

    @pytest.fixture
    def challenged_token(self) -> str:
        return "tok_requires_action"


class TestSandbox(SandboxFixtures):
    def test_every_event_of_a_life_is_read(self, driver: Driver) -> None:
        driver.start()
        for headers, body in driver.provider.pending_deliveries():
            driver.provider.verify_webhook_signature(body, headers)
            event = driver.provider.parse_webhook_event(body, headers)
            if event.kind is not None:
                data = driver.provider.map_webhook_object(event.kind, json.loads(body), event)
                assert data is not None
                assert data.id == event.object_id


class TestStandInWithoutKeys(SandboxFixtures):
    @pytest.fixture
    def sandbox(self, make_sandbox: MakeSandbox) -> SandboxProvider:
        like = {
            "name": "Conekta",
            "capabilities": [
                "ReceivesWebhooks",
                "ManagesCustomers",
                "ManagesPaymentMethods",
                "ManagesSubscriptions",
                "CollectsInvoices",
                "ReadsPayments",
                "PublishesPlans",
            ],
            "methods": ["card", "oxxo"],
            "currencies": ["MXN"],
            "countries": ["MX"],
            "has_idempotency_keys": False,
            "has_quantities": False,
        }
        return make_sandbox(alias="conekta", like=like)


class TestStandInThatOnlyReads(SandboxFixtures):
    @pytest.fixture
    def sandbox(self, make_sandbox: MakeSandbox) -> SandboxProvider:
        like = {"capabilities": ["ReceivesWebhooks"], "name": "Reader"}
        return make_sandbox(like=like)
