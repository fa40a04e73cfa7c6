from datetime import timedelta
from typing import Any

import pytest

from billing.enums import BillingInterval
from billing.errors import InvalidRequest, ProviderObjectMissing, ProviderUnavailable
from billing.providers.stripe import StripeProvider
from billing.providers.stripe.previews import preview
from billing.providers.types import PreviewData, Ref, SubscriptionRequest, SubscriptionUpdate
from billing.testing import key, plan_request
from billing.tests.accounts.account import NOW
from billing.tests.stripe_account import StripeAccount
from billing.tests.stripe_life import published

PRICE = plan_request().amount_minor
PRORATED = "create_prorations"


@pytest.fixture
def running(stripe: StripeProvider, wanted: SubscriptionRequest) -> Ref:
    made = stripe.create_subscription(wanted, idempotency_key=key())
    return Ref(id=made.id, customer_id=made.customer_id)


def plan(stripe: StripeProvider, **changes: Any) -> str:
    return stripe.create_plan(plan_request(**changes), idempotency_key=key()).id


def asked(account: StripeAccount) -> dict[str, Any]:
    (sent,) = account.sent("POST", "invoices/create_preview")
    return sent


def item_of(account: StripeAccount, subscription: Ref) -> str:
    return str(account.objects[subscription.id]["items"]["data"][0]["id"])


def amounts(found: PreviewData) -> list[int]:
    return [line.amount_minor for line in found.lines]


def test_a_dearer_plan_waits_for_the_next_invoice(
    stripe: StripeProvider, account: StripeAccount, running: Ref
) -> None:
    dearer = plan(stripe, amount_minor=2 * PRICE)
    half = account.objects[running.id]["items"]["data"][0]
    middle = (half["current_period_start"] + half["current_period_end"]) // 2
    account.now += timedelta(seconds=middle - int(account.now.timestamp()))
    found = stripe.preview_change(running, SubscriptionUpdate(price_id=dearer))
    assert amounts(found) == [-PRICE // 2, PRICE, 2 * PRICE]
    assert (found.total_minor, found.due_now_minor) == (2 * PRICE + PRICE // 2, 0)
    subscription = stripe.get_subscription(running)
    assert found.billed_at == subscription.current_period_end
    assert found.period_start == subscription.current_period_end
    assert subscription.price_id != dearer


def test_it_is_asked_for_as_the_change_would_be_made(
    stripe: StripeProvider, account: StripeAccount, running: Ref
) -> None:
    dearer = plan(stripe, amount_minor=2 * PRICE)
    changes = SubscriptionUpdate(price_id=dearer, quantity=2, payment_method_id="pm_other")
    stripe.preview_change(running, changes)
    sent = asked(account)
    item = "subscription_details[items][0]"
    assert sent == {
        "subscription": running.id,
        f"{item}[id]": item_of(account, running),
        f"{item}[price]": dearer,
        f"{item}[quantity]": "2",
        "subscription_details[proration_behavior]": PRORATED,
    }
    stripe.update_subscription(
        running, SubscriptionUpdate(price_id=dearer, quantity=2), idempotency_key=key()
    )
    (changed,) = account.sent("POST", f"subscriptions/{running.id}")
    for name, value in sent.items():
        if name != "subscription":
            assert (
                changed[name.replace("subscription_details[", "", 1).replace("]", "", 1)] == value
            )


def test_another_interval_is_charged_at_once(
    stripe: StripeProvider, account: StripeAccount, running: Ref
) -> None:
    yearly = plan(stripe, amount_minor=10 * PRICE, interval=BillingInterval.YEARLY)
    found = stripe.preview_change(running, SubscriptionUpdate(price_id=yearly))
    assert found.due_now_minor == found.total_minor
    assert 0 <= found.total_minor - 9 * PRICE <= 1
    assert found.billed_at == account.now


def test_without_a_change_it_is_the_next_invoice(
    stripe: StripeProvider, account: StripeAccount, running: Ref
) -> None:
    found = stripe.preview_change(running, SubscriptionUpdate(cancel_at_period_end=False))
    assert asked(account) == {
        "subscription": running.id,
        "subscription_details[cancel_at_period_end]": "false",
    }
    assert (found.total_minor, amounts(found)) == (PRICE, [PRICE])


def test_a_coupon_is_taken_off(
    stripe: StripeProvider, account: StripeAccount, running: Ref
) -> None:
    account.add_coupon("TEN", percent_off=10)
    stripe.apply_coupon(running, "TEN", idempotency_key=key())
    found = stripe.preview_change(running, SubscriptionUpdate())
    assert (found.discount_minor, found.total_minor) == (PRICE // 10, PRICE - PRICE // 10)


def test_it_sends_a_key_of_its_own_each_time(
    stripe: StripeProvider, account: StripeAccount, running: Ref
) -> None:
    for _ in range(2):
        stripe.preview_change(running, SubscriptionUpdate())
    first, second = account.keys()[-2:]
    assert first
    assert first != second


@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, InvalidRequest), (404, ProviderObjectMissing), (500, ProviderUnavailable)],
)
def test_what_fails_has_changed_nothing(
    stripe: StripeProvider,
    account: StripeAccount,
    running: Ref,
    status: int,
    expected: type[Exception],
) -> None:
    account.refuse_next("POST", "invoices/create_preview", status)
    with pytest.raises(expected) as refused:
        stripe.preview_change(running, SubscriptionUpdate())
    assert type(refused.value) is expected


def test_one_without_an_id_and_with_taxes() -> None:
    source = published("invoice") | {"id": None, "currency": "usd", "subtotal": 1000}
    source |= {"total": 1160, "amount_remaining": 1160, "total_taxes": [{"amount": 160}]}
    found = preview(source | {"period_end": int(NOW.timestamp())}, as_of=NOW)
    assert (found.subtotal_minor, found.tax_minor, found.total_minor) == (1000, 160, 1160)
    assert found.due_now_minor == 1160
    later = int((NOW + timedelta(days=3)).timestamp())
    assert preview(source | {"period_end": later}, as_of=NOW).due_now_minor == 0
    assert preview(source | {"period_end": None}, as_of=NOW).due_now_minor == 0
