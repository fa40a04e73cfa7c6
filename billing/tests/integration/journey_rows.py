"""What the journeys need in the database, and what they leave there; run beside the processes."""

import time
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Max, Model
from rest_framework.authtoken.models import Token

from billing import clock, tasks
from billing.conf import conf
from billing.enums import PaymentMethodType, RefundReason
from billing.errors import OutcomeUnknown
from billing.models import (
    BillingAccount,
    Customer,
    Invoice,
    Membership,
    Operation,
    Organization,
    Payment,
    PaymentMethod,
    Price,
    Refund,
    Subscription,
    SubscriptionPlan,
    WebhookEvent,
)
from billing.models.subscriptions import SubscriptionQuerySet
from billing.providers.base import IssuesVouchers, Simulates
from billing.providers.types import VoucherRequest
from billing.registry import providers
from billing.services import plans, refunds

JSON = dict[str, Any]
PRICES = {"startup": 2999, "business": 4999}
# What differs between two customers that live through the same, and what only counts writes.
_OWN = """id created_at updated_at organization customer subscription invoice payment_method
    decision provider_subscription_id provider_customer_id provider_payment_method_id
    provider_invoice_id provider_payment_id payment_intent_id number metadata sync_seq
    provider_version invoice_pdf_url hosted_invoice_url next_action total_minor subtotal_minor
    amount_minor amount_paid_minor amount_due_minor line_items user fingerprint provider_data
    payment provider_refund_id"""

# Told by a read only: an event of a refund tells the refund.
_READ_ONLY = {("conekta", "payment", "provider_status")}

_KINDS: dict[type[Model], str] = {
    Subscription: "customer",
    Invoice: "customer",
    Payment: "customer",
    PaymentMethod: "customer",
    Refund: "payment__customer",
}


def publish(provider: str, currency: str) -> None:
    """Two plans, sold there."""
    for slug, amount in PRICES.items():
        plan = SubscriptionPlan.objects.create(slug=slug, name=slug.capitalize())
        price = Price.objects.create(
            plan=plan, interval="monthly", currency=currency, amount_minor=amount
        )
        plans.publish(price, provider)


def owners(names: Sequence[str], country: str) -> list[str]:
    """Make an organization per name; return their owners' tokens."""
    return [_owner(name, country) for name in names]


def _owner(name: str, country: str) -> str:
    organization = Organization.objects.create(name=name)
    BillingAccount.objects.create(
        organization=organization,
        name=name,
        email="journey@example.test",
        phone="+491700000000",
        address={"country": country, "line1": "1 Main Street"},
        country=country,
    )
    user = get_user_model().objects.create(username=name)
    Membership.objects.create(user=user, organization=organization, role="owner")
    return str(Token.objects.create(user=user).key)


def refund(customer_id: str, amount_minor: int | None, key: str) -> tuple[int, str]:
    """Send back the customer's only payment, or a part of it, as staff does in the admin."""
    payment = Payment.objects.get(customer__provider_customer_id=customer_id)
    reason = RefundReason.REQUESTED_BY_CUSTOMER
    try:
        made = refunds.create(payment, reason=reason, amount_minor=amount_minor, request_key=key)
    except OutcomeUnknown as exc:
        return 503, exc.code
    return 201, made.status


def issue_voucher(customer_id: str, method: str, expires_at: str) -> str:
    """Sell something at Conekta that is paid by hand, as a host's shop does; return the order."""
    provider = providers.get("conekta", IssuesVouchers)
    request = VoucherRequest(
        reference=str(uuid.uuid4()),
        customer_id=customer_id,
        method=PaymentMethodType(method),
        amount_minor=PRICES["startup"],
        currency="MXN",
        expires_at=datetime.fromisoformat(expires_at),
    )
    return str(provider.create_voucher(request, idempotency_key="").invoice_id)


def let_planned_ends_fall_due() -> None:
    """Move billing time there, and ask the worker twice to carry them out."""
    last = _planned().aggregate(last=Max("cancel_at"))["last"]
    due_for_a_while = last - conf.planned_end_margin / 2
    providers.get("polar", Simulates).advance_clock(due_for_a_while - clock.now())
    for _ in range(2):
        tasks.carry_out_planned_ends.delay()


def planned_ends_left(seconds: float) -> int:
    """How many are not carried out, once there is none or the time is up."""
    ends_at = time.monotonic() + seconds
    while (left := _planned().count()) and time.monotonic() < ends_at:
        time.sleep(0.2)
    return left


def _planned() -> SubscriptionQuerySet:
    return Subscription.objects.live().filter(cancel_at_period_end=True)


def read(ids: Sequence[str]) -> list[JSON]:
    """What stands in the database of each customer: how it ended in words, the provider's facts in
    the shape of `journeys.told`, and every column that customers with one journey have alike."""
    customers = [Customer.objects.get(provider_customer_id=each) for each in ids]
    return [
        {"end": _end(each), "stored": _stored(each), "whole": _whole(each)} for each in customers
    ]


def _end(customer: Customer) -> JSON:
    own = {"customer": customer}
    return {
        "subscriptions": sorted(
            f"{row.status} {row.plan.slug if row.plan else None} x{row.quantity}"
            for row in Subscription.objects.filter(**own)
        ),
        "invoices": sorted(
            f"{row.status}: {row.payment_state}" for row in Invoice.objects.filter(**own)
        ),
        "payments": sorted(
            f"{row.status}, refunded {row.refunded_minor}" if row.refunded_minor else row.status
            for row in Payment.objects.filter(**own)
        ),
        "methods": PaymentMethod.objects.filter(**own, is_active=True).count(),
    }


def _stored(customer: Customer) -> JSON:
    own = {"customer": customer}
    rows = Subscription.objects.filter(**own).exclude(provider_subscription_id=None)
    return {
        "default": customer.default_payment_method_id or None,
        "methods": {
            row.provider_payment_method_id: [row.last4, row.is_active]
            for row in PaymentMethod.objects.filter(**own)
        },
        "subscriptions": {
            str(row.provider_subscription_id): [
                row.status,
                row.provider_price_id,
                row.quantity,
                _seconds(row.current_period_start),
                _seconds(row.current_period_end),
                row.provider_payment_method_id,
                row.cancel_at_period_end,
                _seconds(row.canceled_at),
                _seconds(row.ended_at),
            ]
            for row in rows
        },
        "invoices": {
            row.provider_invoice_id: [
                row.subscription and row.subscription.provider_subscription_id,
                row.status,
                row.total_minor,
                row.amount_due_minor,
                row.amount_paid_minor,
                [line["amount_minor"] for line in row.line_items],
                _seconds(row.period_start),
                _seconds(row.period_end),
                _seconds(row.paid_at),
                _seconds(row.next_attempt_at),
            ]
            for row in Invoice.objects.filter(**own)
        },
        "payments": {
            row.provider_payment_id: [
                # Payloads do not name the payment: it is linked when it is paid, or read.
                row.invoice.provider_invoice_id if row.invoice and row.paid_at else None,
                row.status,
                row.amount_minor,
                row.provider_payment_method_id,
            ]
            for row in Payment.objects.filter(**own)
        },
        "refunds": {
            str(row.provider_refund_id): [
                row.payment.provider_payment_id,
                row.amount_minor,
                row.status,
            ]
            for row in Refund.objects.filter(payment__customer=customer)
        },
    }


def _seconds(value: datetime | None) -> int | None:
    return int(value.timestamp()) if value else None


def _whole(customer: Customer) -> JSON:
    return {
        kind.__name__: sorted(
            (_alike(row) for row in kind._default_manager.filter(**{owner: customer})), key=str
        )
        for kind, owner in _KINDS.items()
    }


def _alike(row: Model) -> JSON:
    """Of times only whether they are set."""
    names = [field.name for field in row._meta.concrete_fields if field.name not in _OWN.split()]
    kind = row._meta.model_name
    values = {
        name: getattr(row, name)
        for name in names
        if (getattr(row, "provider", ""), kind, name) not in _READ_ONLY
    }
    return {
        name: "set" if isinstance(value, datetime) else str(value) for name, value in values.items()
    }


def open_ends() -> JSON:
    """What is not settled: operations, and events that did not come through."""
    return {
        "operations": list(
            Operation.objects.filter(outcome__in=["pending", "unknown"]).values("verb", "outcome")
        ),
        "events": list(
            WebhookEvent.objects.exclude(state__in=["processed", "ignored"]).values(
                "event_type", "state", "outcome", "error_message"
            )
        ),
    }
