"""The services over Conekta's real backend, which keeps no idempotency keys: whatever answer is
lost, nothing is made twice."""

import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import responses
import time_machine
from django.utils import timezone

from billing.enums import OperationOutcome
from billing.errors import OutcomeUnknown, RequestInProgress
from billing.models import (
    Customer,
    Operation,
    PaymentMethod,
    ProviderPrice,
    StateChange,
    Subscription,
    WebhookEvent,
)
from billing.registry import providers
from billing.services import (
    customers,
    payment_methods,
    planned_ends,
    reconcile,
    subscriptions,
    webhooks,
)
from billing.services import plans as plan_service
from billing.tests.accounts.faults import Fault
from billing.tests.conekta_account import ConektaAccount
from billing.tests.conekta_account.journal import Journal
from billing.tests.conekta_account.signing import public_key, signed

pytestmark = pytest.mark.django_db(transaction=True)
VISA = "tok_test_visa_4242"


@pytest.fixture
def account(settings: Any, sandbox: Any) -> Iterator[ConektaAccount]:
    """Mexico's provider is the real one; the others are stood in for."""
    options = {"api_key": "key_fake", "webhook_public_key": public_key(), "max_retries": 0}
    settings.BILLING_PROVIDERS["conekta"] = {
        "BACKEND": "billing.providers.conekta.ConektaProvider",
        "MODE": "test",
        "OPTIONS": options,
    }
    providers.reset()
    account = ConektaAccount(step=timedelta(seconds=1))
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        account.serve(mock)
        yield account


@pytest.fixture
def journal(account: ConektaAccount) -> Journal:
    return Journal(account)


@pytest.fixture
def startup(account: ConektaAccount, published: Any) -> Any:
    return published["startup"]


def buy(organization: Any, plan: Any, **options: Any) -> Subscription:
    method = PaymentMethod.objects.filter(is_active=True).first()
    return subscriptions.create(
        organization,
        plan=plan,
        interval="monthly",
        payment_method=method or payment_methods.add(organization, token=VISA),
        **options,
    )


def lose(account: ConektaAccount, path: str, write: Callable[[], Any]) -> Operation:
    """Lose the answer of a write after its effect; return what it left."""
    account.lose_next("POST", path)
    with pytest.raises(OutcomeUnknown):
        write()
    return Operation.objects.latest("created_at")


def settle(operation: Operation) -> str:
    """Let the request be long over, and look at what it left."""
    Operation.objects.filter(pk=operation.pk).update(
        created_at=timezone.now() - timedelta(minutes=3)
    )
    reconcile.reconcile_unknown()
    operation.refresh_from_db()
    return operation.outcome


class TestLostAnswers:
    def again(self, write: Callable[[], Any]) -> None:
        """Whoever asks again at once is told to wait, or gets what was made."""
        with contextlib.suppress(OutcomeUnknown, RequestInProgress):
            write()

    def test_a_customer(self, account: ConektaAccount, organization_mx: Any) -> None:
        write = lambda: customers.ensure(organization_mx, "conekta")  # noqa: E731
        operation = lose(account, "customers", write)
        self.again(write)
        assert settle(operation) == OperationOutcome.DONE
        (made,) = account.all("customer")
        assert Customer.objects.get().provider_customer_id == made["id"]
        assert made["custom_reference"] == str(Customer.objects.get().pk)

    def test_a_card(self, account: ConektaAccount, organization_mx: Any) -> None:
        owner = customers.ensure(organization_mx, "conekta").provider_customer_id
        write = lambda: payment_methods.add(  # noqa: E731
            organization_mx, token=VISA, provider="conekta", request_key="one"
        )
        operation = lose(account, f"customers/{owner}/payment_sources", write)
        self.again(write)
        assert settle(operation) == OperationOutcome.DONE
        (made,) = account.all("payment_source")
        assert PaymentMethod.objects.get().provider_payment_method_id == made["id"]

    def test_a_plan(self, account: ConektaAccount, plans: Any) -> None:
        price = plans["startup"].prices.get(currency="MXN", interval="monthly")
        write = lambda: plan_service.publish(price, "conekta")  # noqa: E731
        operation = lose(account, "plans", write)
        self.again(write)
        assert settle(operation) == OperationOutcome.DONE
        (made,) = account.all("plan")
        assert made["id"] == str(price.pk) == ProviderPrice.objects.get().provider_price_id

    def test_a_subscription(
        self, account: ConektaAccount, organization_mx: Any, startup: Any
    ) -> None:
        method = payment_methods.add(organization_mx, token=VISA)
        write = lambda: buy(organization_mx, startup, request_key="one")  # noqa: E731
        operation = lose(account, f"customers/{method.provider_customer_id}/subscriptions", write)
        self.again(write)
        assert settle(operation) == OperationOutcome.DONE
        (made,) = account.all("subscription")
        row = Subscription.objects.get()
        assert (row.provider_subscription_id, row.status) == (made["id"], "active")
        assert write() == row
        assert len(account.all("subscription")) == 1

    def test_one_that_was_there_before_is_not_taken_for_it(
        self, account: ConektaAccount, organization_mx: Any, startup: Any
    ) -> None:
        """Staff sold the same plan in the dashboard; then a creation never arrives."""
        method = payment_methods.add(organization_mx, token=VISA)
        sold = buy(organization_mx, startup)
        Subscription.objects.update(slot=None)
        path = f"customers/{method.provider_customer_id}/subscriptions"
        account.break_next(Fault.DEAF, "POST", path)
        with pytest.raises(OutcomeUnknown):
            buy(organization_mx, startup)
        assert settle(Operation.objects.latest("created_at")) == OperationOutcome.FAILED
        sold.refresh_from_db()
        assert sold.status == "active"
        assert [each.status for each in Subscription.objects.exclude(pk=sold.pk)] == [
            "incomplete_expired"
        ]


def deliver(events: list[dict[str, Any]]) -> None:
    for event in events:
        body = json.dumps(event).encode()
        webhooks.receive("conekta", body, signed()(body))
    webhooks.drain()


class TestWebhooks:
    def test_they_overtake_the_answer(
        self, account: ConektaAccount, journal: Journal, organization_mx: Any, startup: Any
    ) -> None:
        method = payment_methods.add(organization_mx, token=VISA)
        path = f"customers/{method.provider_customer_id}/subscriptions"
        operation = lose(account, path, lambda: buy(organization_mx, startup))
        told = [each for each in journal.take() if each["type"].startswith("subscription.")]
        deliver(told)
        row = Subscription.objects.get()
        assert (row.status, row.plan) == ("active", startup)
        assert settle(operation) == OperationOutcome.DONE

    def test_one_without_a_time_has_its_object_fetched(
        self, account: ConektaAccount, journal: Journal, organization_mx: Any, startup: Any
    ) -> None:
        row = buy(organization_mx, startup)
        account.objects[row.provider_subscription_id or ""]["status"] = "paused"
        event = journal.take()[-1] | {"type": "subscription.paused", "id": "untimed"}
        event["data"] = {"object": account.objects[row.provider_subscription_id or ""]}
        del event["created_at"]
        deliver([event])
        row.refresh_from_db()
        assert row.status == "paused"
        assert WebhookEvent.objects.get(provider_event_id="untimed").state == "processed"

    def test_an_unknown_status_keeps_ours_and_is_told(
        self, account: ConektaAccount, journal: Journal, organization_mx: Any, startup: Any
    ) -> None:
        row = buy(organization_mx, startup)
        told = account.objects[row.provider_subscription_id or ""] | {"status": "brand_new"}
        stamp = int(account.now.timestamp()) + 60
        event = journal.take()[-1] | {"type": "subscription.updated", "id": "unknown"}
        deliver([event | {"created_at": stamp, "data": {"object": told}}])
        row.refresh_from_db()
        assert (row.status, row.provider_status) == ("active", "brand_new")
        assert StateChange.objects.filter(object_id=row.pk, code="unknown_status").count() == 1

    def test_a_pause_and_an_end_in_the_dashboard(
        self, account: ConektaAccount, journal: Journal, organization_mx: Any, startup: Any
    ) -> None:
        row = buy(organization_mx, startup)
        row = subscriptions.unpause(subscriptions.pause(row))
        subscriptions.cancel(row, at_period_end=False)
        told = [each for each in journal.take() if each["type"].startswith("subscription.")]
        assert {"subscription.paused", "subscription.canceled"} <= {each["type"] for each in told}
        deliver(told[::-1])
        row.refresh_from_db()
        assert (row.status, row.end_reason) == ("canceled", "customer")


class TestPlannedEnd:
    """Conekta ends at once only: shortly before the period's end we do it, by one call."""

    @pytest.fixture
    def row(self, account: ConektaAccount, organization_mx: Any, startup: Any) -> Subscription:
        return buy(organization_mx, startup)

    def calls(self, account: ConektaAccount, row: Subscription) -> int:
        path = f"customers/{row.provider_customer_id}/subscriptions"
        return len(account.sent("POST", f"{path}/{row.provider_subscription_id}/cancel"))

    def carry_out(self, row: Subscription, before: timedelta) -> int:
        assert row.current_period_end is not None
        with time_machine.travel(row.current_period_end - before, tick=False):
            return planned_ends.carry_out()

    def test_one_call_at_the_right_moment(self, account: ConektaAccount, row: Subscription) -> None:
        row = subscriptions.cancel(row)
        assert (row.status, row.cancel_at_period_end) == ("active", True)
        assert self.carry_out(row, timedelta(hours=2)) == 0
        assert self.calls(account, row) == 0
        for _ in range(2):
            self.carry_out(row, timedelta(minutes=50))
        row.refresh_from_db()
        assert (row.status, self.calls(account, row)) == ("canceled", 1)

    def test_no_snapshot_of_conektas_undoes_it(
        self, account: ConektaAccount, journal: Journal, row: Subscription
    ) -> None:
        row = subscriptions.cancel(row)
        subscriptions.pause(row)
        deliver([each for each in journal.take() if each["type"].startswith("subscription.")])
        row.refresh_from_db()
        assert (row.status, row.cancel_at_period_end) == ("paused", True)

    def test_none_after_undo(self, account: ConektaAccount, row: Subscription) -> None:
        row = subscriptions.resume(subscriptions.cancel(row))
        assert self.carry_out(row, timedelta(minutes=50)) == 0
        assert self.calls(account, row) == 0
