"""What each magic token does at the first charge and later."""

from datetime import datetime, timedelta

import pytest

from billing.enums import IncompleteReason, NextActionType, PaymentState, SubscriptionStatus
from billing.errors import InvalidRequest, PaymentDeclined
from billing.providers.types import PaymentMethodRequest, Ref
from billing.testing import key
from billing.tests.providers.sandbox.conftest import Driver


@pytest.mark.parametrize("token", ["tok_visa", "tok_mastercard", "tok_anything_else"])
def test_a_good_card_pays_first_and_later(driver: Driver, token: str) -> None:
    subscription = driver.start(token)
    assert subscription.status is SubscriptionStatus.ACTIVE
    driver.provider.advance_clock(timedelta(days=32))
    assert driver.now(subscription).status is SubscriptionStatus.ACTIVE
    assert len(driver.provider.list_invoices(Ref(id=subscription.customer_id))) == 2


def test_a_card_shows_brand_and_last_digits(driver: Driver) -> None:
    method = driver.provider.get_payment_method(driver.method(driver.customer()))
    assert (method.type, method.brand, method.last4) == ("card", "visa", "4242")
    assert method.exp_year
    assert method.exp_year > 2000


@pytest.mark.parametrize(
    ("token", "code"),
    [("tok_declined", "card_declined"), ("tok_insufficient_funds", "insufficient_funds")],
)
def test_a_refused_first_charge_leaves_nothing(driver: Driver, token: str, code: str) -> None:
    customer = driver.customer()
    driver.method(customer, token)
    with pytest.raises(PaymentDeclined) as declined:
        driver.subscribe(customer)
    assert declined.value.decline_code == code
    assert driver.provider.list_invoices(customer) == []


def test_attaching_may_be_refused(driver: Driver) -> None:
    customer = driver.customer()
    with pytest.raises(PaymentDeclined):
        driver.method(customer, "tok_attach_declined")
    assert driver.provider.list_payment_methods(customer) == []


@pytest.mark.parametrize("token", ["", "visa", "tok_", "4242424242424242", None, 7])
def test_other_text_is_not_a_token(driver: Driver, token: str) -> None:
    customer = driver.customer()
    with pytest.raises(InvalidRequest) as refused:
        driver.provider.create_payment_method(
            customer, PaymentMethodRequest(token=token), idempotency_key=key()
        )
    assert refused.value.param == "token"


def test_a_bank_check_waits_for_the_customer(driver: Driver) -> None:
    subscription = driver.start("tok_requires_action")
    assert subscription.status is SubscriptionStatus.INCOMPLETE
    assert subscription.incomplete_reason is IncompleteReason.REQUIRES_ACTION
    assert subscription.next_action
    assert subscription.next_action.type is NextActionType.REDIRECT
    assert subscription.next_action.details["url"].startswith("https://")
    assert driver.invoice(subscription).payment_state is PaymentState.REQUIRES_ACTION


@pytest.mark.parametrize("token", ["tok_voucher", "tok_oxxo", "tok_spei"])
def test_a_voucher_waits_to_be_paid(driver: Driver, token: str) -> None:
    subscription = driver.start(token)
    assert subscription.incomplete_reason is IncompleteReason.VOUCHER_WAITING
    assert subscription.next_action
    assert subscription.next_action.type is NextActionType.DISPLAY_VOUCHER
    details = subscription.next_action.details
    assert details.keys() >= {"method", "reference", "barcode", "amount_minor", "currency"}
    assert datetime.fromisoformat(details["expires_at"]).utcoffset() == timedelta(0)
    assert (details["amount_minor"], details["currency"]) == ("29900", "MXN")


@pytest.mark.parametrize("token", ["tok_requires_action", "tok_voucher"])
def test_what_the_customer_does_activates(driver: Driver, token: str) -> None:
    subscription = driver.start(token)
    invoice = driver.invoice(subscription)
    paid = driver.provider.complete_payment(Ref(id=invoice.id))
    assert (paid.payment_state, paid.amount_due_minor) == (PaymentState.PAID, 0)
    found = driver.now(subscription)
    assert found.status is SubscriptionStatus.ACTIVE
    assert (found.incomplete_reason, found.next_action) == (None, None)
    assert found.current_period_end == subscription.current_period_end


def test_a_renewal_may_be_refused(driver: Driver) -> None:
    subscription = driver.start("tok_renewal_declined")
    assert subscription.status is SubscriptionStatus.ACTIVE
    driver.provider.advance_clock(timedelta(days=32))
    assert driver.now(subscription).status is SubscriptionStatus.PAST_DUE
