"""Vouchers of the sandbox: alone, for an open invoice, paid, and run out."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.enums import (
    InvoiceStatus,
    NextActionType,
    PaymentMethodType,
    PaymentState,
    PaymentStatus,
)
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
    paid = driver.provider.pay_voucher(Ref(id=made.id))
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
    late = driver.provider.pay_voucher(Ref(id=made.id))
    assert late.status is PaymentStatus.SUCCEEDED
    with pytest.raises(InvalidRequest):
        driver.provider.pay_voucher(Ref(id=made.id))


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


def test_two_kinds_of_one_invoice_are_two_payments(driver: Driver) -> None:
    """As at Conekta, whose open orders take several vouchers: whoever pays two has paid twice."""
    subscription = owed(driver)
    transfer = driver.provider.create_voucher(of_invoice(subscription), idempotency_key=key())
    request = replace(of_invoice(subscription), method=OXXO, reference=key())
    cash = driver.provider.create_voucher(request, idempotency_key=key())
    assert transfer.id != cash.id
    assert driver.provider.pay_voucher(Ref(id=transfer.id)).status is PaymentStatus.SUCCEEDED
    assert driver.invoice(subscription).status is InvoiceStatus.PAID
    assert driver.now(subscription).status == "active"
    assert driver.provider.pay_voucher(Ref(id=cash.id)).status is PaymentStatus.SUCCEEDED
    assert driver.invoice(subscription).payment_id == transfer.id


def test_one_of_two_that_runs_out_leaves_the_other_waiting(driver: Driver) -> None:
    subscription = owed(driver)
    soon = driver.invoice(subscription).as_of + timedelta(hours=1)
    request = replace(of_invoice(subscription), method=OXXO, reference=key(), expires_at=soon)
    driver.provider.create_voucher(request, idempotency_key=key())
    driver.provider.create_voucher(of_invoice(subscription), idempotency_key=key())
    driver.provider.advance_clock(timedelta(hours=2))
    assert driver.invoice(subscription).payment_state is PaymentState.VOUCHER_WAITING


def test_a_card_leaves_the_voucher_as_it_is(driver: Driver) -> None:
    subscription = driver.start("tok_renewal_declined")
    driver.provider.advance_clock(timedelta(days=32))
    behind = driver.now(subscription)
    voucher = driver.provider.create_voucher(of_invoice(behind), idempotency_key=key())
    card = driver.method(Ref(id=subscription.customer_id), "tok_visa")
    invoice = Ref(id=behind.latest_invoice_id or "")
    paid = driver.provider.pay_invoice(invoice, payment_method_id=card.id, idempotency_key=key())
    assert paid.payment_id != voucher.id
    assert driver.provider.get_payment(Ref(id=voucher.id)).status is PaymentStatus.PENDING


def test_a_void_invoice_cancels_all_its_vouchers(driver: Driver) -> None:
    subscription = owed(driver)
    made = [
        driver.provider.create_voucher(
            replace(of_invoice(subscription), method=method, reference=key()),
            idempotency_key=key(),
        )
        for method in (OXXO, SPEI)
    ]
    driver.provider.void_invoice(Ref(id=made[0].invoice_id or ""), idempotency_key=key())
    statuses = {driver.provider.get_payment(Ref(id=each.id)).status for each in made}
    assert statuses == {PaymentStatus.CANCELED}
