"""Automatic tax is an option; the amounts stay Stripe's."""

import pytest

from billing.enums import CheckoutMode, TaxBehavior
from billing.providers.stripe import StripeProvider
from billing.providers.types import CheckoutRequest, SubscriptionRequest
from billing.testing import key, plan_request
from billing.tests.stripe_account import StripeAccount

ON = "automatic_tax[enabled]"


@pytest.fixture
def taxing() -> StripeProvider:
    options = {"api_key": "sk_test_1", "max_retries": 0, "automatic_tax": True}
    return StripeProvider(alias="stripe", mode="test", options=options)


def checkout(wanted: SubscriptionRequest, mode: CheckoutMode) -> CheckoutRequest:
    return CheckoutRequest(
        reference=key(),
        mode=mode,
        customer_id=wanted.customer_id,
        success_url="https://shop.example/ok",
        price_id=wanted.price_id if mode is CheckoutMode.SUBSCRIPTION else "",
        amount_minor=1999,
        currency="USD",
        description="A poster",
    )


def test_a_subscription_is_taxed(
    taxing: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
) -> None:
    made = taxing.create_subscription(wanted, idempotency_key=key())
    (sent,) = account.sent("POST", "subscriptions")
    assert sent[ON] == "true"
    assert account.objects[made.id]["automatic_tax"]["enabled"] is True


@pytest.mark.parametrize("mode", [CheckoutMode.SUBSCRIPTION, CheckoutMode.PAYMENT])
def test_a_checkout_is_taxed_by_the_address_typed_there(
    taxing: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest, mode: CheckoutMode
) -> None:
    taxing.create_checkout(checkout(wanted, mode), idempotency_key=key())
    (sent,) = account.sent("POST", "checkout/sessions")
    assert (sent[ON], sent["customer_update[address]"]) == ("true", "auto")


def test_a_setup_sells_nothing_to_tax(
    taxing: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
) -> None:
    taxing.create_checkout(checkout(wanted, CheckoutMode.SETUP), idempotency_key=key())
    (sent,) = account.sent("POST", "checkout/sessions")
    assert not [name for name in sent if name.startswith(("automatic_tax", "customer_update"))]


def test_it_is_off_by_default(
    stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
) -> None:
    stripe.create_subscription(wanted, idempotency_key=key())
    stripe.create_checkout(checkout(wanted, CheckoutMode.SUBSCRIPTION), idempotency_key=key())
    for path in ("subscriptions", "checkout/sessions"):
        (sent,) = account.sent("POST", path)
        assert not [name for name in sent if name.startswith(("automatic_tax", "customer_update"))]


@pytest.mark.parametrize(
    ("behavior", "sent"),
    [
        (TaxBehavior.INCLUSIVE, "inclusive"),
        (TaxBehavior.EXCLUSIVE, "exclusive"),
        (TaxBehavior.UNSPECIFIED, None),
    ],
)
def test_a_price_says_whether_tax_is_in_it(
    stripe: StripeProvider, account: StripeAccount, behavior: TaxBehavior, sent: str | None
) -> None:
    stripe.create_plan(plan_request(tax_behavior=behavior), idempotency_key=key())
    (params,) = account.sent("POST", "prices")
    assert params.get("tax_behavior") == sent
