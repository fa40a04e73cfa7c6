"""Bank debits: days go by before anybody knows."""

from datetime import timedelta
from typing import Any

import pytest

from billing.enums import (
    IncompleteReason,
    InvoiceStatus,
    NextActionType,
    PaymentState,
    PaymentStatus,
    SubscriptionStatus,
)
from billing.errors import InvalidRequest
from billing.providers.types import PaymentRequest, Ref, SubscriptionData
from billing.testing import key
from billing.tests.providers.sandbox.conftest import Driver

TOKENS = ["tok_bank_account", "tok_sepa_debit"]
DAYS = timedelta(days=3)


def states(driver: Driver, subscription: SubscriptionData) -> tuple[Any, ...]:
    invoice = driver.invoice(subscription)
    payment = driver.provider.get_payment(Ref(id=invoice.payment_id))
    return (driver.now(subscription).status, invoice.payment_state, payment.status)


PROCESSING = (PaymentState.PROCESSING, PaymentStatus.PROCESSING)
PAID = (SubscriptionStatus.ACTIVE, PaymentState.PAID, PaymentStatus.SUCCEEDED)


@pytest.mark.parametrize("token", TOKENS)
def test_a_start_waits_for_the_bank(driver: Driver, token: str) -> None:
    subscription = driver.start(token)
    assert states(driver, subscription) == (SubscriptionStatus.INCOMPLETE, *PROCESSING)
    assert subscription.incomplete_reason is IncompleteReason.PROCESSING
    assert subscription.next_action
    assert subscription.next_action.type is NextActionType.WAIT
    driver.provider.advance_clock(DAYS - timedelta(hours=1))
    assert driver.now(subscription).status is SubscriptionStatus.INCOMPLETE
    driver.provider.advance_clock(timedelta(hours=1))
    assert states(driver, subscription) == PAID
    found = driver.now(subscription)
    assert (found.incomplete_reason, found.next_action) == (None, None)


@pytest.mark.parametrize("token", TOKENS)
def test_a_refused_start_waits_for_another_method(driver: Driver, token: str) -> None:
    subscription = driver.start(f"{token}_refused")
    driver.provider.advance_clock(DAYS)
    failed = (PaymentState.FAILED, PaymentStatus.FAILED)
    assert states(driver, subscription) == (SubscriptionStatus.INCOMPLETE, *failed)
    payment = driver.provider.get_payment(Ref(id=driver.invoice(subscription).payment_id))
    assert payment.decline_code == "insufficient_funds"
    good = driver.method(Ref(id=subscription.customer_id))
    invoice = Ref(id=driver.invoice(subscription).id)
    driver.provider.pay_invoice(invoice, payment_method_id=good.id, idempotency_key=key())
    assert states(driver, subscription) == PAID


def test_or_it_is_over(driver: Driver) -> None:
    subscription = driver.start("tok_sepa_debit_refused")
    driver.provider.advance_clock(DAYS + timedelta(days=1))
    assert driver.now(subscription).status is SubscriptionStatus.INCOMPLETE_EXPIRED


def test_a_renewal_is_served_meanwhile(driver: Driver) -> None:
    subscription = driver.start("tok_bank_account")
    driver.provider.advance_clock(DAYS)
    first = driver.now(subscription)
    driver.provider.advance_clock(timedelta(days=29))
    second = driver.now(subscription)
    assert states(driver, subscription) == (SubscriptionStatus.ACTIVE, *PROCESSING)
    assert second.current_period_start == first.current_period_end
    driver.provider.advance_clock(DAYS)
    assert states(driver, subscription) == PAID
    assert driver.now(subscription).current_period_end == second.current_period_end
    driver.provider.advance_clock(timedelta(days=31))
    third = driver.now(subscription)
    assert third.current_period_start == second.current_period_end
    assert len(driver.provider.list_invoices(Ref(id=subscription.customer_id))) == 3


def test_a_refused_renewal_falls_behind_and_is_made_up_for(driver: Driver) -> None:
    subscription = driver.start()
    owner = Ref(id=subscription.customer_id)
    bad = driver.method(owner, "tok_sepa_debit_refused")
    driver.provider.set_default_payment_method(owner, bad, idempotency_key=key())
    driver.provider.advance_clock(timedelta(days=32))
    assert states(driver, subscription) == (SubscriptionStatus.ACTIVE, *PROCESSING)
    period_end = driver.now(subscription).current_period_end
    driver.provider.advance_clock(DAYS)
    assert driver.now(subscription).status is SubscriptionStatus.PAST_DUE
    good = driver.method(owner)
    driver.provider.set_default_payment_method(owner, good, idempotency_key=key())
    driver.provider.advance_clock(timedelta(days=4))
    assert states(driver, subscription) == PAID
    assert driver.now(subscription).current_period_end == period_end


def test_what_is_never_paid_ends(driver: Driver) -> None:
    subscription = driver.start()
    owner = Ref(id=subscription.customer_id)
    bad = driver.method(owner, "tok_sepa_debit_refused")
    driver.provider.set_default_payment_method(owner, bad, idempotency_key=key())
    driver.provider.advance_clock(timedelta(days=60))
    assert driver.now(subscription).status is SubscriptionStatus.CANCELED


def test_nobody_is_asked_twice(driver: Driver) -> None:
    subscription = driver.start("tok_sepa_debit")
    invoice = Ref(id=driver.invoice(subscription).id)
    with pytest.raises(InvalidRequest):
        driver.provider.pay_invoice(invoice, idempotency_key=key())


def test_what_ends_takes_its_debit_back(driver: Driver) -> None:
    subscription = driver.start("tok_sepa_debit")
    ref = Ref(id=subscription.id)
    driver.provider.cancel_subscription(ref, at_period_end=False, idempotency_key=key())
    driver.provider.advance_clock(DAYS)
    invoice = driver.invoice(subscription)
    payment = driver.provider.get_payment(Ref(id=invoice.payment_id))
    assert (invoice.status, payment.status) == (InvoiceStatus.VOID, PaymentStatus.CANCELED)


def test_a_debit_may_be_settled_at_once(driver: Driver) -> None:
    subscription = driver.start("tok_sepa_debit")
    driver.provider.complete_payment(Ref(id=driver.invoice(subscription).id))
    assert states(driver, subscription) == PAID
    driver.provider.advance_clock(DAYS)
    assert states(driver, subscription) == PAID


@pytest.mark.parametrize(
    ("token", "status"),
    [
        ("tok_bank_account", PaymentStatus.SUCCEEDED),
        ("tok_bank_account_refused", PaymentStatus.FAILED),
    ],
)
def test_a_single_charge(driver: Driver, token: str, status: PaymentStatus) -> None:
    customer = driver.customer()
    request = PaymentRequest(
        reference=key(),
        customer_id=customer.id,
        payment_method_id=driver.method(customer, token).id,
        amount_minor=500,
        currency="USD",
    )
    made = driver.provider.create_payment(request, idempotency_key=key())
    assert made.status is PaymentStatus.PROCESSING
    driver.provider.advance_clock(DAYS)
    assert driver.provider.get_payment(Ref(id=made.id)).status is status
