from datetime import timedelta

import pytest

from billing.enums import BillingInterval
from billing.errors import InvalidRequest
from billing.providers.types import Ref, SubscriptionUpdate
from billing.testing import key
from billing.tests.providers.sandbox.conftest import Driver

SAME = ("currency", "subtotal_minor", "discount_minor", "tax_minor", "total_minor", "lines")
SAME += ("period_start", "period_end")


@pytest.mark.parametrize("interval", list(BillingInterval))
def test_the_invoice_comes_as_it_was_foretold(driver: Driver, interval: BillingInterval) -> None:
    subscription = driver.start()
    ref = Ref(id=subscription.id)
    driver.provider.apply_coupon(ref, "SAVE20", idempotency_key=key())
    dearer = driver.plan(amount_minor=99900, interval=interval)
    changes = SubscriptionUpdate(price_id=dearer.id, quantity=2)
    foretold = driver.provider.preview_change(ref, changes)
    assert driver.now(subscription).price_id == subscription.price_id
    driver.provider.update_subscription(ref, changes, idempotency_key=key())
    driver.provider.advance_clock(timedelta(days=32))
    invoice = driver.invoice(subscription)
    assert (invoice.subtotal_minor, invoice.discount_minor) == (2 * 99900, 2 * 99900 // 5)
    for name in SAME:
        assert getattr(foretold, name) == getattr(invoice, name), name
    assert foretold.due_now_minor == 0
    assert foretold.billed_at == subscription.current_period_end


def test_what_an_update_refuses_is_refused(driver: Driver) -> None:
    subscription = driver.start()
    ref = Ref(id=subscription.id)
    euros = driver.plan(currency="EUR")
    for changes in (
        SubscriptionUpdate(price_id="price_none"),
        SubscriptionUpdate(price_id=euros.id),
        SubscriptionUpdate(quantity=0),
    ):
        with pytest.raises(InvalidRequest):
            driver.provider.preview_change(ref, changes)
    driver.provider.cancel_subscription(ref, at_period_end=False, idempotency_key=key())
    with pytest.raises(InvalidRequest):
        driver.provider.preview_change(ref, SubscriptionUpdate(quantity=2))


def test_a_pauses_credit_is_in_it(driver: Driver) -> None:
    subscription = driver.start()
    ref = Ref(id=subscription.id)
    driver.provider.pause_subscription(ref, idempotency_key=key())
    foretold = driver.provider.preview_change(ref, SubscriptionUpdate())
    driver.provider.unpause_subscription(ref, idempotency_key=key())
    invoice = driver.invoice(subscription)
    assert foretold.lines == invoice.lines
    assert foretold.total_minor == invoice.total_minor < 29900
