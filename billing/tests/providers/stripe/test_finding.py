from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

from billing.providers.stripe import StripeProvider
from billing.providers.types import Ref, SubscriptionRequest
from billing.testing import customer_request, key
from billing.tests.stripe_account import StripeAccount


def asked(account: StripeAccount) -> dict[str, list[str]]:
    return parse_qs(urlsplit(account.calls[-1]["url"]).query)


def test_a_customer_by_our_reference(stripe: StripeProvider, account: StripeAccount) -> None:
    wanted = customer_request()
    made = stripe.create_customer(wanted, idempotency_key=key())
    stripe.create_customer(customer_request(), idempotency_key=key())
    assert stripe.find_customer(wanted.reference) == made
    assert asked(account)["query"] == [f"metadata['cobro_reference']:'{wanted.reference}'"]


def test_a_customer_that_only_looks_like_it(stripe: StripeProvider, account: StripeAccount) -> None:
    wanted = customer_request()
    longer = replace(wanted, reference=f"{wanted.reference}-other")
    stripe.create_customer(longer, idempotency_key=key())
    assert stripe.find_customer(wanted.reference) is None


def test_a_subscription_that_ended_too(
    stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
) -> None:
    made = stripe.create_subscription(wanted, idempotency_key=key())
    owner = Ref(id=wanted.customer_id)
    stripe.cancel_subscription(Ref(id=made.id), at_period_end=False, idempotency_key=key())
    found = stripe.find_subscription(owner, wanted.reference, wanted.price_id)
    assert found is not None
    assert found.id == made.id
    query = asked(account)
    assert (query["customer"], query["status"]) == ([wanted.customer_id], ["all"])
    assert stripe.find_subscription(owner, key(), wanted.price_id) is None


def test_a_subscription_with_what_its_customer_must_do(
    stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
) -> None:
    bare = replace(wanted, payment_method_id=None)
    made = stripe.create_subscription(bare, idempotency_key=key())
    found = stripe.find_subscription(Ref(id=wanted.customer_id), wanted.reference, wanted.price_id)
    assert found is not None
    assert found.next_action is not None
    assert found.next_action == made.next_action
