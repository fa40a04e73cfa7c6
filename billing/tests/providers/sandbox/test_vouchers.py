"""Vouchers of the sandbox: alone, for an open invoice, paid, and run out."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.enums import NextActionType, PaymentMethodType, PaymentState, PaymentStatus
from billing.errors import InvalidRequest
from billing.providers.types import Ref, SubscriptionData, VoucherRequest
from billing.testing import key, voucher_request
from billing.tests.providers.sandbox.conftest import Driver

OXXO, SPEI = PaymentMethodType.OXXO, PaymentMethodType.SPEI


def wanted(driver: Driver, **changes: object) -> VoucherRequest:
    request = voucher_request(driver.customer(), OXXO)
    return replace(request, **changes)  # type: ignore[arg-type]


def owed(driver: Driver) -> SubscriptionData:
    """A subscription whose first invoice is open."""
    return driver.start("tok_requires_action")


def of_invoice(subscription: SubscriptionData) -> VoucherRequest:
    assert subscription.latest_invoice_id
    request = voucher_request(Ref(id=subscription.customer_id), SPEI)
    return replace(request, invoice_id=subscription.latest_invoice_id)


def test_it_is_paid_later(driver: Driver) -> None:
    made = driver.provider.create_voucher(wanted(driver), idempotency_key=key())
    paid = driver.provider.confirm_payment(Ref(id=made.id))
    assert (paid.status, paid.next_action) == (PaymentStatus.SUCCEEDED, None)
    driver.provider.advance_clock(timedelta(days=4))
    assert driver.provider.get_payment(Ref(id=made.id)).status is PaymentStatus.SUCCEEDED


def test_it_runs_out(driver: Driver) -> None:
    made = driver.provider.create_voucher(wanted(driver), idempotency_key=key())
    driver.provider.advance_clock(timedelta(days=4))
    over = driver.provider.get_payment(Ref(id=made.id))
    assert (over.status, over.next_action) == (PaymentStatus.CANCELED, None)
    with pytest.raises(InvalidRequest):
        driver.provider.confirm_payment(Ref(id=made.id))


def test_an_open_invoice_waits_for_it(driver: Driver) -> None:
    subscription = owed(driver)
    made = driver.provider.create_voucher(of_invoice(subscription), idempotency_key=key())
    assert (made.invoice_id, made.amount_minor) == (subscription.latest_invoice_id, 29900)
    assert made.next_action
    assert made.next_action.type is NextActionType.DISPLAY_VOUCHER
    assert driver.invoice(subscription).payment_state is PaymentState.VOUCHER_WAITING


def test_an_invoice_whose_voucher_has_run_out_takes_another(driver: Driver) -> None:
    subscription = owed(driver)
    soon = driver.invoice(subscription).as_of + timedelta(hours=1)
    request = replace(of_invoice(subscription), expires_at=soon)
    first = driver.provider.create_voucher(request, idempotency_key=key())
    driver.provider.advance_clock(timedelta(hours=2))
    assert driver.invoice(subscription).payment_state is PaymentState.NONE
    second = driver.provider.create_voucher(of_invoice(subscription), idempotency_key=key())
    assert second.id != first.id
    assert driver.invoice(subscription).payment_state is PaymentState.VOUCHER_WAITING


@pytest.mark.parametrize(
    "changes",
    [{"method": PaymentMethodType.CARD}, {"currency": "USD"}, {"amount_minor": 0}],
)
def test_what_is_no_voucher(driver: Driver, changes: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        driver.provider.create_voucher(wanted(driver, **changes), idempotency_key=key())


def test_a_paid_invoice_takes_none(driver: Driver) -> None:
    with pytest.raises(InvalidRequest):
        driver.provider.create_voucher(of_invoice(driver.start("tok_visa")), idempotency_key=key())
