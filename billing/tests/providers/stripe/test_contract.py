"""Stripe held to the contract of every provider, its API answered on the wire by an account."""

import pytest

from billing.enums import EventKind
from billing.providers.stripe import StripeProvider
from billing.providers.types import Ref
from billing.testing import ProviderContract, Sign, SignedDelivery
from billing.tests.stripe_account import StripeAccount
from billing.tests.stripe_account.refunds import open_dispute
from billing.tests.stripe_life import StripeLife, sign

SECRET = "whsec_contract"


@pytest.fixture
def life() -> StripeLife:
    life = StripeLife(customer_reference="cus-row", subscription_reference="sub-row")
    for step in (life.sign_up, life.subscribe, life.pay):
        step()
    return life


@pytest.mark.usefixtures("account")
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
    def token(self) -> str:
        return "pm_card_visa"

    @pytest.fixture
    def declined_token(self) -> str:
        return "pm_card_chargeCustomerFail"

    @pytest.fixture
    def coupon(self, account: StripeAccount) -> str:
        account.add_promotion("SAVE20")
        return "save20"

    @pytest.fixture
    def dispute(self, account: StripeAccount, payment: Ref) -> Ref:
        return Ref(id=open_dispute(account, payment.id))

    @pytest.fixture
    def challenged_token(self) -> str:
        return "pm_card_authenticationRequired"
