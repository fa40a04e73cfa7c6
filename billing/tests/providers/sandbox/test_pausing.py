from datetime import timedelta

import pytest

from billing.enums import InvoiceStatus, SubscriptionStatus
from billing.errors import InvalidRequest
from billing.providers.types import Ref, SubscriptionData
from billing.testing import key
from billing.tests.providers.sandbox.conftest import Driver


def pause(driver: Driver, subscription: SubscriptionData) -> SubscriptionData:
    return driver.provider.pause_subscription(Ref(id=subscription.id), idempotency_key=key())


def unpause(driver: Driver, subscription: SubscriptionData) -> SubscriptionData:
    return driver.provider.unpause_subscription(Ref(id=subscription.id), idempotency_key=key())


def invoices(driver: Driver, subscription: SubscriptionData) -> list[int]:
    found = driver.provider.list_invoices(Ref(id=subscription.customer_id))
    return [each.total_minor for each in found]


def test_no_invoice_comes_while_it_is_paused(driver: Driver) -> None:
    subscription = driver.start()
    paused = pause(driver, subscription)
    assert paused.status is SubscriptionStatus.PAUSED
    driver.provider.advance_clock(timedelta(days=400))
    assert driver.now(subscription).status is SubscriptionStatus.PAUSED
    assert len(invoices(driver, subscription)) == 1


def test_what_was_paid_ahead_is_credited(driver: Driver) -> None:
    subscription = driver.start()
    assert subscription.current_period_start
    assert subscription.current_period_end
    half = (subscription.current_period_end - subscription.current_period_start) / 2
    driver.provider.advance_clock(half)
    pause(driver, subscription)
    driver.provider.advance_clock(timedelta(days=100))
    again = unpause(driver, subscription)
    assert again.status is SubscriptionStatus.ACTIVE
    assert again.current_period_start == again.as_of
    newest, first = invoices(driver, subscription)
    assert abs(newest - first / 2) < 5
    invoice = driver.invoice(subscription)
    assert [line.amount_minor > 0 for line in invoice.lines] == [True, False]
    driver.provider.advance_clock(timedelta(days=32))
    assert invoices(driver, subscription)[0] == first


def test_declined_it_stays_paused_until_it_is_paid(driver: Driver) -> None:
    subscription = driver.start("tok_renewal_declined")
    driver.provider.advance_clock(timedelta(days=10))
    pause(driver, subscription)
    assert unpause(driver, subscription).status is SubscriptionStatus.PAUSED
    waiting = driver.invoice(subscription)
    assert waiting.status is InvoiceStatus.OPEN
    owner = Ref(id=subscription.customer_id)
    good = driver.method(owner)
    driver.provider.set_default_payment_method(owner, good, idempotency_key=key())
    again = unpause(driver, subscription)
    assert (again.status, again.latest_invoice_id) == (SubscriptionStatus.ACTIVE, waiting.id)


@pytest.mark.parametrize("token", ["tok_requires_action", "tok_voucher"])
def test_only_an_active_one_is_paused(driver: Driver, token: str) -> None:
    subscription = driver.start(token)
    with pytest.raises(InvalidRequest):
        pause(driver, subscription)
    with pytest.raises(InvalidRequest):
        unpause(driver, subscription)


def test_one_that_is_to_end_is_not_paused(driver: Driver) -> None:
    subscription = driver.start()
    ref = Ref(id=subscription.id)
    driver.provider.cancel_subscription(ref, at_period_end=True, idempotency_key=key())
    with pytest.raises(InvalidRequest):
        pause(driver, subscription)


def test_a_paused_one_may_be_ended(driver: Driver) -> None:
    subscription = driver.start()
    pause(driver, subscription)
    ref = Ref(id=subscription.id)
    ended = driver.provider.cancel_subscription(ref, at_period_end=False, idempotency_key=key())
    assert ended.status is SubscriptionStatus.CANCELED
