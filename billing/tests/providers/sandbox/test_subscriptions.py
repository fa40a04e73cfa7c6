"""Subscriptions from first charge to end: what calls do to them."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from billing.enums import BillingInterval, EndReason, InvoiceStatus, PaymentStatus
from billing.enums import SubscriptionStatus as Status
from billing.errors import (
    InvalidRequest,
    PaymentDeclined,
    ProviderObjectMissing,
    UnsupportedOperation,
)
from billing.providers.types import Ref, SubscriptionUpdate
from billing.testing import key
from billing.tests.providers.sandbox.conftest import Driver, MakeSandbox


class TestCreate:
    def test_the_first_period_is_invoiced_and_paid(self, driver: Driver) -> None:
        subscription = driver.start(quantity=2)
        invoice = driver.invoice(subscription)
        assert (invoice.status, invoice.total_minor) == (InvoiceStatus.PAID, 59800)
        assert sum(line.amount_minor for line in invoice.lines) == invoice.subtotal_minor
        assert invoice.period_end == subscription.current_period_end
        payment = driver.provider.get_payment(Ref(id=invoice.payment_id))
        assert (payment.status, payment.amount_minor) == (PaymentStatus.SUCCEEDED, 59800)

    def test_a_trial_charges_nothing_until_it_ends(self, driver: Driver) -> None:
        trial_end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=14)
        subscription = driver.start(trial_end_at=trial_end)
        assert subscription.status is Status.TRIALING
        assert subscription.latest_invoice_id is None
        driver.provider.advance_clock(timedelta(days=15))
        found = driver.now(subscription)
        assert found.status is Status.ACTIVE
        assert found.current_period_start == trial_end == found.trial_end

    def test_a_trial_needs_no_method_but_its_end_does(self, driver: Driver) -> None:
        trial_end = datetime.now(UTC) + timedelta(days=14)
        subscription = driver.subscribe(driver.customer(), trial_end_at=trial_end)
        driver.provider.advance_clock(timedelta(days=15))
        assert driver.now(subscription).status is Status.PAST_DUE

    def test_a_free_plan_needs_no_method(self, driver: Driver) -> None:
        subscription = driver.subscribe(driver.customer(), driver.plan(amount_minor=0))
        assert subscription.status is Status.ACTIVE
        assert driver.invoice(subscription).status is InvoiceStatus.PAID

    @pytest.mark.parametrize(
        ("changes", "param"),
        [
            ({"quantity": 0}, "quantity"),
            ({"payment_method_id": "pm_other"}, "payment_method_id"),
            ({"trial_end_at": datetime(2020, 1, 1, tzinfo=UTC)}, "trial_end_at"),
            ({"plan": Ref(id="price_none")}, "price_id"),
        ],
    )
    def test_a_wrong_request_is_named(
        self, driver: Driver, changes: dict[str, object], param: str
    ) -> None:
        customer = driver.customer()
        driver.method(customer)
        with pytest.raises(InvalidRequest) as refused:
            driver.subscribe(customer, **changes)
        assert refused.value.param == param

    def test_a_paid_plan_needs_a_method(self, driver: Driver) -> None:
        with pytest.raises(InvalidRequest):
            driver.subscribe(driver.customer())

    def test_an_archived_plan_is_not_sold(self, driver: Driver) -> None:
        customer, plan = driver.customer(), driver.plan()
        driver.method(customer)
        driver.provider.archive_plan(plan, idempotency_key=key())
        with pytest.raises(InvalidRequest):
            driver.subscribe(customer, plan)

    def test_an_incomplete_one_expires_after_23_hours(self, driver: Driver) -> None:
        subscription = driver.start("tok_requires_action")
        driver.provider.advance_clock(timedelta(hours=22))
        assert driver.now(subscription).status is Status.INCOMPLETE
        driver.provider.advance_clock(timedelta(hours=2))
        found = driver.now(subscription)
        assert found.status is Status.INCOMPLETE_EXPIRED
        assert found.ended_at
        invoice = driver.invoice(subscription)
        assert invoice.status is InvoiceStatus.VOID
        payment = driver.provider.get_payment(Ref(id=invoice.payment_id))
        assert payment.status is PaymentStatus.CANCELED


class TestRenewal:
    @time_machine.travel(datetime(2027, 1, 31, 10, tzinfo=UTC), tick=False)
    def test_periods_follow_the_anchor(self, driver: Driver) -> None:
        subscription = driver.start()
        ends = [subscription.current_period_end]
        for _ in range(3):
            driver.provider.advance_clock(timedelta(days=31))
            ends.append(driver.now(subscription).current_period_end)
        assert [f"{end:%m-%d}" for end in ends if end] == ["02-28", "03-31", "04-30", "05-31"]

    def test_one_long_move_runs_every_month(self, driver: Driver) -> None:
        subscription = driver.start()
        assert driver.provider.advance_clock(timedelta(days=366)) == 12
        assert len(driver.provider.list_invoices(Ref(id=subscription.customer_id))) == 13

    def test_the_default_method_is_charged_first(self, driver: Driver) -> None:
        customer = driver.customer()
        driver.method(customer, "tok_declined")
        good = driver.method(customer)
        subscription = driver.subscribe(customer, payment_method_id=good.id)
        driver.provider.advance_clock(timedelta(days=32))
        assert driver.now(subscription).status is Status.PAST_DUE

    def test_retries_after_3_5_and_7_days_then_ends(self, driver: Driver) -> None:
        subscription = driver.start("tok_renewal_declined")
        first_end = subscription.current_period_end
        assert first_end
        driver.provider.advance_clock(first_end - datetime.now(UTC) + timedelta(hours=1))
        for days in (3, 5, 7):
            found, invoice = driver.now(subscription), driver.invoice(subscription)
            assert (found.status, invoice.status) == (Status.PAST_DUE, InvoiceStatus.OPEN)
            assert invoice.next_attempt_at == first_end + timedelta(days=days)
            assert found.current_period_end == first_end
            driver.provider.advance_clock(timedelta(days=3 if days == 3 else 2))
        ended = driver.now(subscription)
        assert (ended.status, ended.end_reason) == (Status.CANCELED, EndReason.PAYMENT_FAILED)
        assert ended.ended_at == first_end + timedelta(days=7)
        assert driver.invoice(subscription).status is InvoiceStatus.UNCOLLECTIBLE

    def test_a_new_card_recovers_it(self, driver: Driver) -> None:
        subscription = driver.start("tok_renewal_declined")
        customer = Ref(id=subscription.customer_id)
        driver.provider.advance_clock(timedelta(days=32))
        good = driver.method(customer)
        driver.provider.set_default_payment_method(customer, good, idempotency_key=key())
        driver.provider.advance_clock(timedelta(days=3))
        found = driver.now(subscription)
        assert (found.status, found.payment_method_id) == (Status.ACTIVE, good.id)
        assert found.current_period_start == subscription.current_period_end


class TestPay:
    def test_paying_by_hand_recovers_it(self, driver: Driver) -> None:
        subscription = driver.start("tok_renewal_declined")
        driver.provider.advance_clock(timedelta(days=32))
        invoice = Ref(id=driver.invoice(subscription).id)
        with pytest.raises(PaymentDeclined):
            driver.provider.pay_invoice(invoice, idempotency_key=key())
        good = driver.method(Ref(id=subscription.customer_id))
        paid = driver.provider.pay_invoice(
            invoice, payment_method_id=good.id, idempotency_key=key()
        )
        assert (paid.status, paid.payment_method_id) == (InvoiceStatus.PAID, good.id)
        assert driver.now(subscription).status is Status.ACTIVE
        driver.provider.advance_clock(timedelta(days=8))
        assert driver.now(subscription).status is Status.ACTIVE

    def test_a_refused_charge_is_written_down(self, driver: Driver) -> None:
        subscription = driver.start("tok_renewal_declined")
        driver.provider.advance_clock(timedelta(days=32))
        before = driver.invoice(subscription)
        with pytest.raises(PaymentDeclined):
            driver.provider.pay_invoice(Ref(id=before.id), idempotency_key=key())
        after = driver.invoice(subscription)
        assert after.payment_id != before.payment_id
        assert driver.provider.get_payment(Ref(id=after.payment_id)).decline_code

    def test_an_incomplete_one_becomes_active(self, driver: Driver) -> None:
        subscription = driver.start("tok_requires_action")
        invoice = driver.invoice(subscription)
        paid = driver.provider.pay_invoice(Ref(id=invoice.id), idempotency_key=key())
        assert paid.payment_id == invoice.payment_id
        assert driver.now(subscription).status is Status.ACTIVE

    def test_a_void_invoice_is_not_paid(self, driver: Driver) -> None:
        subscription = driver.start("tok_requires_action")
        invoice = Ref(id=driver.invoice(subscription).id)
        driver.provider.advance_clock(timedelta(days=1))
        with pytest.raises(InvalidRequest):
            driver.provider.pay_invoice(invoice, idempotency_key=key())


class TestChange:
    def test_a_new_price_counts_from_the_next_invoice(self, driver: Driver) -> None:
        subscription = driver.start()
        dear = driver.plan(amount_minor=50000)
        changed = driver.provider.update_subscription(
            Ref(id=subscription.id),
            SubscriptionUpdate(price_id=dear.id, quantity=2),
            idempotency_key=key(),
        )
        assert (changed.price_id, changed.quantity) == (dear.id, 2)
        driver.provider.advance_clock(timedelta(days=32))
        assert driver.invoice(subscription).total_minor == 100000

    def test_another_interval_starts_after_the_paid_period(self, driver: Driver) -> None:
        subscription = driver.start()
        yearly = driver.plan(interval=BillingInterval.YEARLY)
        driver.provider.update_subscription(
            Ref(id=subscription.id), SubscriptionUpdate(price_id=yearly.id), idempotency_key=key()
        )
        driver.provider.advance_clock(timedelta(days=32))
        found = driver.now(subscription)
        assert found.current_period_start == subscription.current_period_end
        assert found.current_period_end
        assert (found.current_period_end - found.current_period_start).days in (365, 366)
        assert driver.provider.advance_clock(timedelta(days=366)) == 1

    def test_another_currency_is_refused(self, driver: Driver) -> None:
        subscription = driver.start()
        dollars = driver.plan(currency="USD")
        with pytest.raises(InvalidRequest):
            driver.provider.update_subscription(
                Ref(id=subscription.id),
                SubscriptionUpdate(price_id=dollars.id),
                idempotency_key=key(),
            )


class TestCancel:
    def test_now(self, driver: Driver) -> None:
        subscription = driver.start()
        ref = Ref(id=subscription.id)
        ended = driver.provider.cancel_subscription(ref, at_period_end=False, idempotency_key=key())
        assert (ended.status, ended.end_reason) == (Status.CANCELED, EndReason.CUSTOMER)
        assert ended.ended_at == ended.canceled_at == ended.as_of
        again = driver.provider.cancel_subscription(ref, at_period_end=True, idempotency_key=key())
        assert again.ended_at == ended.ended_at
        assert driver.provider.advance_clock(timedelta(days=60)) == 0

    def test_at_period_end(self, driver: Driver) -> None:
        subscription = driver.start()
        planned = driver.provider.cancel_subscription(
            Ref(id=subscription.id), at_period_end=True, idempotency_key=key()
        )
        assert (planned.status, planned.cancel_at_period_end) == (Status.ACTIVE, True)
        assert planned.cancel_at == planned.current_period_end
        driver.provider.advance_clock(timedelta(days=32))
        ended = driver.now(subscription)
        assert (ended.status, ended.ended_at) == (Status.CANCELED, planned.current_period_end)
        assert len(driver.provider.list_invoices(Ref(id=subscription.customer_id))) == 1

    def test_resumed_it_renews(self, driver: Driver) -> None:
        subscription = driver.start()
        ref = Ref(id=subscription.id)
        driver.provider.cancel_subscription(ref, at_period_end=True, idempotency_key=key())
        resumed = driver.provider.resume_subscription(ref, idempotency_key=key())
        assert (resumed.cancel_at, resumed.canceled_at) == (None, None)
        driver.provider.advance_clock(timedelta(days=32))
        assert driver.now(subscription).status is Status.ACTIVE

    def test_an_ended_one_stays_ended(self, driver: Driver) -> None:
        subscription = driver.start()
        ref = Ref(id=subscription.id)
        driver.provider.cancel_subscription(ref, at_period_end=False, idempotency_key=key())
        with pytest.raises(InvalidRequest):
            driver.provider.resume_subscription(ref, idempotency_key=key())
        with pytest.raises(InvalidRequest):
            driver.provider.update_subscription(
                ref, SubscriptionUpdate(quantity=2), idempotency_key=key()
            )

    def test_a_stand_in_may_end_only_at_once(self, make_sandbox: MakeSandbox) -> None:
        driver = Driver(make_sandbox(like={"cancels_at_period_end": False}))
        ref = Ref(id=driver.start().id)
        with pytest.raises(UnsupportedOperation):
            driver.provider.cancel_subscription(ref, at_period_end=True, idempotency_key=key())
        with pytest.raises(UnsupportedOperation):
            driver.provider.update_subscription(
                ref, SubscriptionUpdate(cancel_at_period_end=True), idempotency_key=key()
            )


class TestCustomers:
    def test_deleting_ends_everything(self, driver: Driver) -> None:
        subscription = driver.start()
        customer = Ref(id=subscription.customer_id)
        driver.provider.delete_customer(customer, idempotency_key=key())
        assert driver.now(subscription).status is Status.CANCELED
        assert driver.provider.get_customer(customer).is_deleted
        assert driver.provider.list_payment_methods(customer) == []
        with pytest.raises(ProviderObjectMissing):
            driver.method(customer)

    def test_the_first_method_is_the_default(self, driver: Driver) -> None:
        customer = driver.customer()
        first = driver.method(customer)
        second = driver.method(customer)
        found = driver.provider.get_customer(customer)
        assert found.default_payment_method_id == first.id
        listed = driver.provider.list_payment_methods(customer)
        assert [method.id for method in listed] == [second.id, first.id]

    def test_a_detached_default_leaves_none(self, driver: Driver) -> None:
        subscription = driver.start()
        customer = Ref(id=subscription.customer_id)
        method = Ref(id=str(subscription.payment_method_id))
        gone = driver.provider.delete_payment_method(method, idempotency_key=key())
        assert (gone.is_active, gone.customer_id) == (False, None)
        assert driver.provider.get_customer(customer).default_payment_method_id is None
        assert driver.now(subscription).payment_method_id is None

    def test_a_method_of_another_customer_is_refused(self, driver: Driver) -> None:
        other = driver.method(driver.customer())
        with pytest.raises(InvalidRequest):
            driver.provider.set_default_payment_method(
                driver.customer(), other, idempotency_key=key()
            )


class TestPlans:
    @pytest.mark.parametrize(
        "changes", [{"amount_minor": -1}, {"currency": "mxn"}, {"amount_minor": 1.5}]
    )
    def test_a_wrong_price_is_refused(self, driver: Driver, changes: dict[str, object]) -> None:
        with pytest.raises(InvalidRequest):
            driver.plan(**changes)

    def test_a_stand_in_takes_its_currencies_only(self, make_sandbox: MakeSandbox) -> None:
        driver = Driver(make_sandbox(like={"currencies": ["MXN"]}))
        driver.plan()
        with pytest.raises(InvalidRequest):
            driver.plan(currency="EUR")
