from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import responses

from billing.enums import SubscriptionStatus
from billing.errors import (
    InvalidRequest,
    OutcomeUnknown,
    PaymentDeclined,
    ProviderObjectMissing,
    UnsupportedOperation,
)
from billing.providers.conekta import ConektaProvider
from billing.providers.types import (
    PaymentMethodRequest,
    Ref,
    SubscriptionData,
    SubscriptionRequest,
    SubscriptionUpdate,
)
from billing.testing import key, plan_request
from billing.tests.conekta_account import ConektaAccount
from billing.tests.providers.conekta.conftest import API, example


def subscribe(conekta: ConektaProvider, wanted: SubscriptionRequest) -> SubscriptionData:
    return conekta.create_subscription(wanted, idempotency_key=key())


def ref(made: SubscriptionData) -> Ref:
    return Ref(id=made.id, customer_id=made.customer_id)


def path(wanted: SubscriptionRequest) -> str:
    return f"customers/{wanted.customer_id}/subscriptions"


def refused_card(
    conekta: ConektaProvider, wanted: SubscriptionRequest, token: str = "tok_test_card_declined"
) -> SubscriptionRequest:
    card = PaymentMethodRequest(token=token)
    owner = Ref(id=wanted.customer_id)
    made = conekta.create_payment_method(owner, card, idempotency_key=key())
    return replace(wanted, payment_method_id=made.id)


class TestCreate:
    def test_sends_plan_card_and_end_of_trial(
        self, conekta: ConektaProvider, account: ConektaAccount, wanted: SubscriptionRequest
    ) -> None:
        end = datetime(2026, 12, 2, tzinfo=UTC)
        made = subscribe(conekta, replace(wanted, trial_end_at=end))
        assert account.sent("POST", path(wanted)) == [
            {
                "plan_id": wanted.price_id,
                "card_id": wanted.payment_method_id,
                "trial_end": int(end.timestamp()),
            }
        ]
        assert (made.status, made.trial_end) == (SubscriptionStatus.TRIALING, end)

    def test_without_a_card_the_customers_own_is_charged(
        self, conekta: ConektaProvider, account: ConektaAccount, wanted: SubscriptionRequest
    ) -> None:
        made = subscribe(conekta, replace(wanted, payment_method_id=None))
        assert made.payment_method_id == wanted.payment_method_id
        assert account.sent("POST", path(wanted)) == [{"plan_id": wanted.price_id}]

    def test_declined_it_is_ended_lest_conekta_tries_again(
        self, conekta: ConektaProvider, account: ConektaAccount, wanted: SubscriptionRequest
    ) -> None:
        wanted = refused_card(conekta, wanted, "tok_test_insufficient_funds")
        with pytest.raises(PaymentDeclined) as caught:
            subscribe(conekta, wanted)
        assert caught.value.decline_code == "insufficient_funds"
        (made,) = account.all("subscription")
        assert made["status"] == "canceled"

    def test_a_refusal_without_an_order_is_a_decline_too(
        self, conekta: ConektaProvider, wire: responses.RequestsMock
    ) -> None:
        made = example("subscription", billing_cycle_start=None, last_billing_cycle_order_id=None)
        url = f"{API}/customers/cus_1/subscriptions"
        wire.post(url, json=made)
        wire.post(f"{url}/{made['id']}/cancel", json=made | {"status": "canceled"})
        request = SubscriptionRequest(reference=key(), customer_id="cus_1", price_id="gold-plan")
        with pytest.raises(PaymentDeclined) as caught:
            subscribe(conekta, request)
        assert caught.value.decline_code == "card_declined"

    def test_one_that_could_not_be_ended_is_open(
        self, conekta: ConektaProvider, account: ConektaAccount, wanted: SubscriptionRequest
    ) -> None:
        wanted = refused_card(conekta, wanted)
        account.refuse_next("POST", f"{path(wanted)}/*/cancel", 422)
        with pytest.raises(OutcomeUnknown):
            subscribe(conekta, wanted)

    @pytest.mark.parametrize("quantity", [0, 2, 1000])
    def test_sells_one_at_a_time(
        self,
        conekta: ConektaProvider,
        account: ConektaAccount,
        wanted: SubscriptionRequest,
        quantity: int,
    ) -> None:
        with pytest.raises(InvalidRequest) as caught:
            subscribe(conekta, replace(wanted, quantity=quantity))
        assert caught.value.param == "quantity"
        assert account.sent("POST", path(wanted)) == []

    def test_a_lost_answer_is_found_and_not_sent_again(
        self, conekta: ConektaProvider, account: ConektaAccount, wanted: SubscriptionRequest
    ) -> None:
        account.lose_next("POST", path(wanted))
        with pytest.raises(OutcomeUnknown):
            subscribe(conekta, wanted)
        owner = Ref(id=wanted.customer_id)
        found = conekta.find_subscription(owner, wanted.reference, wanted.price_id)
        assert found is not None
        assert [each["id"] for each in account.all("subscription")] == [found.id]


class TestUpdate:
    def test_changes_plan_and_card(
        self, conekta: ConektaProvider, account: ConektaAccount, wanted: SubscriptionRequest
    ) -> None:
        made = subscribe(conekta, wanted)
        dearer = conekta.create_plan(plan_request(amount_minor=99900), idempotency_key=key())
        changes = SubscriptionUpdate(price_id=dearer.id)
        changed = conekta.update_subscription(ref(made), changes, idempotency_key=key())
        assert changed.price_id == dearer.id
        assert changed.latest_invoice_id == made.latest_invoice_id
        assert account.sent("PUT", f"{path(wanted)}/{made.id}") == [{"plan_id": dearer.id}]

    def test_nothing_to_change_is_nothing_sent(
        self, conekta: ConektaProvider, account: ConektaAccount, wanted: SubscriptionRequest
    ) -> None:
        made = subscribe(conekta, wanted)
        changes = SubscriptionUpdate(quantity=1, cancel_at_period_end=False)
        same = conekta.update_subscription(ref(made), changes, idempotency_key=key())
        assert same.id == made.id
        assert account.sent("PUT", f"{path(wanted)}/{made.id}") == []

    def test_no_planned_end(self, conekta: ConektaProvider, account: ConektaAccount) -> None:
        changes = SubscriptionUpdate(cancel_at_period_end=True)
        with pytest.raises(UnsupportedOperation):
            conekta.update_subscription(Ref(id="sub_1"), changes, idempotency_key=key())
        assert account.calls == []


class TestCancel:
    def cancel(self, conekta: ConektaProvider, made: Ref, **how: Any) -> SubscriptionData:
        how = {"at_period_end": False} | how
        return conekta.cancel_subscription(made, idempotency_key=key(), **how)

    def test_at_once(self, conekta: ConektaProvider, wanted: SubscriptionRequest) -> None:
        ended = self.cancel(conekta, ref(subscribe(conekta, wanted)))
        assert ended.status is SubscriptionStatus.CANCELED
        assert ended.ended_at == ended.canceled_at

    def test_one_that_has_ended_is_answered_as_it_is(
        self, conekta: ConektaProvider, wanted: SubscriptionRequest
    ) -> None:
        made = ref(subscribe(conekta, wanted))
        self.cancel(conekta, made)
        assert self.cancel(conekta, made).status is SubscriptionStatus.CANCELED

    def test_a_refusal_of_one_that_runs_is_one(
        self, conekta: ConektaProvider, account: ConektaAccount, wanted: SubscriptionRequest
    ) -> None:
        made = ref(subscribe(conekta, wanted))
        account.refuse_next("POST", f"{path(wanted)}/{made.id}/cancel", 422)
        with pytest.raises(InvalidRequest):
            self.cancel(conekta, made)

    def test_not_with_its_period(self, conekta: ConektaProvider, account: ConektaAccount) -> None:
        with pytest.raises(UnsupportedOperation):
            self.cancel(conekta, Ref(id="sub_1", customer_id="cus_1"), at_period_end=True)
        assert account.calls == []

    def test_none_such(self, conekta: ConektaProvider, owner: Ref) -> None:
        with pytest.raises(ProviderObjectMissing):
            self.cancel(conekta, Ref(id="sub_1", customer_id=owner.id))


class TestPause:
    def test_keeps_the_paid_period(
        self, conekta: ConektaProvider, wanted: SubscriptionRequest
    ) -> None:
        made = subscribe(conekta, wanted)
        paused = conekta.pause_subscription(ref(made), idempotency_key=key())
        assert paused.status is SubscriptionStatus.PAUSED
        again = conekta.unpause_subscription(ref(made), idempotency_key=key())
        assert again.status is SubscriptionStatus.ACTIVE
        assert again.current_period_end == made.current_period_end
