"""Every field of the first design is readable under its name, on saved rows."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction

from billing.models import (
    Invoice,
    PaymentMethod,
    Price,
    ProviderPrice,
    Subscription,
    SubscriptionPlan,
    WebhookEvent,
)
from billing.services import subscriptions

pytestmark = pytest.mark.django_db(transaction=True)

FIELDS = {
    SubscriptionPlan: (
        "id name description provider_plan_ids price_monthly price_yearly currency_usd "
        "currency_mxn features limits is_active is_popular sort_order"
    ),
    Subscription: (
        "id organization_id plan_id provider provider_subscription_id provider_customer_id status "
        "billing_interval current_period_start current_period_end trial_start trial_end "
        "cancel_at_period_end cancel_at canceled_at usage_data metadata"
    ),
    PaymentMethod: (
        "id organization_id user_id provider provider_payment_method_id provider_customer_id type "
        "last4 brand exp_month exp_year billing_address is_default is_active"
    ),
    Invoice: (
        "id organization_id subscription_id provider provider_invoice_id amount currency status "
        "payment_intent_id payment_method_id period_start period_end invoice_pdf_url "
        "hosted_invoice_url due_date paid_at line_items"
    ),
    WebhookEvent: (
        "id provider provider_event_id event_type processed processed_at error_message payload"
    ),
}
MAY_BE_NONE = {"trial_start", "trial_end", "cancel_at", "canceled_at", "due_date"}


@pytest.fixture
def life(organization_mx, published, deliver, member_of):
    """One subscription that was paid, with everything its webhooks brought."""
    subscription = subscriptions.create(
        organization_mx,
        plan=published["startup"],
        interval="monthly",
        token="tok_visa",
        billing_address={"country": "MX", "postal_code": "06700"},
        user=member_of(organization_mx),
    )
    deliver("conekta")
    return Subscription.objects.get(pk=subscription.pk)


@pytest.mark.parametrize("model", list(FIELDS), ids=lambda model: model.__name__)
def test_fields_are_readable_on_saved_rows(model, life):
    row = model.objects.order_by("created_at").first()
    for name in FIELDS[model].split():
        value = getattr(row, name)
        assert value is not None or name in MAY_BE_NONE, name


def test_values_mean_what_the_first_design_says(life, published):
    plan = published["startup"]
    assert (plan.price_monthly, plan.price_yearly) == (Decimal("29.99"), Decimal("299.90"))
    assert (plan.currency_usd, plan.currency_mxn) == ("USD", "MXN")
    assert plan.provider_plan_ids == {
        row.provider: row.provider_price_id
        for row in ProviderPrice.objects.filter(
            price__plan=plan, price__interval="monthly", price__currency="USD"
        )
    }
    assert isinstance(life.id, UUID)
    assert isinstance(life.current_period_end, datetime)
    assert life.current_period_end.tzinfo is not None
    invoice = Invoice.objects.get()
    assert invoice.amount == Decimal("549.00")
    assert invoice.payment_method_id == life.payment_method_id
    assert invoice.line_items[0].keys() >= {"description", "amount", "quantity"}
    method = PaymentMethod.objects.get()
    assert (method.last4, method.is_default) == ("4242", True)
    assert method.billing_address["country"] == "MX"
    event = WebhookEvent.objects.get(event_type="invoice.paid")
    assert event.processed is True
    assert event.payload["type"] == "invoice.paid"


def test_a_plan_sold_only_in_pesos_shows_pesos(db):
    plan = SubscriptionPlan.objects.create(slug="local", name="Local")
    Price.objects.create(plan=plan, interval="monthly", currency="MXN", amount_minor=54900)
    assert plan.price_monthly == Decimal("549.00")
    assert plan.price_yearly is None
    assert (plan.currency_usd, plan.currency_mxn) == ("", "MXN")


@pytest.mark.parametrize("change", [{"amount_minor": 1}, {"currency": "EUR"}])
def test_a_published_price_is_frozen_whoever_writes(published, change):
    price = published["startup"].prices.first()
    with pytest.raises(IntegrityError), transaction.atomic():
        Price.objects.filter(pk=price.pk).update(**change)


def test_an_unpublished_price_may_still_change(plans):
    price = plans["startup"].prices.first()
    assert Price.objects.filter(pk=price.pk).update(amount_minor=1) == 1


def test_an_ended_status_needs_its_end(life):
    with pytest.raises(IntegrityError), transaction.atomic():
        Subscription.objects.filter(pk=life.pk).update(status="canceled")


def test_one_live_subscription_per_slot(life):
    twin = Subscription.objects.get(pk=life.pk)
    twin.pk = None
    twin.id = UUID(int=1)
    twin.provider_subscription_id = "another"
    twin._state.adding = True
    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save()
