from typing import Any

import pytest
import responses

from billing.errors import InvalidRequest, OutcomeUnknown, ProviderObjectMissing
from billing.providers.conekta import ConektaProvider
from billing.providers.types import PaymentMethodRequest, Ref, SubscriptionRequest
from billing.testing import key
from billing.tests.conekta_account import ConektaAccount
from billing.tests.providers.conekta.conftest import API, example, listed

VISA = "tok_test_visa_4242"


def add(conekta: ConektaProvider, owner: Ref, token: str = VISA) -> Ref:
    request = PaymentMethodRequest(token=token)
    made = conekta.create_payment_method(owner, request, idempotency_key=key())
    assert made.customer_id == owner.id
    return Ref(id=made.id, customer_id=owner.id)


class TestCreate:
    def test_keeps_the_card_behind_a_token(
        self, conekta: ConektaProvider, account: ConektaAccount, owner: Ref
    ) -> None:
        method = conekta.get_payment_method(add(conekta, owner))
        assert (method.type, method.last4, method.exp_month, method.exp_year) == (
            "card", "4242", 12, 2030,
        )  # fmt: skip
        path = f"customers/{owner.id}/payment_sources"
        assert account.sent("POST", path) == [{"type": "card", "token_id": VISA}]

    def test_a_token_works_once(self, conekta: ConektaProvider, owner: Ref) -> None:
        add(conekta, owner, "tok_once")
        with pytest.raises(InvalidRequest):
            add(conekta, owner, "tok_once")

    def test_a_used_token_is_no_decline(self, conekta: ConektaProvider, wire: Any) -> None:
        code = "conekta.errors.processing.tokenization.used"
        error = {"object": "error", "type": "processing_error", "details": [{"code": code}]}
        wire.post(f"{API}/customers/cus_1/payment_sources", status=402, json=error)
        with pytest.raises(InvalidRequest) as caught:
            add(conekta, Ref(id="cus_1"))
        assert caught.value.param == "token"


class TestList:
    def test_newest_first_whatever_types_there_are(
        self, conekta: ConektaProvider, wire: responses.RequestsMock
    ) -> None:
        """The SDK would hide all of them for one type that it does not know."""
        old = example("payment_source", id="src_old", created_at=1)
        new = example("payment_source", id="src_new", created_at=3)
        odd = {"id": "src_odd", "type": "wallet", "created_at": 2, "expires_at": "0"}
        nothing = {"type": "card"}
        wire.get(f"{API}/customers/cus_1/payment_sources", json=listed(old, new, odd, nothing))
        found = conekta.list_payment_methods(Ref(id="cus_1"))
        assert [each.id for each in found] == ["src_new", "src_odd", "src_old"]
        assert found[1].customer_id == "cus_1"

    def test_one_that_is_not_the_customers_is_missing(
        self, conekta: ConektaProvider, owner: Ref
    ) -> None:
        with pytest.raises(ProviderObjectMissing):
            conekta.get_payment_method(Ref(id="src_other", customer_id=owner.id))


class TestDelete:
    def test_it_is_not_active_any_more(self, conekta: ConektaProvider, owner: Ref) -> None:
        method = add(conekta, owner)
        gone = conekta.delete_payment_method(method, idempotency_key=key())
        assert (gone.id, gone.is_active) == (method.id, False)
        assert conekta.list_payment_methods(owner) == []


class TestSetDefault:
    def test_running_subscriptions_get_it_too(
        self, conekta: ConektaProvider, account: ConektaAccount, wanted: SubscriptionRequest
    ) -> None:
        owner = Ref(id=wanted.customer_id, customer_id=wanted.customer_id)
        first, second = (
            conekta.create_subscription(wanted, idempotency_key=key()).id for _ in range(2)
        )
        ended = Ref(id=second, customer_id=owner.id)
        conekta.cancel_subscription(ended, at_period_end=False, idempotency_key=key())
        card = add(conekta, owner)
        customer = conekta.set_default_payment_method(owner, card, idempotency_key=key())
        assert customer.default_payment_method_id == card.id
        assert account.objects[first]["card_id"] == card.id
        assert account.objects[second]["card_id"] == wanted.payment_method_id
        conekta.set_default_payment_method(owner, card, idempotency_key=key())
        path = f"customers/{owner.id}/subscriptions/{first}"
        assert account.sent("PUT", path) == [{"card_id": card.id}]

    def test_refused_half_way_is_open(
        self, conekta: ConektaProvider, account: ConektaAccount, wanted: SubscriptionRequest
    ) -> None:
        owner = Ref(id=wanted.customer_id, customer_id=wanted.customer_id)
        conekta.create_subscription(wanted, idempotency_key=key())
        card = add(conekta, owner)
        account.refuse_next("PUT", f"customers/{owner.id}", 422)
        with pytest.raises(OutcomeUnknown):
            conekta.set_default_payment_method(owner, card, idempotency_key=key())
