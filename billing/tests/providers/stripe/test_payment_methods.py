from typing import Any

import pytest
import responses

from billing.errors import InvalidRequest, OutcomeUnknown, PaymentDeclined, RateLimited
from billing.providers.stripe import StripeProvider
from billing.providers.types import PaymentMethodRequest, Ref
from billing.testing import customer_request, key
from billing.tests.stripe_account import StripeAccount
from billing.tests.stripe_life import API_BASE, StripeLife, published


@pytest.fixture
def customer(stripe: StripeProvider, account: StripeAccount) -> Ref:
    made = stripe.create_customer(customer_request(), idempotency_key=key())
    return Ref(id=made.id, customer_id=made.id)


def attach(stripe: StripeProvider, customer: Ref) -> Ref:
    request = PaymentMethodRequest(token="pm_card_visa")
    made = stripe.create_payment_method(customer, request, idempotency_key=key())
    return Ref(id=made.id, customer_id=customer.id)


def subscribe(account: StripeAccount, customer: Ref, name: str, **changes: Any) -> str:
    life = StripeLife()
    for step in (life.sign_up, life.subscribe):
        step()
    made = life.objects["subscription", life.subscription_id]
    account.objects[name] = made | {"id": name, "customer": customer.id} | changes
    return name


def set_default(stripe: StripeProvider, method: Ref, used: str) -> str | None:
    owner = Ref(id=method.customer_id)
    return stripe.set_default_payment_method(
        owner, method, idempotency_key=used
    ).default_payment_method_id


def test_a_token_is_attached_as_it_is(
    stripe: StripeProvider, account: StripeAccount, customer: Ref
) -> None:
    token = "pm_from_the_browser"
    account.objects[token] = published("payment_method") | {"id": token, "customer": None}
    request = PaymentMethodRequest(token=token, billing_address={"line1": "told to Stripe there"})
    made = stripe.create_payment_method(customer, request, idempotency_key="op-add")
    assert account.sent("POST", f"payment_methods/{token}/attach") == [{"customer": customer.id}]
    assert account.keys()[-1] == "op-add"
    assert (made.id, made.customer_id, made.is_active) == (token, customer.id, True)
    assert (made.type, made.last4, made.brand) == ("card", "4242", "visa")


def test_the_bank_may_refuse_it(stripe: StripeProvider) -> None:
    error = {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"}
    with responses.RequestsMock() as mock:
        url = f"{API_BASE}/v1/payment_methods/pm_1/attach"
        mock.post(url, status=402, json={"error": error})
        with pytest.raises(PaymentDeclined) as declined:
            stripe.create_payment_method(
                Ref(id="cus_1"), PaymentMethodRequest(token="pm_1"), idempotency_key=key()
            )
    assert declined.value.decline_code == "insufficient_funds"


def test_detach(stripe: StripeProvider, account: StripeAccount, customer: Ref) -> None:
    method = attach(stripe, customer)
    gone = stripe.delete_payment_method(method, idempotency_key="op-remove")
    assert account.sent("POST", f"payment_methods/{method.id}/detach") == [{}]
    assert account.keys()[-1] == "op-remove"
    assert (gone.customer_id, gone.is_active) == (None, False)
    again = stripe.delete_payment_method(method, idempotency_key="op-remove")
    assert again == gone
    with pytest.raises(InvalidRequest):
        stripe.delete_payment_method(method, idempotency_key=key())


def test_default_of_a_customer(
    stripe: StripeProvider, account: StripeAccount, customer: Ref
) -> None:
    method = attach(stripe, customer)
    assert set_default(stripe, method, "op-first") == method.id
    assert account.sent("POST", f"customers/{customer.id}") == [
        {"invoice_settings[default_payment_method]": method.id}
    ]
    assert account.keys()[-1] == "op-first"


def test_default_of_running_subscriptions_too(
    stripe: StripeProvider, account: StripeAccount, customer: Ref
) -> None:
    old, new = attach(stripe, customer), attach(stripe, customer)
    running = subscribe(account, customer, "sub_1", default_payment_method=old.id)
    for name, changes in {
        "sub_inherits": {"default_payment_method": None},
        "sub_has_it": {"default_payment_method": new.id},
        "sub_over": {"default_payment_method": old.id, "status": "canceled"},
        "sub_never_began": {"default_payment_method": old.id, "status": "incomplete_expired"},
    }.items():
        subscribe(account, customer, name, **changes)
    account.calls.clear()
    set_default(stripe, new, "op-default")
    assert account.keys() == [f"op-default-{running}", "op-default"]
    assert account.sent("POST", f"subscriptions/{running}") == [{"default_payment_method": new.id}]
    account.calls.clear()
    set_default(stripe, new, "op-default")
    assert account.keys() == ["op-default"]


@pytest.mark.parametrize(("others", "expected"), [(0, RateLimited), (1, OutcomeUnknown)])
def test_refused_half_way_is_not_undone(
    stripe: StripeProvider,
    account: StripeAccount,
    customer: Ref,
    others: int,
    expected: type[Exception],
) -> None:
    old, new = attach(stripe, customer), attach(stripe, customer)
    for number in range(others):
        subscribe(account, customer, f"sub_{number}", default_payment_method=old.id)
    account.refuse_next("POST", f"customers/{customer.id}", 429)
    with pytest.raises(expected) as refused:
        set_default(stripe, new, "op-half")
    assert type(refused.value) is expected
    assert set_default(stripe, new, "op-half") == new.id
