"""Conekta held to the contract of every provider, its API answered on the wire by an account."""

import hashlib
import hmac
import json
from collections.abc import Callable

import pytest

from billing.enums import EventKind, PaymentMethodType
from billing.providers.conekta import ConektaProvider
from billing.providers.types import Ref
from billing.testing import ProviderContract, Sign, SignedDelivery, key, voucher_request
from billing.tests.conekta_account import ConektaAccount
from billing.tests.conekta_account.journal import Journal
from billing.tests.conekta_account.orders import charge_back
from billing.tests.conekta_account.signing import signed
from billing.tests.contract.operations import CONEKTA
from billing.tests.providers.conekta.test_events import event

SECRET = "a-shared-secret-made-up"


def by_hmac(body: bytes) -> dict[str, str]:
    return {"DIGEST": hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}


class ConektaContract(ProviderContract):
    @pytest.fixture(autouse=True)
    def journal(self, account: ConektaAccount) -> Journal:
        """Events are listed too."""
        return Journal(account)

    @pytest.fixture
    def provider(self, conekta: ConektaProvider) -> ConektaProvider:
        return conekta

    @pytest.fixture
    def delivery(self, sign: Sign) -> SignedDelivery:
        told = event("subscription.updated")
        body = json.dumps(told).encode()
        return SignedDelivery(
            body=body,
            headers=sign(body),
            kind=EventKind.SUBSCRIPTION,
            object_id=told["data"]["object"]["id"],
        )

    @pytest.fixture
    def token(self) -> str:
        return "tok_test_visa_4242"

    @pytest.fixture
    def declined_token(self) -> str:
        return "tok_test_card_declined"

    @pytest.fixture
    def challenged_token(self) -> str:
        return "tok_test_3ds_required"

    @pytest.fixture
    def posted(self, account: ConektaAccount) -> Callable[[], list[str]]:
        """First deliveries are not posted here: only what is sent again."""

        def taken() -> list[str]:
            found, account.resent = account.resent, []
            return [each["id"] for each in found]

        return taken

    @pytest.fixture
    def open_invoice(self, provider: ConektaProvider, customer: Ref) -> Ref:
        """A voucher's order: subscriptions are charged at once."""
        request = voucher_request(customer, PaymentMethodType.OXXO)
        made = provider.create_voucher(request, idempotency_key=key())
        assert made.invoice_id
        return Ref(id=made.invoice_id, customer_id=customer.id)

    @pytest.fixture
    def dispute(self, account: ConektaAccount, invoice: Ref) -> Ref:
        return Ref(id=charge_back(account, invoice.id))


class TestConektaContract(ConektaContract):
    @pytest.fixture
    def sign(self) -> Sign:
        return signed()

    def test_its_operations_are_counted(self, provider: ConektaProvider) -> None:
        assert {each.__name__ for each in provider.capabilities} == set(CONEKTA)


class TestConektaByHMAC(ConektaContract):
    @pytest.fixture
    def provider(self) -> ConektaProvider:
        options = {"api_key": "key_fake", "webhook_secret": SECRET, "max_retries": 0}
        return ConektaProvider(alias="conekta", mode="test", options=options)

    @pytest.fixture
    def sign(self) -> Sign:
        return by_hmac
