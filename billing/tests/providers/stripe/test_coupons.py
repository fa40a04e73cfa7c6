from dataclasses import replace

import pytest

from billing.errors import InvalidRequest, OutcomeUnknown, ProviderObjectMissing
from billing.providers.stripe import StripeProvider
from billing.providers.types import Ref, SubscriptionRequest
from billing.testing import key
from billing.tests.stripe_account import StripeAccount


@pytest.fixture
def running(stripe: StripeProvider, wanted: SubscriptionRequest) -> Ref:
    made = stripe.create_subscription(wanted, idempotency_key=key())
    return Ref(id=made.id, customer_id=made.customer_id)


def redeemed(account: StripeAccount, running: Ref) -> dict[str, str]:
    sent = account.sent("POST", f"subscriptions/{running.id}")[-1]
    return {name: value for name, value in sent.items() if name.startswith("discounts")}


class TestApply:
    def test_a_promotion_code_in_any_case(
        self, stripe: StripeProvider, account: StripeAccount, running: Ref
    ) -> None:
        promotion = account.add_promotion("Summer25")
        found = stripe.apply_coupon(running, "SUMMER25", idempotency_key="op-coupon")
        assert redeemed(account, running) == {"discounts[0][promotion_code]": promotion}
        assert account.keys()[-1] == "op-coupon"
        assert found.has_discount

    def test_else_a_coupon_by_its_id(
        self, stripe: StripeProvider, account: StripeAccount, running: Ref
    ) -> None:
        account.add_coupon("WELCOME")
        assert stripe.apply_coupon(running, "WELCOME", idempotency_key=key()).has_discount
        assert redeemed(account, running) == {"discounts[0][coupon]": "WELCOME"}

    def test_the_one_for_this_customer(
        self, stripe: StripeProvider, account: StripeAccount, running: Ref
    ) -> None:
        account.add_promotion("VIP", customer="cus_other")
        mine = account.add_promotion("VIP", customer=running.customer_id)
        account.add_promotion("VIP", customer="cus_third")
        stripe.apply_coupon(running, "VIP", idempotency_key=key())
        assert redeemed(account, running) == {"discounts[0][promotion_code]": mine}

    def test_the_active_one_of_several(
        self, stripe: StripeProvider, account: StripeAccount, running: Ref
    ) -> None:
        active = account.add_promotion("AGAIN")
        account.add_promotion("AGAIN", active=False)
        stripe.apply_coupon(running, "AGAIN", idempotency_key=key())
        assert redeemed(account, running) == {"discounts[0][promotion_code]": active}

    def test_a_lost_answer_has_used_the_code_up_and_is_still_found(
        self, stripe: StripeProvider, account: StripeAccount, running: Ref
    ) -> None:
        account.add_promotion("ONCE", max_redemptions=1)
        account.lose_next("POST", f"subscriptions/{running.id}")
        with pytest.raises(OutcomeUnknown):
            stripe.apply_coupon(running, "ONCE", idempotency_key="op-once")
        assert stripe.apply_coupon(running, "ONCE", idempotency_key="op-once").has_discount
        with pytest.raises(InvalidRequest):
            stripe.apply_coupon(running, "ONCE", idempotency_key=key())

    def test_what_is_over(
        self, stripe: StripeProvider, account: StripeAccount, running: Ref
    ) -> None:
        account.add_promotion("OLD", active=False)
        account.add_coupon("GONE", valid=False)
        for code in ("OLD", "GONE", "NEVER"):
            with pytest.raises(InvalidRequest) as refused:
                stripe.apply_coupon(running, code, idempotency_key=key())
            assert refused.value.param == "coupon"

    def test_what_is_no_code_is_not_asked_for(
        self, stripe: StripeProvider, account: StripeAccount, running: Ref
    ) -> None:
        account.calls.clear()
        for code in ("", "..", "a/b", "ÑAME", "x" * 256):
            with pytest.raises(InvalidRequest):
                stripe.apply_coupon(running, code, idempotency_key=key())
        assert account.calls == []

    def test_a_subscription_that_is_missing_is_not_the_coupons_fault(
        self, stripe: StripeProvider, account: StripeAccount
    ) -> None:
        account.add_coupon("WELCOME")
        with pytest.raises(ProviderObjectMissing):
            stripe.apply_coupon(Ref(id="sub_none"), "WELCOME", idempotency_key=key())


def test_remove(stripe: StripeProvider, account: StripeAccount, running: Ref) -> None:
    account.add_coupon("WELCOME")
    stripe.apply_coupon(running, "WELCOME", idempotency_key=key())
    found = stripe.remove_coupon(running, idempotency_key="op-off")
    assert redeemed(account, running) == {"discounts": ""}
    assert account.keys()[-1] == "op-off"
    assert not found.has_discount


class TestCreate:
    def test_with_a_code(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        promotion = account.add_promotion("SUMMER25")
        wanted = replace(wanted, coupon_code="SUMMER25")
        made = stripe.create_subscription(wanted, idempotency_key=key())
        (sent,) = account.sent("POST", "subscriptions")
        assert sent["discounts[0][promotion_code]"] == promotion
        assert made.has_discount

    def test_an_unknown_code_makes_nothing(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        with pytest.raises(InvalidRequest) as refused:
            stripe.create_subscription(replace(wanted, coupon_code="NO"), idempotency_key=key())
        assert refused.value.param == "coupon"
        assert account.all("subscription") == []

    def test_without_one_nothing_is_looked_up(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        stripe.create_subscription(wanted, idempotency_key=key())
        assert not [each for each in account.calls if "promotion_codes" in each["url"]]
