"""Single charges, hosted checkouts, the portal, and automatic ends of them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from billing.enums import (
    CheckoutMode,
    CheckoutStatus,
    NextActionType,
    PaymentStatus,
    SubscriptionStatus,
)
from billing.errors import InvalidRequest, PaymentDeclined, ProviderObjectMissing
from billing.providers.types import CheckoutRequest, Ref
from billing.testing import checkout_request, key, payment_request
from billing.tests.providers.sandbox.conftest import Driver


class TestCharging:
    def test_the_customer_confirms(self, driver: Driver) -> None:
        customer = driver.customer()
        card = driver.method(customer, "tok_requires_action")
        waiting = driver.provider.create_payment(
            payment_request(customer, card), idempotency_key=key()
        )
        assert waiting.status is PaymentStatus.REQUIRES_ACTION
        assert waiting.next_action
        assert waiting.next_action.type is NextActionType.REDIRECT
        paid = driver.provider.confirm_payment(Ref(id=waiting.id))
        assert (paid.status, paid.next_action) == (PaymentStatus.SUCCEEDED, None)
        with pytest.raises(InvalidRequest):
            driver.provider.confirm_payment(Ref(id=waiting.id))

    def test_a_voucher_is_paid_later(self, driver: Driver) -> None:
        customer = driver.customer()
        oxxo = driver.method(customer, "tok_oxxo")
        waiting = driver.provider.create_payment(
            payment_request(customer, oxxo), idempotency_key=key()
        )
        assert waiting.status is PaymentStatus.PENDING
        assert waiting.next_action
        assert waiting.next_action.details["amount_minor"] == "19990"

    def test_a_refused_charge_is_kept_and_not_repeated(self, driver: Driver) -> None:
        customer = driver.customer()
        broke = driver.method(customer, "tok_insufficient_funds")
        used, wanted = key(), payment_request(customer, broke)
        for _ in range(2):
            with pytest.raises(PaymentDeclined) as declined:
                driver.provider.create_payment(wanted, idempotency_key=used)
            assert declined.value.decline_code == "insufficient_funds"
        (failed,) = driver.provider.list_payments().items
        assert (failed.status, failed.reference) == (PaymentStatus.FAILED, wanted.reference)

    def test_another_s_method_is_refused(self, driver: Driver) -> None:
        theirs = driver.method(driver.customer())
        with pytest.raises(InvalidRequest):
            driver.provider.create_payment(
                payment_request(driver.customer(), theirs), idempotency_key=key()
            )

    def test_the_event_is_read(self, driver: Driver) -> None:
        customer = driver.customer()
        made = driver.provider.create_payment(
            payment_request(customer, driver.method(customer)), idempotency_key=key()
        )
        headers, body = driver.provider.pending_deliveries()[-1]
        event = driver.provider.parse_webhook_event(body, headers)
        assert (event.type, event.object_id) == ("payment.succeeded", made.id)
        assert event.parent_id == customer.id


@pytest.fixture
def selling(driver: Driver) -> CheckoutRequest:
    return replace(checkout_request(driver.customer(), driver.plan()), quantity=2)


def open_(driver: Driver, request: CheckoutRequest, **changes: Any) -> Ref:
    made = driver.provider.create_checkout(replace(request, **changes), idempotency_key=key())
    return Ref(id=made.id, customer_id=made.customer_id)


PAYMENT = {
    "mode": CheckoutMode.PAYMENT,
    "price_id": "",
    "amount_minor": 500,
    "currency": "JPY",
    "description": "A poster",
}
SETUP = {"mode": CheckoutMode.SETUP, "price_id": "", "currency": "MXN"}


class TestCheckout:
    @pytest.mark.parametrize("token", ["tok_visa", "tok_requires_action"])
    def test_it_sells_a_subscription(
        self, driver: Driver, selling: CheckoutRequest, token: str
    ) -> None:
        ref = open_(driver, selling)
        assert driver.provider.get_checkout(ref).total_minor == 59800
        done = driver.provider.complete_checkout(ref, token=token)
        assert (done.status, done.url, done.is_paid) == (CheckoutStatus.COMPLETE, "", True)
        assert driver.provider.get_checkout(ref).is_paid
        bought = driver.provider.get_subscription(Ref(id=done.subscription_id or ""))
        assert (bought.status, bought.quantity) == (SubscriptionStatus.ACTIVE, 2)
        assert bought.reference == selling.reference
        assert bought.latest_invoice_id == done.invoice_id

    def test_with_a_trial_nothing_is_due(self, driver: Driver, selling: CheckoutRequest) -> None:
        until = driver.provider.get_customer(Ref(id=selling.customer_id)).as_of + timedelta(days=9)
        ref = open_(driver, selling, trial_end_at=until)
        done = driver.provider.complete_checkout(ref, token="tok_visa")
        assert (done.total_minor, done.is_paid, done.invoice_id) == (0, True, None)
        bought = driver.provider.get_subscription(Ref(id=done.subscription_id or ""))
        assert bought.status is SubscriptionStatus.TRIALING

    def test_a_voucher_completes_it_unpaid(self, driver: Driver, selling: CheckoutRequest) -> None:
        ref = open_(driver, selling)
        done = driver.provider.complete_checkout(ref, token="tok_oxxo")
        assert (done.status, done.is_paid) == (CheckoutStatus.COMPLETE, False)
        driver.provider.complete_payment(Ref(id=done.invoice_id or ""))
        assert driver.provider.get_checkout(ref).is_paid

    def test_it_takes_a_payment(self, driver: Driver, selling: CheckoutRequest) -> None:
        done = driver.provider.complete_checkout(
            open_(driver, selling, **PAYMENT), token="tok_requires_action"
        )
        assert (done.total_minor, done.currency, done.is_paid) == (1000, "JPY", True)
        paid = driver.provider.get_payment(Ref(id=done.payment_id or ""))
        assert (paid.amount_minor, paid.reference) == (1000, selling.reference)

    @pytest.mark.parametrize("token", ["tok_visa", "tok_requires_action"])
    def test_it_keeps_a_method(self, driver: Driver, selling: CheckoutRequest, token: str) -> None:
        done = driver.provider.complete_checkout(open_(driver, selling, **SETUP), token=token)
        session = driver.provider.get_setup_session(Ref(id=done.setup_session_id or ""))
        listed = driver.provider.list_payment_methods(Ref(id=selling.customer_id))
        assert session.payment_method_id in [each.id for each in listed]

    @pytest.mark.parametrize("changes", [{}, PAYMENT, SETUP])
    def test_a_decline_leaves_it_open(
        self, driver: Driver, selling: CheckoutRequest, changes: dict[str, Any]
    ) -> None:
        ref = open_(driver, selling, **changes)
        with pytest.raises(PaymentDeclined):
            driver.provider.complete_checkout(ref, token="tok_attach_declined")
        assert driver.provider.get_checkout(ref).status is CheckoutStatus.OPEN
        assert driver.provider.complete_checkout(ref, token="tok_visa").is_paid

    def test_it_is_completed_once(self, driver: Driver, selling: CheckoutRequest) -> None:
        ref = open_(driver, selling)
        driver.provider.complete_checkout(ref, token="tok_visa")
        with pytest.raises(InvalidRequest):
            driver.provider.complete_checkout(ref, token="tok_visa")

    def test_after_a_day_it_is_closed(self, driver: Driver, selling: CheckoutRequest) -> None:
        ref, done = open_(driver, selling), open_(driver, selling, **SETUP)
        driver.provider.complete_checkout(done, token="tok_visa")
        driver.provider.advance_clock(timedelta(hours=25))
        gone = driver.provider.get_checkout(ref)
        assert (gone.status, gone.url) == (CheckoutStatus.EXPIRED, "")
        assert driver.provider.get_checkout(done).status is CheckoutStatus.COMPLETE
        with pytest.raises(InvalidRequest):
            driver.provider.complete_checkout(ref, token="tok_visa")

    @pytest.mark.parametrize(
        ("changes", "param"),
        [
            ({"price_id": "plan_none"}, "price_id"),
            ({"quantity": 0}, "quantity"),
            (PAYMENT | {"amount_minor": 0}, "amount_minor"),
            (PAYMENT | {"currency": ""}, "currency"),
            (PAYMENT | {"description": ""}, "description"),
            (PAYMENT | {"price_id": "plan_1"}, "price_id"),
            (SETUP | {"currency": ""}, "currency"),
        ],
    )
    def test_what_is_missing_is_told(
        self, driver: Driver, selling: CheckoutRequest, changes: dict[str, Any], param: str
    ) -> None:
        with pytest.raises(InvalidRequest) as refused:
            open_(driver, selling, **changes)
        assert refused.value.param == param

    def test_one_key_opens_one(self, driver: Driver, selling: CheckoutRequest) -> None:
        used = key()
        first = driver.provider.create_checkout(selling, idempotency_key=used)
        assert driver.provider.create_checkout(selling, idempotency_key=used) == first

    def test_its_events_are_ignored_for_a_reason(
        self, driver: Driver, selling: CheckoutRequest
    ) -> None:
        driver.provider.complete_checkout(open_(driver, selling), token="tok_visa")
        events = {
            event.type: event.ignored_because
            for headers, body in driver.provider.pending_deliveries()
            for event in [driver.provider.parse_webhook_event(body, headers)]
        }
        assert "subscription.created" in events
        assert "subscription.*" in events["checkout.completed"]


class TestPortal:
    def test_it_is_open_for_an_hour(self, driver: Driver) -> None:
        customer = driver.customer()
        made = driver.provider.create_portal_session(
            customer, return_url="https://shop.example", idempotency_key=key()
        )
        assert made.customer_id == customer.id
        assert made.expires_at
        assert made.expires_at - made.as_of == timedelta(hours=1)

    def test_not_for_one_who_is_gone(self, driver: Driver) -> None:
        customer = driver.customer()
        driver.provider.delete_customer(customer, idempotency_key=key())
        with pytest.raises(ProviderObjectMissing):
            driver.provider.create_portal_session(
                customer, return_url="https://shop.example", idempotency_key=key()
            )
