from dataclasses import replace

import pytest

from billing.enums import NextActionType, SubscriptionStatus
from billing.errors import InvalidRequest, OutcomeUnknown
from billing.providers.stripe import StripeProvider
from billing.providers.types import PaymentMethodRequest, Ref, SubscriptionRequest
from billing.testing import key
from billing.tests.stripe_account import StripeAccount


@pytest.fixture
def running(stripe: StripeProvider, wanted: SubscriptionRequest) -> Ref:
    made = stripe.create_subscription(wanted, idempotency_key=key())
    return Ref(id=made.id, customer_id=made.customer_id)


class TestPause:
    def test_by_the_endpoint_that_stops_invoices(
        self, stripe: StripeProvider, account: StripeAccount, running: Ref
    ) -> None:
        paused = stripe.pause_subscription(running, idempotency_key="op-pause")
        (sent,) = account.sent("POST", f"subscriptions/{running.id}/pause")
        assert sent["type"] == "subscription"
        assert account.keys()[-1] == "op-pause"
        assert (paused.status, paused.collection_paused) == (SubscriptionStatus.PAUSED, False)
        assert paused.next_action is None

    def test_a_lost_answer_is_repeated_with_its_key(
        self, stripe: StripeProvider, account: StripeAccount, running: Ref
    ) -> None:
        account.lose_next("POST", f"subscriptions/{running.id}/pause")
        with pytest.raises(OutcomeUnknown):
            stripe.pause_subscription(running, idempotency_key="op-pause")
        again = stripe.pause_subscription(running, idempotency_key="op-pause")
        assert again.status is SubscriptionStatus.PAUSED

    def test_one_that_has_ended_is_refused(
        self, stripe: StripeProvider, account: StripeAccount, running: Ref
    ) -> None:
        stripe.cancel_subscription(running, at_period_end=False, idempotency_key=key())
        with pytest.raises(InvalidRequest):
            stripe.pause_subscription(running, idempotency_key=key())


class TestUnpause:
    def test_a_new_period_is_paid_first(
        self, stripe: StripeProvider, account: StripeAccount, running: Ref
    ) -> None:
        paused = stripe.pause_subscription(running, idempotency_key=key())
        again = stripe.unpause_subscription(running, idempotency_key="op-unpause")
        (sent,) = account.sent("POST", f"subscriptions/{running.id}/resume")
        assert sent["billing_cycle_anchor[type]"] == "now"
        assert sent["payment_behavior"] == "resume_on_payment_success"
        assert account.keys()[-1] == "op-unpause"
        assert again.status is SubscriptionStatus.ACTIVE
        assert again.latest_invoice_id != paused.latest_invoice_id
        assert again.next_action is None

    def test_where_it_is_not_paid_it_stays_paused_with_something_to_pay(
        self, stripe: StripeProvider, account: StripeAccount, running: Ref
    ) -> None:
        stripe.pause_subscription(running, idempotency_key=key())
        token = PaymentMethodRequest(token="pm_card_chargeCustomerFail")
        owner = Ref(id=running.customer_id)
        card = stripe.create_payment_method(owner, token, idempotency_key=key())
        stripe.set_default_payment_method(owner, Ref(id=card.id), idempotency_key=key())
        found = stripe.unpause_subscription(running, idempotency_key=key())
        assert found.status is SubscriptionStatus.PAUSED
        assert found.next_action is not None
        assert found.next_action.type is NextActionType.USE_SDK
        account.pay(found.latest_invoice_id or "")
        assert stripe.get_subscription(running).status is SubscriptionStatus.ACTIVE


def test_what_was_never_paid_is_not_paused(
    stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
) -> None:
    bare = replace(wanted, payment_method_id=None)
    made = stripe.create_subscription(bare, idempotency_key=key())
    with pytest.raises(InvalidRequest):
        stripe.pause_subscription(Ref(id=made.id), idempotency_key=key())
