"""Our services sell through the real Stripe backend, down to what goes over the wire."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import responses

from billing.enums import OperationOutcome, SubscriptionStatus
from billing.errors import OutcomeUnknown, PaymentDeclined
from billing.models import (
    Operation,
    Organization,
    PaymentMethod,
    Price,
    ProviderPrice,
    Subscription,
    SubscriptionPlan,
)
from billing.providers.base import ReadsInvoices
from billing.providers.types import Ref
from billing.registry import providers
from billing.services import (
    customers,
    invoices,
    operations,
    payment_methods,
    plans,
    setup_sessions,
    subscriptions,
    sync,
    webhooks,
)
from billing.tests.accounts.faults import Fault
from billing.tests.integration.harness import STRIPE_KEY, STRIPE_SECRET
from billing.tests.stripe_account import StripeAccount
from billing.tests.stripe_account.journal import Journal
from billing.tests.stripe_life import sign

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(settings: Any) -> Iterator[StripeAccount]:
    options = {"api_key": STRIPE_KEY, "webhook_secret": STRIPE_SECRET, "max_retries": 0}
    backend = {"BACKEND": "billing.providers.stripe.StripeProvider", "OPTIONS": options}
    settings.BILLING_PROVIDERS = {"stripe": backend | {"MODE": "test"}}
    account = StripeAccount()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        account.serve(mock)
        yield account
    providers.reset()


@pytest.fixture
def plan(account: StripeAccount) -> SubscriptionPlan:
    plan = SubscriptionPlan.objects.create(slug="pro", name="Pro")
    for interval, amount in (("monthly", 2999), ("yearly", 29990)):
        price = Price.objects.create(
            plan=plan, interval=interval, currency="USD", amount_minor=amount
        )
        plans.publish(price, "stripe")
    return plan


def subscribe(owner: Organization, plan: SubscriptionPlan, **more: Any) -> Subscription:
    more = {"token": "pm_card_visa"} | more
    return subscriptions.create(owner, plan=plan, interval="monthly", **more)


def remote(account: StripeAccount, kind: str) -> list[dict[str, Any]]:
    return [each for each in account.objects.values() if each["object"] == kind]


def test_prices_of_a_plan_share_a_product(account: StripeAccount, plan: SubscriptionPlan) -> None:
    (product,) = remote(account, "product")
    assert {each["product"] for each in remote(account, "price")} == {product["id"]}
    assert set(ProviderPrice.objects.values_list("provider_product_id", flat=True)) == {
        product["id"]
    }


@pytest.mark.parametrize("behavior", ["inclusive", "exclusive"])
def test_a_price_says_whether_tax_is_in_it(account: StripeAccount, behavior: str) -> None:
    plan = SubscriptionPlan.objects.create(slug="pro", name="Pro")
    price = Price.objects.create(
        plan=plan, interval="monthly", currency="USD", amount_minor=2999, tax_behavior=behavior
    )
    plans.publish(price, "stripe")
    assert [each["tax_behavior"] for each in remote(account, "price")] == [behavior]


@pytest.mark.parametrize(
    ("command", "status"), [("void", "void"), ("mark_uncollectible", "uncollectible")]
)
def test_an_invoice_is_written_off_and_a_lost_answer_looked_up(
    account: StripeAccount,
    plan: SubscriptionPlan,
    organization_de: Organization,
    command: str,
    status: str,
) -> None:
    subscribe(organization_de, plan, token="pm_card_authenticationRequired")
    (found,) = remote(account, "invoice")
    reader = providers.get("stripe", ReadsInvoices)
    invoice = sync.upsert_invoice("stripe", reader.get_invoice(Ref(id=found["id"])))
    account.lose_next("POST", f"invoices/{found['id']}/{command}")
    with pytest.raises(OutcomeUnknown):
        getattr(invoices, command)(invoice)
    operation = Operation.objects.get(verb=f"invoice.{command}")
    assert operation.outcome == OperationOutcome.UNKNOWN
    operations.look_up(operation)
    invoice.refresh_from_db()
    assert (operation.outcome, invoice.status) == (OperationOutcome.DONE, status)
    assert found["status"] == status


def test_a_life(
    account: StripeAccount, plan: SubscriptionPlan, organization_de: Organization
) -> None:
    row = subscribe(organization_de, plan)
    (made,) = remote(account, "subscription")
    assert (row.status, row.provider_subscription_id) == (SubscriptionStatus.ACTIVE, made["id"])
    assert made["metadata"] == {
        "organization_id": str(organization_de.pk),
        "cobro_reference": str(row.pk),
    }
    row = subscriptions.change(row, quantity=3)
    assert row.quantity == made["items"]["data"][0]["quantity"] == 3
    row = subscriptions.change(row, interval="yearly")
    assert row.billing_interval == "yearly"
    row = subscriptions.pause(row)
    assert row.status == SubscriptionStatus.PAUSED
    row = subscriptions.unpause(row)
    row = subscriptions.cancel(row)
    assert (row.status, row.cancel_at_period_end) == (SubscriptionStatus.ACTIVE, True)
    row = subscriptions.resume(row)
    assert not row.cancel_at_period_end
    row = subscriptions.cancel(row, at_period_end=False)
    assert row.status == SubscriptionStatus.CANCELED
    assert set(Operation.objects.values_list("outcome", flat=True)) == {OperationOutcome.DONE}


def test_a_decline_leaves_room_for_another_card(
    account: StripeAccount, plan: SubscriptionPlan, organization_de: Organization
) -> None:
    with pytest.raises(PaymentDeclined) as declined:
        subscribe(organization_de, plan, token="pm_card_chargeCustomerFail")
    assert declined.value.decline_code == "insufficient_funds"
    assert Subscription.objects.get().status == SubscriptionStatus.INCOMPLETE_EXPIRED
    assert subscribe(organization_de, plan).status == SubscriptionStatus.ACTIVE


def test_three_d_secure_leaves_something_to_confirm(
    account: StripeAccount, plan: SubscriptionPlan, organization_de: Organization
) -> None:
    row = subscribe(organization_de, plan, token="pm_card_authenticationRequired")
    assert row.status == SubscriptionStatus.INCOMPLETE
    assert row.next_action["type"] == "use_sdk"


def test_a_lost_answer_is_repeated_with_the_same_key(
    account: StripeAccount, plan: SubscriptionPlan, organization_de: Organization
) -> None:
    account.lose_next("POST", "subscriptions")
    with pytest.raises(OutcomeUnknown):
        subscribe(organization_de, plan, request_key="k1")
    row = subscribe(organization_de, plan, request_key="k1")
    (made,) = remote(account, "subscription")
    assert (row.status, row.provider_subscription_id) == (SubscriptionStatus.ACTIVE, made["id"])
    bodies = account.sent("POST", "subscriptions")
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]


def test_a_new_default_pays_running_subscriptions(
    account: StripeAccount, plan: SubscriptionPlan, organization_de: Organization
) -> None:
    row = subscribe(organization_de, plan)
    method = payment_methods.add(organization_de, token="pm_card_visa", is_default=True)
    assert PaymentMethod.objects.get(pk=method.pk).is_default
    (made,) = remote(account, "subscription")
    assert made["id"] == row.provider_subscription_id
    assert made["default_payment_method"] == method.provider_payment_method_id
    assert customers.ensure(organization_de, "stripe").pk == method.customer_id


@pytest.mark.parametrize(
    ("token", "kind"),
    [("pm_card_authenticationRequired", "card"), ("pm_usBankAccount", "bank_account")],
)
def test_a_method_that_the_customer_sets_up_in_the_browser(
    account: StripeAccount,
    plan: SubscriptionPlan,
    organization_de: Organization,
    token: str,
    kind: str,
) -> None:
    session = setup_sessions.open_session(organization_de, methods=[kind]).session
    (intent,) = remote(account, "setup_intent")
    assert intent["metadata"] == {"cobro_reference": str(session.pk)}
    account.confirm_setup(intent["id"], token)
    state = setup_sessions.read(session)
    assert (state.data.status, state.payment_method) == ("requires_action", None)
    account.finish_setup(intent["id"])
    method = setup_sessions.read(session).payment_method
    assert method is not None
    assert (method.type, method.organization) == (kind, organization_de)


def test_a_failure_that_the_key_remembers_is_settled_by_a_webhook(
    account: StripeAccount, plan: SubscriptionPlan, organization_de: Organization
) -> None:
    """Stripe repeats its own 500 to the same key; only what it made tells the truth."""
    journal = Journal(account)
    account.break_next(Fault.FAIL, "POST", "subscriptions")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            subscribe(organization_de, plan, request_key="k1")
    assert len(set(account.keys("POST/subscriptions"))) == 1
    for event in journal.take():
        body = json.dumps(event).encode()
        webhooks.receive("stripe", body, {"Stripe-Signature": sign(body, STRIPE_SECRET)})
    webhooks.drain()
    row = subscribe(organization_de, plan, request_key="k1")
    (made,) = remote(account, "subscription")
    assert (row.status, row.provider_subscription_id) == (made["status"], made["id"])
    assert set(Operation.objects.values_list("outcome", flat=True)) == {OperationOutcome.DONE}
