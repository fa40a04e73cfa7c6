"""What a StripeLife should leave in the database, and what it left: both as plain JSON.

`prepare` and `stored` run where the database is, in the test or in a shell beside the processes.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from billing.models import (
    Customer,
    Dispute,
    Invoice,
    Organization,
    Payment,
    PaymentMethod,
    Price,
    ProviderPrice,
    Refund,
    Subscription,
    SubscriptionPlan,
)
from billing.tests.stripe_life import StripeLife

JSON = dict[str, Any]
_OWES = {"open", "uncollectible"}


def prepare(count: int) -> list[str]:
    """Map the prices that the lives are sold at and reserve `count` customers; return their ids."""
    for slug, amount in (("pro", 2990), ("team", 5990)):
        _sell(slug, amount)
    return [str(_customer(f"Life {number}").pk) for number in range(1, count + 1)]


def _sell(slug: str, amount: int) -> None:
    price = Price.objects.create(
        plan=SubscriptionPlan.objects.create(slug=slug, name=slug.title()),
        interval="monthly",
        currency="USD",
        amount_minor=amount,
        published_currency="USD",
        published_amount_minor=amount,
    )
    ProviderPrice.objects.create(
        price=price, provider="stripe", mode="test", provider_price_id=f"price_{slug}_monthly"
    )


def _customer(name: str) -> Customer:
    owner = Organization.objects.create(name=name)
    return Customer.objects.create(organization=owner, provider="stripe", mode="test")


def told(life: StripeLife) -> JSON:
    """What Stripe's objects say in the end. `None` where a row may or may not have been told."""
    objects = list(life.objects.values())
    kinds = {kind: [each for each in objects if each["object"] == kind] for kind in _KINDS}
    return {
        "customer": _told_customer(kinds["customer"][0]),
        "payment_methods": {each["id"]: _told_method(each) for each in kinds["payment_method"]},
        "subscriptions": {each["id"]: _told_subscription(each) for each in kinds["subscription"]},
        "invoices": {each["id"]: _told_invoice(life, each) for each in kinds["invoice"]},
        "payments": {each["id"]: _told_payment(life, each) for each in kinds["payment_intent"]},
        "refunds": {each["id"]: _told_return(each) for each in kinds["refund"]},
        "disputes": {each["id"]: _told_return(each) for each in kinds["dispute"]},
    }


_KINDS = ("customer", "payment_method", "subscription", "invoice", "payment_intent")
_KINDS += ("refund", "dispute")


def _told_customer(source: JSON) -> JSON:
    if source.get("deleted"):
        return {"id": source["id"], "is_deleted": True}
    settings = source["invoice_settings"]
    default = settings["default_payment_method"]
    return {"id": source["id"], "is_deleted": False, "email": source["email"], "default": default}


def _told_method(source: JSON) -> JSON:
    return {"last4": source["card"]["last4"], "is_active": source["customer"] is not None}


def _told_subscription(source: JSON) -> JSON:
    item = source["items"]["data"][0]
    return {
        "customer": source["customer"],
        "status": source["status"],
        "plan": item["price"]["id"].split("_")[1],
        "period": [item["current_period_start"], item["current_period_end"]],
        "payment_method": source["default_payment_method"],
        "cancel_at_period_end": source["cancel_at_period_end"],
        "canceled_at": source["canceled_at"],
        "ended_at": source["ended_at"],
    }


def _told_invoice(life: StripeLife, source: JSON) -> JSON:
    line = source["lines"]["data"][-1]  # what the period costs comes after what the last one left
    link = _payment_of(life, source["id"])
    state = "failed" if source["attempted"] else "none"
    return {
        "customer": source["customer"],
        "subscription": source["parent"]["subscription_details"]["subscription"],
        "status": source["status"],
        "payment_state": _state_of_paid(life, link) if source["status"] == "paid" else state,
        "amounts": [source["total"], source["amount_remaining"], source["amount_paid"]],
        "gone": _gone(life, link),
        "period": [line["period"]["start"], line["period"]["end"]],
        "paid_at": source["status_transitions"]["paid_at"],
        "next_attempt_at": source["next_payment_attempt"],
        # Payloads do not name the payment: an invoice is linked when it is paid or read.
        "payment": None if source["status"] in _OWES else link,
    }


def _told_payment(life: StripeLife, source: JSON) -> JSON:
    has_failed = source["status"] == "requires_payment_method" and source["last_payment_error"]
    is_paid = source["status"] == "succeeded"
    return {
        "customer": source["customer"],
        "status": "failed" if has_failed else "succeeded" if is_paid else "pending",
        "amount": source["amount"],
        "payment_method": source["payment_method"],
        "decline_code": "insufficient_funds" if has_failed else "",
        "invoice": _invoice_of(life, source["id"]) if is_paid else None,
        "gone": _gone(life, source["id"]),
    }


def _told_return(source: JSON) -> JSON:
    names = ("payment_intent", "status", "amount", "reason")
    return {name: source[name] for name in names}


def _gone(life: StripeLife, payment_id: str) -> list[int]:
    """What refunds and disputes have taken of a payment."""
    returned = {
        kind: [
            each
            for (name, _), each in life.objects.items()
            if name == kind and each["payment_intent"] == payment_id
        ]
        for kind in ("refund", "dispute")
    }
    refunded = [each["amount"] for each in returned["refund"] if each["status"] == "succeeded"]
    lost = [each["amount"] for each in returned["dispute"] if each["status"] != "won"]
    return [sum(refunded), sum(lost)]


def _state_of_paid(life: StripeLife, payment_id: str) -> str:
    refunded, charged_back = _gone(life, payment_id)
    if charged_back:
        return "charged_back"
    amount = life.objects["payment_intent", payment_id]["amount"]
    return {0: "paid", amount: "refunded"}.get(refunded, "partially_refunded")


def _payment_of(life: StripeLife, invoice_id: str) -> str:
    (link,) = [each for each in _links(life) if each["invoice"] == invoice_id]
    return str(link["payment"]["payment_intent"])


def _invoice_of(life: StripeLife, payment_id: str) -> str:
    (link,) = [each for each in _links(life) if each["payment"]["payment_intent"] == payment_id]
    return str(link["invoice"])


def _links(life: StripeLife) -> list[JSON]:
    return [each for (kind, _), each in life.objects.items() if kind == "invoice_payment"]


def stored(remote_ids: Sequence[str]) -> list[JSON]:
    """The rows of each customer, in the shape of `told`."""
    return [_stored(Customer.objects.get(provider_customer_id=each)) for each in remote_ids]


def _stored(customer: Customer) -> JSON:
    own = {"customer": customer}
    return {
        "customer": _stored_customer(customer),
        "payment_methods": {
            row.provider_payment_method_id: {"last4": row.last4, "is_active": row.is_active}
            for row in PaymentMethod.objects.filter(**own)
        },
        "subscriptions": {
            str(row.provider_subscription_id): _stored_subscription(row)
            for row in Subscription.objects.filter(**own)
        },
        "invoices": {
            row.provider_invoice_id: _stored_invoice(row) for row in Invoice.objects.filter(**own)
        },
        "payments": {
            row.provider_payment_id: _stored_payment(row) for row in Payment.objects.filter(**own)
        },
        "refunds": {
            str(row.provider_refund_id): _stored_return(row)
            for row in Refund.objects.filter(payment__customer=customer)
        },
        "disputes": {
            row.provider_dispute_id: _stored_return(row)
            for row in Dispute.objects.filter(payment__customer=customer)
        },
    }


def _stored_customer(row: Customer) -> JSON:
    if row.deleted_at:
        return {"id": row.provider_customer_id, "is_deleted": True}
    default = row.default_payment_method_id
    return {
        "id": row.provider_customer_id,
        "is_deleted": False,
        "email": row.email,
        "default": default,
    }


def _stored_subscription(row: Subscription) -> JSON:
    return {
        "customer": row.customer.provider_customer_id,
        "status": row.status,
        "plan": row.plan.slug if row.plan else None,
        "period": [_seconds(row.current_period_start), _seconds(row.current_period_end)],
        "payment_method": _method(row),
        "cancel_at_period_end": row.cancel_at_period_end,
        "canceled_at": _seconds(row.canceled_at),
        "ended_at": _seconds(row.ended_at),
    }


def _stored_invoice(row: Invoice) -> JSON:
    subscription = row.subscription
    return {
        "customer": row.customer.provider_customer_id,
        "subscription": subscription.provider_subscription_id if subscription else None,
        "status": row.status,
        "payment_state": row.payment_state,
        "amounts": [row.total_minor, row.amount_due_minor, row.amount_paid_minor],
        "gone": [row.refunded_minor, row.charged_back_minor],
        "period": [_seconds(row.period_start), _seconds(row.period_end)],
        "paid_at": _seconds(row.paid_at),
        "next_attempt_at": _seconds(row.next_attempt_at),
        "payment": None if row.status in _OWES else row.payment_intent_id,
    }


def _stored_payment(row: Payment) -> JSON:
    is_paid = row.status == "succeeded"
    return {
        "customer": row.customer.provider_customer_id,
        "status": row.status,
        "amount": row.amount_minor,
        "payment_method": _method(row),
        "decline_code": row.decline_code,
        "invoice": row.invoice.provider_invoice_id if is_paid and row.invoice else None,
        "gone": [row.refunded_minor, row.charged_back_minor],
    }


def _stored_return(row: Refund | Dispute) -> JSON:
    return {
        "payment_intent": row.payment.provider_payment_id,
        "status": row.status,
        "amount": row.amount_minor,
        "reason": row.reason,
    }


def _method(row: Subscription | Payment) -> str | None:
    """The id of the linked row, which must be the one that the provider named."""
    linked = row.payment_method.provider_payment_method_id if row.payment_method else ""
    assert linked == row.provider_payment_method_id
    return linked or None


def _seconds(value: datetime | None) -> int | None:
    return int(value.timestamp()) if value else None
