from datetime import timedelta

import pytest

from billing.enums import InvoiceStatus
from billing.errors import InvalidRequest
from billing.providers.types import Ref, SubscriptionData
from billing.testing import key
from billing.tests.providers.sandbox.conftest import Driver

PRICE = 29900


def totals(driver: Driver, subscription: SubscriptionData) -> list[int]:
    """Of all invoices, oldest first."""
    found = driver.provider.list_invoices(Ref(id=subscription.customer_id))
    return [each.total_minor for each in found][::-1]


def renew(driver: Driver, times: int = 1) -> None:
    for _ in range(times):
        driver.provider.advance_clock(timedelta(days=31))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("SAVE20", [PRICE * 4 // 5, PRICE * 4 // 5]),
        ("half", [PRICE // 2, PRICE]),
        ("FREE", [0, 0]),
        ("", [PRICE, PRICE]),
    ],
)
def test_from_the_start(driver: Driver, code: str, expected: list[int]) -> None:
    subscription = driver.start(coupon_code=code)
    renew(driver)
    assert totals(driver, subscription)[:2] == expected
    assert driver.invoice(subscription).status is InvoiceStatus.PAID


def test_later_and_off_again(driver: Driver) -> None:
    subscription = driver.start()
    ref = Ref(id=subscription.id)
    driver.provider.apply_coupon(ref, "HALF", idempotency_key=key())
    found = driver.provider.apply_coupon(ref, "SAVE20", idempotency_key=key())
    assert found.has_discount
    renew(driver)
    assert not driver.provider.remove_coupon(ref, idempotency_key=key()).has_discount
    renew(driver)
    assert totals(driver, subscription)[:3] == [PRICE, PRICE * 4 // 5, PRICE]


@pytest.mark.parametrize("code", ["EXPIRED", "NEVER", " SAVE20"])
def test_no_subscription_by_a_code_that_is_none(driver: Driver, code: str) -> None:
    customer = driver.customer()
    driver.method(customer)
    with pytest.raises(InvalidRequest) as refused:
        driver.subscribe(customer, coupon_code=code)
    assert refused.value.param == "coupon"
    assert driver.provider.list_invoices(customer) == []


def test_what_has_ended_takes_none(driver: Driver) -> None:
    subscription = driver.start()
    ref = Ref(id=subscription.id)
    driver.provider.cancel_subscription(ref, at_period_end=False, idempotency_key=key())
    with pytest.raises(InvalidRequest):
        driver.provider.apply_coupon(ref, "SAVE20", idempotency_key=key())
