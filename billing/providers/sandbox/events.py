"""Every event type that the sandbox sends, what it tells about, and where ids sit in its object."""

from collections.abc import Mapping

from billing.enums import EventKind

API_VERSION = "sandbox-1"

KINDS: dict[str, EventKind] = {
    "customer.created": EventKind.CUSTOMER,
    "customer.updated": EventKind.CUSTOMER,
    "customer.deleted": EventKind.CUSTOMER,
    "payment_method.attached": EventKind.PAYMENT_METHOD,
    "payment_method.updated": EventKind.PAYMENT_METHOD,
    "payment_method.detached": EventKind.PAYMENT_METHOD,
    "subscription.created": EventKind.SUBSCRIPTION,
    "subscription.updated": EventKind.SUBSCRIPTION,
    "subscription.paused": EventKind.SUBSCRIPTION,
    "subscription.canceled": EventKind.SUBSCRIPTION,
    "invoice.created": EventKind.INVOICE,
    "invoice.updated": EventKind.INVOICE,
    "invoice.paid": EventKind.INVOICE,
    "invoice.payment_failed": EventKind.INVOICE,
    "invoice.voided": EventKind.INVOICE,
    "payment.succeeded": EventKind.PAYMENT,
    "payment.failed": EventKind.PAYMENT,
    "payment.requires_action": EventKind.PAYMENT,
    "payment.processing": EventKind.PAYMENT,
    "payment.canceled": EventKind.PAYMENT,
    "refund.created": EventKind.REFUND,
    "refund.updated": EventKind.REFUND,
    "refund.failed": EventKind.REFUND,
    "dispute.created": EventKind.DISPUTE,
    "dispute.updated": EventKind.DISPUTE,
    "dispute.closed": EventKind.DISPUTE,
}
IGNORED: dict[str, str] = {
    "plan.created": "plans are written by us only",
    "plan.updated": "plans are written by us only",
    "plan.archived": "plans are written by us only",
    "checkout.completed": "what it starts arrives as subscription.* and payment.*",
    "checkout.expired": "it has started nothing",
    "ping": "a test of the endpoint",
}
UNKNOWN_TYPE = "unknown event type"

# The fields that name the object that must be known first: the first one filled is the parent.
PARENTS: dict[str, tuple[str, ...]] = {
    "customer": (),
    "payment_method": ("customer",),
    "setup_session": ("customer",),
    "subscription": ("customer",),
    "invoice": ("subscription", "customer"),
    "payment": ("invoice", "customer"),
    "refund": ("payment",),
    "dispute": ("payment",),
    "plan": (),
    "checkout": ("customer",),
    "portal_session": ("customer",),
    "meter": (),
    "usage": ("meter",),
    "webhook_endpoint": (),
}


def ids(kind: str, body: Mapping[str, object]) -> tuple[str, str]:
    """Return the ids of an object's customer and of its parent; '' where it has none.

    A payment method keeps its last customer in `previous_customer` once it is detached.
    """
    customer = str(body.get("customer") or body.get("previous_customer") or "")
    if kind == "customer":
        customer = str(body.get("id") or "")
    named = (str(body.get(name) or "") for name in PARENTS[kind])
    return customer, next(filter(None, named), customer if kind == "payment_method" else "")


def rank(event_type: str) -> int:
    """Return where an event stands among those of one call: parents before children."""
    return list(PARENTS).index(event_type.partition(".")[0])


def merged(earlier: str | None, later: str) -> str:
    """Return the one type that tells both changes of an object within one call."""
    if earlier is not None and later.endswith(".updated"):
        return earlier
    return later
