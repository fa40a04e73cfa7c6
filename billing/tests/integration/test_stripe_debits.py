"""Bank debits through our services and the real Stripe backend: days go by before anybody knows."""

import json
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import responses
from django.utils import timezone

from billing.enums import OperationOutcome
from billing.errors import InvalidTransition, OutcomeUnknown
from billing.models import (
    Invoice,
    Operation,
    Organization,
    Payment,
    Price,
    Subscription,
    SubscriptionPlan,
)
from billing.registry import providers
from billing.services import invoices, payment_methods, plans, reconcile, subscriptions, webhooks
from billing.tests.integration.harness import STRIPE_KEY, STRIPE_SECRET
from billing.tests.stripe_account import StripeAccount, charging
from billing.tests.stripe_account.journal import Journal
from billing.tests.stripe_life import sign

pytestmark = pytest.mark.django_db(transaction=True)
DEBITS = ["pm_sepaDebit", "pm_usBankAccount"]
Tell = Callable[[], None]


@pytest.fixture
def account(settings: Any) -> Iterator[StripeAccount]:
    options = {"api_key": STRIPE_KEY, "webhook_secret": STRIPE_SECRET, "max_retries": 0}
    backend = {"BACKEND": "billing.providers.stripe.StripeProvider", "OPTIONS": options}
    settings.BILLING_PROVIDERS = {"stripe": backend | {"MODE": "test"}}
    settings.BILLING_NUDGE_WINDOW_MS = 1
    account = StripeAccount(step=timedelta(seconds=2))
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        account.serve(mock)
        yield account
    providers.reset()


@pytest.fixture
def plan(account: StripeAccount) -> SubscriptionPlan:
    plan = SubscriptionPlan.objects.create(slug="pro", name="Pro")
    price = Price.objects.create(plan=plan, interval="monthly", currency="USD", amount_minor=2999)
    plans.publish(price, "stripe")
    return plan


@pytest.fixture(params=["in order", "backwards", "shuffled"])
def tell(request: Any, account: StripeAccount) -> Tell:
    """Deliver what Stripe has to tell since the last time, and drain."""
    journal = Journal(account)

    def run() -> None:
        events = journal.take()
        if request.param == "backwards":
            events = events[::-1]
        if request.param == "shuffled":
            random.Random(7).shuffle(events)
        for event in events:
            body = json.dumps(event).encode()
            webhooks.receive("stripe", body, {"Stripe-Signature": sign(body, STRIPE_SECRET)})
        webhooks.drain()

    return run


def buy(owner: Organization, plan: SubscriptionPlan, token: str) -> Subscription:
    return subscriptions.create(owner, plan=plan, interval="monthly", token=token)


def states() -> tuple[str, ...]:
    """Of the subscription, of its newest invoice and how that is collected, and of the payment."""
    invoice = Invoice.objects.order_by("period_start").last()
    payment = Payment.objects.get(provider_payment_id=invoice.payment_intent_id)
    row = Subscription.objects.get()
    return (row.status, invoice.status, invoice.payment_state, payment.status)


@pytest.mark.parametrize("token", DEBITS)
def test_until_the_bank_has_paid(
    account: StripeAccount,
    plan: SubscriptionPlan,
    organization_de: Organization,
    tell: Tell,
    token: str,
) -> None:
    row = buy(organization_de, plan, token)
    assert row.status == "active"
    tell()
    assert states() == ("active", "open", "processing", "processing")
    charging.arrive(account, row.provider_subscription_id)
    tell()
    assert states() == ("active", "paid", "paid", "succeeded")


def test_days_later_the_bank_refuses(
    account: StripeAccount, plan: SubscriptionPlan, organization_de: Organization, tell: Tell
) -> None:
    row = buy(organization_de, plan, "pm_sepaDebit")
    tell()
    charging.bounce(account, row.provider_subscription_id)
    tell()
    assert states() == ("past_due", "open", "failed", "failed")
    payment_methods.add(organization_de, token="pm_card_visa", is_default=True)
    tell()
    assert states() == ("active", "paid", "paid", "succeeded")


def test_a_renewal_is_debited(
    account: StripeAccount, plan: SubscriptionPlan, organization_de: Organization, tell: Tell
) -> None:
    row = buy(organization_de, plan, "pm_usBankAccount")
    charging.arrive(account, row.provider_subscription_id)
    charging.renew(account, row.provider_subscription_id)
    tell()
    assert states() == ("active", "open", "processing", "processing")
    charging.bounce(account, row.provider_subscription_id)
    tell()
    assert states() == ("past_due", "open", "failed", "failed")


def test_what_is_under_way_is_not_collected_twice(
    account: StripeAccount, plan: SubscriptionPlan, organization_de: Organization, tell: Tell
) -> None:
    """A new default method collects what is owed, but not what the bank is asked for already."""
    row = buy(organization_de, plan, "pm_sepaDebit")
    tell()
    Subscription.objects.update(status="past_due")
    asked = len(account.calls)
    payment_methods.add(organization_de, token="pm_card_visa", is_default=True)
    assert not [each for each in account.calls[asked:] if each["url"].endswith("/pay")]
    with pytest.raises(InvalidTransition):
        invoices.pay(Invoice.objects.get())
    charging.arrive(account, row.provider_subscription_id)
    tell()
    assert states()[1:] == ("paid", "paid", "succeeded")


class TestIncompleteMeanwhile:
    @pytest.fixture(autouse=True)
    def _not_served(self, account: StripeAccount) -> None:
        account.serves_while_processing = False

    def waits(self, row: Subscription) -> tuple[str, str, str]:
        row.refresh_from_db()
        return (row.status, row.incomplete_reason, row.next_action.get("type", ""))

    def test_the_answer_says_that_the_bank_is_at_work(
        self, account: StripeAccount, plan: SubscriptionPlan, organization_de: Organization
    ) -> None:
        row = buy(organization_de, plan, "pm_sepaDebit")
        assert self.waits(row) == ("incomplete", "processing", "wait")

    def test_so_do_webhooks_and_then_it_is_paid(
        self,
        account: StripeAccount,
        plan: SubscriptionPlan,
        organization_de: Organization,
        tell: Tell,
    ) -> None:
        row = buy(organization_de, plan, "pm_sepaDebit")
        tell()
        assert self.waits(row) == ("incomplete", "processing", "wait")
        assert states() == ("incomplete", "open", "processing", "processing")
        charging.arrive(account, row.provider_subscription_id)
        tell()
        assert self.waits(row) == ("active", "", "")
        assert states() == ("active", "paid", "paid", "succeeded")

    def test_or_it_is_over(
        self,
        account: StripeAccount,
        plan: SubscriptionPlan,
        organization_de: Organization,
        tell: Tell,
    ) -> None:
        row = buy(organization_de, plan, "pm_sepaDebit")
        tell()
        charging.bounce(account, row.provider_subscription_id)
        tell()
        assert self.waits(row) == ("incomplete_expired", "", "")
        assert Invoice.objects.get().status == "void"
        assert buy(organization_de, plan, "pm_card_visa").status == "active"

    def test_a_lost_answer_is_settled_with_the_reason(
        self, account: StripeAccount, plan: SubscriptionPlan, organization_de: Organization
    ) -> None:
        account.lose_next("POST", "invoices/*/pay")
        with pytest.raises(OutcomeUnknown):
            buy(organization_de, plan, "pm_sepaDebit")
        row = Subscription.objects.get()
        Operation.objects.update(created_at=timezone.now() - timedelta(hours=30))
        reconcile.reconcile_unknown()
        operation = Operation.objects.get(verb=subscriptions.CREATE)
        assert operation.outcome == OperationOutcome.DONE
        assert self.waits(row) == ("incomplete", "processing", "wait")
