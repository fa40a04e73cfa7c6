"""Rows of every model, and staff with chosen permissions."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from billing import models

HOSTILE = "<script>alert(1)</script>"
BODY = '{"id": "evt", "type": "thing.changed", "name": "a\\u0000b <script>alert(1)</script>"}'


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def rows(db: Any, sandbox: Any) -> Callable[[int], dict[type, Any]]:
    """Return rows(number) -> one filled row per model, all of one organization."""
    return make_rows


@pytest.fixture
def staff_with(db: Any) -> Callable[..., Client]:
    """Return client(*permissions) of a member of staff who has only these."""

    def make(*codenames: str) -> Client:
        user = get_user_model().objects.create_user(
            username=uuid.uuid4().hex, password="not-a-secret", is_staff=True
        )
        found = Permission.objects.filter(content_type__app_label="billing", codename__in=codenames)
        assert found.count() == len(codenames)
        user.user_permissions.set(found)
        client = Client()
        client.force_login(user)
        return client

    return make


def make_rows(number: int = 1) -> dict[type, Any]:
    made: dict[type, Any] = {}

    def add(model: type, **fields: Any) -> Any:
        made[model] = model.objects.create(**fields)  # type: ignore[attr-defined]
        return made[model]

    alias, now = "stripe", timezone.now()
    at = {"provider": alias, "mode": "sandbox"}
    owned = {**at, "provider_data": {"note": HOSTILE}, "provider_version": now}
    organization = add(models.Organization, name=f"Organization {number} {HOSTILE}")
    ours = {"organization": organization}
    user = get_user_model().objects.create_user(username=f"user-{number}")
    add(models.Membership, **ours, user=user, role="owner")
    add(models.BillingAccount, **ours, name="Name", email=f"a{number}@example.test", country="MX")
    plan = add(
        models.SubscriptionPlan,
        slug=f"plan-{number}",
        name=f"Plan {number}",
        features=["SSO", "Audit logs"],
        limits={"users": 5, "seats": None},
        sort_order=number,
    )
    price = add(
        models.Price,
        plan=plan,
        interval="monthly",
        currency="USD",
        amount_minor=2999,
        published_amount_minor=2999,
        published_currency="USD",
        published_at=now,
    )
    add(models.ProviderPrice, **owned, price=price, provider_price_id=f"price_{number}")
    product = add(models.Product, slug=f"product-{number}", name=HOSTILE[:100])
    product_price = add(models.ProductPrice, product=product, currency="USD", amount_minor=2999)
    add(
        models.ProviderProductPrice,
        **owned,
        price=product_price,
        provider_price_id=f"product_{number}",
    )
    customer = add(
        models.Customer,
        **owned,
        **ours,
        provider_customer_id=f"cus_{number}",
        name=HOSTILE,
        email=f"a{number}@example.test",
        default_payment_method_id=f"pm_{number}",
    )
    method = add(
        models.PaymentMethod,
        **owned,
        **ours,
        customer=customer,
        user=user,
        provider_payment_method_id=f"pm_{number}",
        type="card",
        brand="visa",
        last4="4242",
        exp_month=4,
        exp_year=2031,
        billing_address={"country": "MX"},
    )
    add(
        models.SetupSession,
        **at,
        **ours,
        customer=customer,
        provider_setup_session_id=f"setup_{number}",
    )
    rule_set = add(
        models.RuleSet,
        version=number,
        rules=[{"provider": alias}],
        state="active" if number == 1 else "retired",
    )
    decision = add(
        models.RoutingDecision,
        **ours,
        rule_set=rule_set,
        transaction_type="subscription",
        provider=alias,
        currency="USD",
        evidence=[
            {"tier": "ip", "source": "header", "country": "MX", "network": "187.189.120.0/24"}
        ],
        answers=[
            {
                "provider": alias,
                "result": "matched",
                "code": "conditions_met",
                "values": {},
                "currency": "USD",
            }
        ],
        rule_index=0,
    )
    subscription = add(
        models.Subscription,
        **owned,
        **ours,
        customer=customer,
        plan=plan,
        price=price,
        payment_method=method,
        decision=decision,
        provider_subscription_id=f"sub_{number}",
        status="active",
        current_period_end=now,
        next_action={"type": "redirect"},
        metadata={"note": HOSTILE},
    )
    invoice = add(
        models.Invoice,
        **owned,
        **ours,
        customer=customer,
        subscription=subscription,
        payment_method=method,
        provider_invoice_id=f"in_{number}",
        number=f"INV-{number}",
        currency="USD",
        total_minor=2999,
        amount_due_minor=2999,
        line_items=[{"description": HOSTILE}],
    )
    payment = add(
        models.Payment,
        **owned,
        **ours,
        customer=customer,
        invoice=invoice,
        payment_method=method,
        provider_payment_id=f"pi_{number}",
        currency="JPY",
        amount_minor=2999,
        decline_code="insufficient_funds",
    )
    add(
        models.Refund,
        **owned,
        **ours,
        payment=payment,
        provider_refund_id=f"re_{number}",
        currency="JPY",
        amount_minor=1500,
        status="failed",
        failure_code=HOSTILE[:60],
    )
    add(
        models.Dispute,
        **owned,
        **ours,
        payment=payment,
        provider_dispute_id=f"dp_{number}",
        currency="JPY",
        amount_minor=2999,
        reason=HOSTILE[:60],
        evidence_due_at=now,
    )
    event = add(
        models.WebhookEvent,
        **at,
        provider_event_id=f"evt_{number}",
        event_type="thing.changed",
        kind="subscription",
        object_id=f"sub_{number}",
        occurred_at=now,
        received_at=now,
        state="dead",
        attempts=8,
        next_attempt_at=now,
        error_message=f"Traceback\n  {HOSTILE}",
        body=BODY,
        headers={"Content-Type": "application/json"},
    )
    add(
        models.StateChange,
        **ours,
        object_type="subscription",
        object_id=subscription.pk,
        provider=alias,
        cause="webhook",
        outcome="applied",
        from_state="incomplete",
        to_state="active",
        event_id=event.pk,
        event_type="thing.changed",
        occurred_at=now,
        detail={"note": HOSTILE},
    )
    add(
        models.Operation,
        **ours,
        verb="subscription.create",
        provider=alias,
        subject_type="subscription",
        subject_id=subscription.pk,
        key=uuid.uuid4().hex,
        outcome="unknown",
    )
    add(
        models.IdempotencyKey,
        **ours,
        key="key",
        fingerprint="f",
        status="done",
        locked_until=now,
        response_body={"secret": "stored-answer"},
    )
    add(
        models.OutboxMessage,
        topic="plans.publish",
        dedupe_key=uuid.uuid4().hex,
        payload={"note": HOSTILE},
        next_attempt_at=now,
        error_message=HOSTILE,
    )
    run = add(models.SyncRun, provider=f"alias{number}", mode="sandbox", counts={"note": HOSTILE})
    add(models.SyncPage, run=run, kind="customers", number=1, remote_ids=[HOSTILE])
    return made
