"""Conekta's events out of what has changed in an account.

One payment is told twice: by its order (`order.paid`) and by its charge (`charge.paid`).
"""

from collections.abc import Iterator

from billing.tests.accounts.account import JSON
from billing.tests.accounts.journal import EventJournal

_MADE = {
    "customer": "customer.created",
    "plan": "plan.created",
    "subscription": "subscription.created",
    "order": "order.created",
    "charge": "charge.created",
}
_CHANGED = {"customer": "customer.updated", "plan": "plan.updated"}
_DELETED = {"customer": "customer.deleted", "plan": "plan.deleted"}
_ORDERS = {
    "paid": "order.paid",
    "expired": "order.expired",
    "canceled": "order.canceled",
    "declined": "order.declined",
    "refunded": "order.refunded",
    "partially_refunded": "order.partially_refunded",
    "charged_back": "order.charged_back",
}
_CHARGES = {
    "paid": "charge.paid",
    "declined": "charge.declined",
    "expired": "charge.expired",
    "canceled": "charge.canceled",
    "refunded": "charge.refunded",
    "partially_refunded": "charge.refunded",
}
_SUBSCRIPTIONS = {"paused": "subscription.paused", "canceled": "subscription.canceled"}


class Journal(EventJournal):
    def _types(self, found: JSON, before: JSON | None) -> Iterator[str]:
        yield from types(found, before)

    def _event(self, event_type: str, found: JSON, before: JSON | None) -> JSON:
        data: JSON = {"object": found, "previous_attributes": {}}
        if before:
            changed = sorted(name for name in found if found[name] != before.get(name))
            data["previous_attributes"] = {name: before.get(name) for name in changed}
        return {
            "id": f"{len(self.events) + 1:024x}",
            "object": "event",
            "type": event_type,
            "created_at": int(self._account.now.timestamp()),
            "livemode": False,
            "webhook_status": "pending",
            "webhook_logs": [],
            "data": data,
        }

    def _owner(self, event: JSON) -> str:
        found = event["data"]["object"]
        if found["object"] == "customer":
            return str(found["id"])
        return str(found.get("customer_id") or found.get("customer_info", {}).get("customer_id"))


def types(found: JSON, before: JSON | None) -> Iterator[str]:
    """Which events Conekta sends of this change of an object."""
    kind = found["object"]
    if before is None and kind in _MADE:
        yield _MADE[kind]
    if kind == "subscription":
        yield from _of_subscription(found, before)
    elif kind == "order":
        yield from _of_order(found, before or {})
    elif kind == "charge":
        yield from _of_charge(found, before or {})
    elif before and kind in _CHANGED and _differs(found, before):
        yield (_DELETED if found.get("deleted") else _CHANGED)[kind]


def _differs(found: JSON, before: JSON) -> bool:
    """A customer holds its subscription, but is not told for it."""
    return any(found[name] != before.get(name) for name in found if name != "subscription")


def _of_subscription(found: JSON, before: JSON | None) -> Iterator[str]:
    former, status = (before or {}).get("status"), found["status"]
    is_asked = found["charge_id"] != (before or {}).get("charge_id")
    if is_asked and status in ("active", "past_due"):
        yield "subscription.paid" if status == "active" else "subscription.payment_failed"
    elif former == "paused" and status == "active":
        yield "subscription.resumed"
    elif former and status != former and status in _SUBSCRIPTIONS:
        yield _SUBSCRIPTIONS[status]
    elif before:
        yield "subscription.updated"


def _of_order(found: JSON, before: JSON) -> Iterator[str]:
    status, paid = found["payment_status"], found["charges"]["total"]
    if status == "pending_payment" and paid != before.get("charges", {}).get("total", 0):
        yield "order.pending_payment"
    elif found["amount_refunded"] != before.get("amount_refunded", 0) or (
        status != before.get("payment_status") and status in _ORDERS
    ):
        yield _ORDERS[status]
    elif before and found["metadata"] != before["metadata"]:
        yield "order.updated"


def _of_charge(found: JSON, before: JSON) -> Iterator[str]:
    is_new = found["status"] != before.get("status")
    is_returned = found["refunds"] != before.get("refunds", found["refunds"])
    if (is_new or is_returned) and found["status"] in _CHARGES:
        yield _CHARGES[found["status"]]
