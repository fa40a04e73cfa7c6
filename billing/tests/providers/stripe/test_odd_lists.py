"""One object that cannot be mapped costs a list that object alone."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from billing.providers.stripe import StripeProvider
from billing.providers.types import PaymentMethodRequest, Ref, SubscriptionRequest
from billing.providers.values import Incomplete
from billing.testing import customer_request, key, plan_request
from billing.tests.stripe_account import StripeAccount

Listed = Callable[[], list[Any]]


@pytest.fixture(autouse=True)
def _breaks_objects(account: StripeAccount) -> None:
    account.is_faithful = False


def odd(account: StripeAccount, remote_id: str, *names: str) -> None:
    for name in names:
        del account.objects[remote_id][name]


def check(listed: Listed, account: StripeAccount, ids: list[str], missing: str) -> None:
    """Whichever is odd, first or last of the list, the others are there."""
    assert [each.id for each in listed()] == ids
    for remote_id in (ids[0], ids[-1]):
        kept = account.objects[remote_id].pop(missing)
        assert [each.id for each in listed()] == [each for each in ids if each != remote_id]
        account.objects[remote_id][missing] = kept


def test_invoices(
    stripe: StripeProvider,
    account: StripeAccount,
    caplog: pytest.LogCaptureFixture,
) -> None:
    owner = stripe.create_customer(customer_request(), idempotency_key=key())
    made = [account.make("invoice", "in", customer=owner.id)["id"] for _ in range(3)]
    with caplog.at_level(logging.WARNING):
        check(lambda: stripe.list_invoices(Ref(id=owner.id)), account, made[::-1], "total")
    told = [record for record in caplog.records if record.message == "object.unreadable"]
    assert [record.remote_id for record in told] == [made[-1], made[0]]  # type: ignore[attr-defined]
    assert {record.reason for record in told} == {  # type: ignore[attr-defined]
        "the invoice has no total"
    }


def test_plans(stripe: StripeProvider, account: StripeAccount) -> None:
    made = [stripe.create_plan(plan_request(), idempotency_key=key()).id for _ in range(3)]
    check(stripe.list_plans, account, made[::-1], "unit_amount")


def test_payment_methods(stripe: StripeProvider, account: StripeAccount) -> None:
    """Nothing but its id is needed of one, so it stands for itself whatever else is gone."""
    owner = Ref(id=stripe.create_customer(customer_request(), idempotency_key=key()).id)
    token = PaymentMethodRequest(token="pm_card_visa")
    made = stripe.create_payment_method(owner, token, idempotency_key=key())
    odd(account, made.id, "card", "type", "billing_details")
    assert [each.id for each in stripe.list_payment_methods(owner)] == [made.id]


def test_another_customer_that_is_odd_hides_ours_not(
    stripe: StripeProvider, account: StripeAccount
) -> None:
    wanted = customer_request()
    made = stripe.create_customer(wanted, idempotency_key=key())
    theirs = stripe.create_customer(customer_request(), idempotency_key=key())
    account.objects[theirs.id]["id"] = None
    found = stripe.find_customer(wanted.reference)
    assert found is not None
    assert found.id == made.id


def test_ours_that_is_odd_is_an_error(
    stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
) -> None:
    """To say that there is none would have a second one made."""
    made = stripe.create_subscription(wanted, idempotency_key=key())
    account.objects[made.id]["id"] = None
    owner = Ref(id=wanted.customer_id)
    with pytest.raises(Incomplete):
        stripe.find_subscription(owner, wanted.reference, wanted.price_id)
    assert stripe.find_subscription(owner, key(), wanted.price_id) is None
