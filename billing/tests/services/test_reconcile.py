"""Writes that a crash or a lost answer left open, settled by what the provider holds."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing.enums import OperationOutcome, PaymentState
from billing.errors import OutcomeUnknown, ProviderUnavailable, RequestInProgress
from billing.models import (
    Customer,
    Invoice,
    Operation,
    Payment,
    PaymentMethod,
    ProviderPrice,
    Subscription,
)
from billing.providers.base import (
    ManagesSubscriptions,
    ReadsInvoices,
    ReadsPaymentMethods,
    ReadsPlans,
    ReadsSubscriptions,
    Simulates,
)
from billing.providers.sandbox import SandboxProvider
from billing.registry import providers
from billing.services import (
    customers,
    invoices,
    operations,
    payment_methods,
    reconcile,
    subscriptions,
)
from billing.services import plans as plan_service

pytestmark = pytest.mark.django_db(transaction=True)

LOST_AFTER = {"timeout_after_success": 1}
AWAY = {"answer_500": 1}


def set_faults(alias: str, **faults: int) -> None:
    providers.get(alias, Simulates).set_faults(**faults)


def lose(operation: Callable[[], Any], alias: str = "stripe", **fault: int) -> Operation:
    """Run a write whose answer is lost; return what it left, long enough ago."""
    set_faults(alias, **(fault or LOST_AFTER))
    with pytest.raises((OutcomeUnknown, ProviderUnavailable)):
        operation()
    left = Operation.objects.latest("created_at")
    assert left.outcome != OperationOutcome.DONE
    age(left, timedelta(minutes=3))
    return left


def lose_creation(organization: Any, plan: Any, **fault: int) -> Operation:
    method = payment_methods.add(organization, token="tok_visa")
    return lose(lambda: buy(organization, plan, method), method.provider, **fault)


def buy(organization: Any, plan: Any, method: PaymentMethod | None = None, **options: Any) -> Any:
    method = method or payment_methods.add(organization, token="tok_visa")
    return subscriptions.create(
        organization, plan=plan, interval="monthly", payment_method=method, **options
    )


def age(operation: Operation, by: timedelta) -> None:
    Operation.objects.filter(pk=operation.pk).update(created_at=timezone.now() - by)


def leave_pending(operation: Operation) -> None:
    """As a process leaves it that was killed before it could record anything."""
    Operation.objects.filter(pk=operation.pk).update(outcome=OperationOutcome.PENDING)


def outcome(operation: Operation) -> str:
    operation.refresh_from_db()
    return operation.outcome


def at_provider(subscription: Subscription) -> Any:
    reader = providers.get(subscription.provider, ReadsSubscriptions)
    return reader.get_subscription(subscription.ref)


def ids_of_subscriptions(alias: str) -> set[str]:
    with providers.get(alias, Simulates)._store.read() as session:
        return {record.id for record in session.of_kind("subscription")}


class TestCreations:
    def test_a_lost_answer_is_asked_for_again(self, organization_de, published):
        operation = lose_creation(organization_de, published["startup"])
        assert reconcile.reconcile_unknown() == 1
        assert outcome(operation) == OperationOutcome.DONE
        row = Subscription.objects.get()
        assert (row.status, row.incomplete_reason) == ("active", "")
        assert reconcile.reconcile_unknown() == 0
        assert ids_of_subscriptions("stripe") == {row.provider_subscription_id}

    @pytest.mark.parametrize("hours", [0, 24])
    def test_its_invoice_and_payment_come_with_it(self, organization_de, published, hours):
        """Their webhooks may be lost as the answer was."""
        operation = lose_creation(organization_de, published["startup"])
        age(operation, timedelta(hours=hours, minutes=3))
        reconcile.reconcile_unknown()
        invoice, payment = Invoice.objects.get(), Payment.objects.get()
        assert (invoice.status, payment.status) == ("paid", "succeeded")
        assert invoice.subscription == Subscription.objects.get()
        assert payment.invoice == invoice

    def test_an_invoice_that_cannot_be_read_is_left_to_its_webhook(
        self, organization_de, published, monkeypatch
    ):
        operation = lose_creation(organization_de, published["startup"])

        def away(*_):
            raise ProviderUnavailable("away")

        monkeypatch.setattr(SandboxProvider, "get_invoice", away)
        assert reconcile.reconcile_unknown() == 1
        assert outcome(operation) == OperationOutcome.DONE

    def test_a_process_killed_before_the_call_blocks_nobody(self, organization_de, published):
        """Without a client key nobody else could find the operation again."""
        operation = lose_creation(organization_de, published["startup"])
        leave_pending(operation)
        age(operation, timedelta(0))
        with pytest.raises(RequestInProgress):
            buy(organization_de, published["startup"])
        age(operation, timedelta(minutes=3))
        assert reconcile.reconcile_unknown() == 1
        assert Subscription.objects.get().status == "active"

    def test_a_request_that_may_still_run_is_left_alone(self, organization_de, published):
        operation = lose_creation(organization_de, published["startup"])
        age(operation, timedelta(seconds=10))
        assert reconcile.reconcile_unknown() == 0

    def test_a_repetition_that_does_not_arrive_does_not_undo_the_first(
        self, organization_de, published
    ):
        """The provider was away at the second try: that says nothing about the first."""
        operation = lose_creation(organization_de, published["startup"])
        set_faults("stripe", **AWAY)
        assert reconcile.reconcile_unknown() == 0
        assert outcome(operation) == OperationOutcome.UNKNOWN
        assert Subscription.objects.get().status == "incomplete"
        assert reconcile.reconcile_unknown() == 1
        assert Subscription.objects.get().status == "active"
        assert len(ids_of_subscriptions("stripe")) == 1

    @pytest.mark.parametrize("hours", [24, 24 * 30])
    def test_one_whose_key_is_forgotten_is_looked_for(self, organization_de, published, hours):
        operation = lose_creation(organization_de, published["startup"])
        made = ids_of_subscriptions("stripe")
        age(operation, timedelta(hours=hours))
        assert reconcile.reconcile_unknown() == 1
        assert outcome(operation) == OperationOutcome.DONE
        assert Subscription.objects.get().status == "active"
        assert ids_of_subscriptions("stripe") == made

    def test_without_keys_it_is_looked_for_and_never_repeated(self, organization_mx, published):
        operation = lose_creation(organization_mx, published["startup"])
        made = ids_of_subscriptions("conekta")
        assert reconcile.reconcile_unknown() == 1
        assert outcome(operation) == OperationOutcome.DONE
        row = Subscription.objects.get()
        assert (row.status, row.incomplete_reason) == ("active", "")
        assert ids_of_subscriptions("conekta") == made == {row.provider_subscription_id}

    def test_without_keys_and_without_effect_the_slot_is_free_again(
        self, organization_mx, published
    ):
        operation = lose_creation(organization_mx, published["startup"], answer_500=1)
        leave_pending(operation)
        Subscription.objects.update(status="incomplete", ended_at=None)
        assert reconcile.reconcile_unknown() == 1
        assert outcome(operation) == OperationOutcome.FAILED
        assert Subscription.objects.get().status == "incomplete_expired"
        assert ids_of_subscriptions("conekta") == set()
        assert buy(organization_mx, published["startup"]).status == "active"

    def test_without_keys_a_repeated_request_finds_what_was_made(self, organization_mx, published):
        method = payment_methods.add(organization_mx, token="tok_visa")

        def ask() -> Any:
            return buy(organization_mx, published["startup"], method, request_key="k-1")

        lose(ask, "conekta")
        assert ask().status == "active"
        assert len(ids_of_subscriptions("conekta")) == 1

    def test_without_keys_a_repetition_at_once_waits(self, organization_mx, published):
        """What is not seen yet may still come: only after the lease is it known to be absent."""
        method = payment_methods.add(organization_mx, token="tok_visa")

        def ask() -> Any:
            return buy(organization_mx, published["startup"], method, request_key="k-1")

        operation = lose(ask, "conekta", **AWAY)
        leave_pending(operation)
        Subscription.objects.update(status="incomplete", ended_at=None)
        age(operation, timedelta(0))
        with pytest.raises(RequestInProgress):
            ask()
        age(operation, timedelta(minutes=3))
        assert ask().status == "active"
        assert len(ids_of_subscriptions("conekta")) == 1

    def test_what_a_webhook_told_is_settled_without_a_call(
        self, organization_de, published, deliver
    ):
        operation = lose_creation(organization_de, published["startup"])
        deliver("stripe")
        set_faults("stripe", answer_500=5)
        assert reconcile.reconcile_unknown() == 1
        assert outcome(operation) == OperationOutcome.DONE

    @pytest.mark.parametrize("alias", ["stripe", "conekta"])
    def test_a_customer(self, organization_mx, sandbox, alias):
        operation = lose(lambda: customers.ensure(organization_mx, alias), alias)
        assert reconcile.reconcile_unknown() == 1
        assert outcome(operation) == OperationOutcome.DONE
        made = Customer.objects.get().provider_customer_id
        assert operation.remote_id == made
        assert customers.ensure(organization_mx, alias).provider_customer_id == made

    @pytest.mark.parametrize("alias", ["stripe", "conekta"])
    def test_a_price(self, plans, alias):
        price = price_of(plans["startup"])
        operation = lose(lambda: publish(price, alias), alias)
        assert reconcile.reconcile_unknown() == 1
        assert outcome(operation) == OperationOutcome.DONE
        (listed,) = providers.get(alias, ReadsPlans).list_plans()
        assert ProviderPrice.objects.get(provider=alias).provider_price_id == listed.id

    def test_a_price_that_was_never_made_is_published_by_the_next_push(self, plans):
        price = price_of(plans["startup"])
        operation = lose(lambda: publish(price, "conekta"), "conekta", **AWAY)
        leave_pending(operation)
        assert reconcile.reconcile_unknown() == 1
        assert outcome(operation) == OperationOutcome.FAILED
        assert publish(price, "conekta").is_active


def price_of(plan: Any) -> Any:
    return plan.prices.get(currency="MXN", interval="monthly")


def publish(price: Any, alias: str) -> ProviderPrice:
    return plan_service.publish(price, alias)


@pytest.fixture
def running(organization_de, published):
    return buy(organization_de, published["startup"])


@pytest.fixture
def business(published):
    return published["business"]


COMMANDS: dict[str, Callable[[Subscription], Any]] = {
    "change": lambda row: subscriptions.change(row, quantity=4),
    "cancel": lambda row: subscriptions.cancel(row, at_period_end=False),
    "cancel_at_period_end": lambda row: subscriptions.cancel(row),
    "resume": lambda row: subscriptions.resume(row),
    "pause": lambda row: subscriptions.pause(row),
    "unpause": lambda row: subscriptions.unpause(row),
}
BEFORE = {"resume": subscriptions.cancel, "unpause": subscriptions.pause}


def state_of(row: Any) -> tuple[Any, ...]:
    return (row.quantity, str(row.status), row.cancel_at_period_end)


class TestCommands:
    @pytest.fixture(params=list(COMMANDS))
    def command(self, request, running):
        BEFORE.get(request.param, subscriptions.reload)(running)
        return lambda: COMMANDS[request.param](subscriptions.reload(running))

    def test_an_effect_that_is_there_is_recorded(self, running, command):
        before = state_of(subscriptions.reload(running))
        operation = lose(command)
        assert state_of(subscriptions.reload(running)) == before
        assert reconcile.reconcile_unknown() == 1
        assert outcome(operation) == OperationOutcome.DONE
        assert state_of(subscriptions.reload(running)) == state_of(at_provider(running)) != before
        assert operation.remote_id == running.provider_subscription_id

    def test_one_that_never_arrived_has_failed_and_may_be_asked_for_again(self, running, command):
        before = state_of(subscriptions.reload(running))
        operation = lose(command, **AWAY)
        leave_pending(operation)
        assert reconcile.reconcile_unknown() == 1
        assert outcome(operation) == OperationOutcome.FAILED
        assert state_of(at_provider(running)) == before
        command()
        assert state_of(at_provider(running)) == state_of(subscriptions.reload(running)) != before

    def test_a_change_of_price_is_told_from_one_of_quantity(self, running, business):
        operation = lose(lambda: subscriptions.change(running, plan=business, quantity=2), **AWAY)
        leave_pending(operation)
        wanted = operation.request
        assert wanted["quantity"] == 2
        assert wanted["price_id"] != running.provider_price_id
        providers.get("stripe", ManagesSubscriptions).update_subscription(
            running.ref, subscriptions.SubscriptionUpdate(quantity=2), idempotency_key="other"
        )
        assert reconcile.reconcile_unknown() == 1
        assert outcome(operation) == OperationOutcome.FAILED

    def test_where_no_keys_are_kept_a_lost_cancel_is_not_sent_twice(
        self, organization_mx, published
    ):
        row = buy(organization_mx, published["startup"])

        def ask() -> Any:
            return subscriptions.cancel(row, at_period_end=False, request_key="k-1")

        operation = lose(ask, "conekta")
        age(operation, timedelta(0))
        assert ask().status == "canceled"
        assert outcome(operation) == OperationOutcome.DONE


class TestMethods:
    @pytest.fixture(params=["organization_de", "organization_mx"])
    def organization(self, request, sandbox):
        return request.getfixturevalue(request.param)

    def remote(self, method: PaymentMethod) -> list[str]:
        reader = providers.get(method.provider, ReadsPaymentMethods)
        return [each.id for each in reader.list_payment_methods(method.customer.ref)]

    def test_an_added_one(self, organization):
        first = payment_methods.add(organization, token="tok_visa")
        operation = lose(
            lambda: payment_methods.add(organization, token="tok_mastercard"), first.provider
        )
        assert reconcile.reconcile_unknown() == 1
        assert outcome(operation) == OperationOutcome.DONE
        rows = PaymentMethod.objects.order_by("created_at")
        assert [row.provider_payment_method_id for row in rows] == [
            first.provider_payment_method_id,
            operation.remote_id,
        ]
        assert sorted(self.remote(first)) == sorted(row.provider_payment_method_id for row in rows)

    def test_a_repeated_request_adds_it_once(self, organization):
        first = payment_methods.add(organization, token="tok_visa")

        def ask() -> Any:
            return payment_methods.add(organization, token="tok_mastercard", request_key="k-1")

        age(lose(ask, first.provider), timedelta(0))
        assert ask().last4 == "4444"
        assert len(self.remote(first)) == PaymentMethod.objects.count() == 2

    def test_two_lost_ones_are_two(self, organization):
        first = payment_methods.add(organization, token="tok_visa")
        lost = [
            lose(lambda: payment_methods.add(organization, token="tok_visa"), first.provider)
            for _ in range(2)
        ]
        assert reconcile.reconcile_unknown() == 2
        assert [outcome(each) for each in lost] == [OperationOutcome.DONE] * 2
        found = {each.remote_id for each in lost} | {first.provider_payment_method_id}
        assert found == set(self.remote(first))
        assert len(found) == PaymentMethod.objects.count() == 3

    def test_one_that_was_never_added(self, organization):
        first = payment_methods.add(organization, token="tok_visa")
        operation = lose(
            lambda: payment_methods.add(organization, token="tok_visa"), first.provider, **AWAY
        )
        leave_pending(operation)
        assert reconcile.reconcile_unknown() == 1
        assert outcome(operation) == OperationOutcome.FAILED
        assert len(self.remote(first)) == PaymentMethod.objects.count() == 1

    def test_a_removed_one(self, organization):
        method = payment_methods.add(organization, token="tok_visa")
        operation = lose(lambda: payment_methods.remove(method), method.provider)
        assert reconcile.reconcile_unknown() == 1
        assert outcome(operation) == OperationOutcome.DONE
        assert not PaymentMethod.objects.get().is_active
        assert self.remote(method) == []

    def test_one_that_is_still_there(self, organization):
        method = payment_methods.add(organization, token="tok_visa")
        operation = lose(lambda: payment_methods.remove(method), method.provider, **AWAY)
        leave_pending(operation)
        assert reconcile.reconcile_unknown() == 1
        assert outcome(operation) == OperationOutcome.FAILED
        assert PaymentMethod.objects.get().is_active

    @pytest.mark.parametrize(
        ("fault", "expected"), [(LOST_AFTER, OperationOutcome.DONE), (AWAY, "failed")]
    )
    def test_the_default(self, organization, fault, expected):
        payment_methods.add(organization, token="tok_visa")
        second = payment_methods.add(organization, token="tok_mastercard")
        operation = lose(lambda: payment_methods.set_default(second), second.provider, **fault)
        leave_pending(operation)
        assert reconcile.reconcile_unknown() == 1
        assert outcome(operation) == expected
        second.refresh_from_db()
        assert second.is_default == (expected == OperationOutcome.DONE)


class TestInvoices:
    @pytest.fixture
    def owed(self, organization_de, published, deliver):
        """An open invoice of a renewal that was declined, and a good card to pay it with."""
        method = payment_methods.add(organization_de, token="tok_renewal_declined")
        buy(organization_de, published["startup"], method)
        providers.get("stripe", Simulates).advance_clock(timedelta(days=32))
        deliver("stripe")
        payment_methods.set_default(payment_methods.add(organization_de, token="tok_visa"))
        return Invoice.objects.get(status="open")

    def test_a_payment_that_was_made(self, owed):
        operation = lose(lambda: invoices.pay(owed))
        assert Invoice.objects.get(pk=owed.pk).status == "open"
        assert reconcile.reconcile_unknown() == 1
        assert outcome(operation) == OperationOutcome.DONE
        assert Invoice.objects.get(pk=owed.pk).status == "paid"

    def test_one_that_was_not(self, owed):
        operation = lose(lambda: invoices.pay(owed), **AWAY)
        leave_pending(operation)
        assert reconcile.reconcile_unknown() == 1
        assert outcome(operation) == OperationOutcome.FAILED
        assert invoices.pay(Invoice.objects.get(pk=owed.pk)).status == "paid"

    def test_one_that_is_under_way_stays_open(self, owed, monkeypatch):
        operation = lose(lambda: invoices.pay(owed), **AWAY)
        leave_pending(operation)
        data = providers.get("stripe", ReadsInvoices).get_invoice(owed.ref)
        under_way = replace(data, payment_state=PaymentState.PROCESSING)
        monkeypatch.setattr(SandboxProvider, "get_invoice", lambda self, invoice: under_way)
        assert reconcile.reconcile_unknown() == 0
        assert outcome(operation) == OperationOutcome.PENDING


class TestTheRun:
    def test_what_cannot_be_settled_now_waits_behind_the_others(
        self, organization_de, published, monkeypatch
    ):
        monkeypatch.setattr(reconcile, "BATCH_SIZE", 1)
        stuck = lose_creation(organization_de, published["startup"])
        other = lose(lambda: customers.ensure(organization_de, "conekta"), "conekta")
        Operation.objects.filter(pk=stuck.pk).update(updated_at=timezone.now() - timedelta(hours=1))
        set_faults("stripe", answer_500=1)
        assert [reconcile.reconcile_unknown() for _ in range(3)] == [0, 1, 1]
        assert outcome(other) == OperationOutcome.DONE
        assert outcome(stuck) == OperationOutcome.DONE

    def test_every_verb_that_is_written_can_be_settled(self):
        """A new verb without a way to look it up would stay open for ever."""
        from billing.services import effects

        assert set(reconcile._CREATIONS) <= set(effects._OBSERVERS)
        assert {f"subscription.{name}" for name in COMMANDS} <= set(effects._OBSERVERS)

    def test_a_look_that_finds_nothing_leaves_a_young_one_open(self, running):
        operation = lose(lambda: subscriptions.cancel(running), **AWAY)
        Operation.objects.filter(pk=operation.pk).update(outcome=OperationOutcome.UNKNOWN)
        age(operation, timedelta(0))
        operation.refresh_from_db()
        with pytest.raises(OutcomeUnknown):
            operations.look_up(operation)
        assert outcome(operation) == OperationOutcome.UNKNOWN
