"""Stripe's events out of what has changed in an account, and how it signs them."""

from collections.abc import Iterator

from billing.tests.accounts.account import JSON
from billing.tests.accounts.journal import EventJournal, Sign
from billing.tests.stripe_life import API_VERSION, published, sign

_STATUSES = {
    ("invoice", "open"): ("invoice.finalized",),
    ("invoice", "paid"): ("invoice.paid", "invoice.payment_succeeded"),
    ("invoice", "void"): ("invoice.voided",),
    ("invoice", "uncollectible"): ("invoice.marked_uncollectible",),
    ("payment_intent", "processing"): ("payment_intent.processing",),
    ("payment_intent", "requires_action"): ("payment_intent.requires_action",),
    ("payment_intent", "succeeded"): ("payment_intent.succeeded",),
    ("payment_intent", "canceled"): ("payment_intent.canceled",),
    ("setup_intent", "requires_action"): ("setup_intent.requires_action",),
    ("setup_intent", "succeeded"): ("setup_intent.succeeded",),
    ("setup_intent", "canceled"): ("setup_intent.canceled",),
    ("invoice_payment", "paid"): ("invoice_payment.paid",),
    ("charge", "succeeded"): ("charge.succeeded",),
    ("charge", "pending"): ("charge.pending",),
    ("charge", "failed"): ("charge.failed",),
    ("refund", "failed"): ("refund.failed",),
    ("dispute", "won"): ("charge.dispute.closed",),
    ("dispute", "lost"): ("charge.dispute.closed",),
    ("checkout.session", "complete"): ("checkout.session.completed",),
    ("checkout.session", "expired"): ("checkout.session.expired",),
}
_ATTEMPTS = {
    ("invoice", "attempt_count"): "invoice.payment_failed",
    ("payment_intent", "last_payment_error"): "payment_intent.payment_failed",
    ("charge", "amount_refunded"): "charge.refunded",
}
_MADE = {
    "customer": "customer.created",
    "subscription": "customer.subscription.created",
    "invoice": "invoice.created",
    "payment_intent": "payment_intent.created",
    "setup_intent": "setup_intent.created",
    "product": "product.created",
    "price": "price.created",
    "coupon": "coupon.created",
    "promotion_code": "promotion_code.created",
    "refund": "refund.created",
    "dispute": "charge.dispute.created",
}
_CHANGED = {
    "customer": "customer.updated",
    "subscription": "customer.subscription.updated",
    "mandate": "mandate.updated",
    "invoice": "invoice.updated",
    "product": "product.updated",
    "price": "price.updated",
    "coupon": "coupon.updated",
    "promotion_code": "promotion_code.updated",
    "refund": "refund.updated",
    "charge": "charge.updated",
    "dispute": "charge.dispute.updated",
}
_ENDED = {
    "customer": "customer.deleted",
    "subscription": "customer.subscription.deleted",
    "product": "product.deleted",
    "coupon": "coupon.deleted",
}


class Journal(EventJournal):
    def _types(self, found: JSON, before: JSON | None) -> Iterator[str]:
        yield from types(found, before)

    def _event(self, event_type: str, found: JSON, before: JSON | None) -> JSON:
        # A deleted object's event still holds it whole.
        whole = before if found.get("deleted") and before else found
        data: JSON = {"object": whole}
        if before and whole is found:
            changed = {name for name in found if found[name] != before.get(name)}
            data["previous_attributes"] = {name: before.get(name) for name in sorted(changed)}
        return published("event") | {
            "id": f"evt_{len(self.events) + 1:05d}x{event_type.replace('.', '_')}",
            "type": event_type,
            "created": int(self._account.now.timestamp()),
            "livemode": False,
            "api_version": API_VERSION,
            "pending_webhooks": 1,
            "data": data,
        }

    def _owner(self, event: JSON) -> str:
        found = event["data"]["object"]
        former = event["data"].get("previous_attributes", {}).get("customer")
        if found["object"] == "customer":
            return str(found["id"])
        linked = (found.get(name) for name in ("invoice", "charge", "payment_intent"))
        parents = [self._account.objects.get(str(each), {}) for each in linked]
        owners = [found.get("customer"), former, *(each.get("customer") for each in parents)]
        return next((each for each in owners if each), "")


def types(found: JSON, before: JSON | None) -> Iterator[str]:
    """Which events Stripe sends of this change of an object."""
    kind = found["object"]
    if kind == "payment_method":
        yield from _of_method(found, before)
    elif _has_ended(found, before):
        yield _ENDED[kind]
    else:
        told = (_CHANGED if before else _MADE).get(kind)
        yield from [told] if told else []
        if _is_new(found, before, "status"):
            yield from _STATUSES.get((kind, found.get("status")), ())
        yield from _of_attempts(found, before)


def _of_method(found: JSON, before: JSON | None) -> Iterator[str]:
    owner, former = found["customer"], before and before["customer"]
    if owner != former:
        yield "payment_method.attached" if owner else "payment_method.detached"
    elif owner:
        yield "payment_method.updated"


def _of_attempts(found: JSON, before: JSON | None) -> Iterator[str]:
    """What went wrong when money was asked for, and what was given back."""
    for (kind, name), event_type in _ATTEMPTS.items():
        # A debit that is only asked for is an attempt too; after a refusal the next try is planned.
        is_asked = kind == "invoice" and not found.get("next_payment_attempt")
        is_told = (
            found["object"] == kind
            and not is_asked
            and found.get(name)
            and _is_new(found, before, name)
        )
        if is_told and found["status"] != "paid":
            yield event_type


def _is_new(found: JSON, before: JSON | None, name: str) -> bool:
    return before is None or found.get(name) != before.get(name)


def _has_ended(found: JSON, before: JSON | None) -> bool:
    is_over = found["object"] == "subscription" and found["status"] == "canceled"
    return bool(found.get("deleted")) or (is_over and _is_new(found, before, "status"))


def signed(secret: str) -> Sign:
    return lambda body: {"Stripe-Signature": sign(body, secret)}
