"""Every event type that Polar publishes (API 2026-10, webhooks), as a kind or as ignored with the
reason, and where the ids sit in an event's object. Pure.

An event's id is a header: two endpoints are told of one happening under two ids.
"""

from collections.abc import Mapping
from datetime import datetime

from billing.enums import EventKind
from billing.errors import InvalidPayload
from billing.payloads import parse_object, require_text
from billing.providers.http import header
from billing.providers.polar.signatures import ID
from billing.providers.types import JSON, ProviderEvent
from billing.providers.values import iso_moment, part

API_VERSION = "2026-10"
UNKNOWN_TYPE = "unknown event type"
NOBODYS = "it names no customer, so it is nobody's here"

# subscription.canceled tells that the end is planned, subscription.revoked that access ended: which
# of them it is stands in the object's status. An order that is paid is told of twice, by
# order.created or order.updated as our invoice, by order.paid as our payment.
_USED = {
    EventKind.CUSTOMER: "customer.created customer.deleted customer.updated",
    EventKind.SUBSCRIPTION: """subscription.active subscription.canceled subscription.created
        subscription.cycled subscription.migrated subscription.past_due subscription.paused
        subscription.resumed subscription.revoked subscription.uncanceled
        subscription.updated""",
    EventKind.INVOICE: "order.created order.refunded order.updated",
    EventKind.PAYMENT: "order.paid",
    EventKind.REFUND: "refund.created refund.updated",
}
_UNUSED = {
    "confirmed is not paid: what a checkout sells arrives as order.* and subscription.*": """
        checkout.created checkout.expired checkout.updated""",
    "its parts arrive as customer.* and subscription.*": "customer.state_changed",
    "benefits are not mirrored": """benefit.created benefit.updated benefit_grant.created
        benefit_grant.cycled benefit_grant.revoked benefit_grant.updated""",
    "prices are published by us and compared by the drift check": "product.created product.updated",
    "discounts are read with their order": "discount.created discount.deleted discount.updated",
    "who sits in an organization's seats is not mirrored": """customer_seat.assigned
        customer_seat.claimed customer_seat.revoked member.created member.deleted
        member.updated""",
    "the merchant's own money and account are not mirrored": "organization.updated",
}
KINDS = {name: kind for kind, names in _USED.items() for name in names.split()}
IGNORED = {name: reason for reason, names in _UNUSED.items() for name in names.split()}


def parse(body: bytes, headers: Mapping[str, str], *, mode: str) -> ProviderEvent:
    """Read what intake keeps of a delivery; raise InvalidPayload for what Polar never sends.

    Deliveries do not tell whether they are live: `mode` is that of the endpoint's account. One that
    names no API version may be rendered in any: it is not pinned.
    """
    payload = parse_object(body)
    event_type = require_text(payload.get("type"), "type")
    kind = KINDS.get(event_type)
    object_id, customer_id, parent_id = _ids(kind, payload) if kind else ("", "", "")
    is_nobodys = kind is not None and not customer_id
    api_version = _optional_text(payload.get("api_version"), "api_version")
    return ProviderEvent(
        id=require_text(header(headers, ID), ID),
        type=event_type,
        occurred_at=_time(payload),
        mode=mode,
        kind=None if is_nobodys else kind,
        object_id=object_id,
        customer_id=customer_id,
        parent_id=parent_id,
        api_version=api_version,
        is_pinned=api_version == API_VERSION,
        ignored_because=_reason(event_type, is_nobodys),
    )


def object_of(payload: JSON) -> JSON:
    """Return the event's `data`, empty when there is none."""
    return part(payload, "data")


def _ids(kind: EventKind, payload: JSON) -> tuple[str, str, str]:
    """The ids of the object, of its customer, and of what must be known before it."""
    target = object_of(payload)
    object_id = require_text(target.get("id"), "the object's id")
    if kind is EventKind.CUSTOMER:
        return object_id, object_id, ""
    customer_id = _optional_text(target.get("customer_id"), "customer_id")
    if kind is EventKind.REFUND:
        return object_id, customer_id, require_text(target.get("order_id"), "order_id")
    if kind is EventKind.INVOICE:
        subscription_id = _optional_text(target.get("subscription_id"), "subscription_id")
        return object_id, customer_id, subscription_id or customer_id
    return object_id, customer_id, customer_id


def _reason(event_type: str, is_nobodys: bool) -> str:
    """Why nothing is done with the event; '' when something is."""
    if event_type in KINDS:
        return NOBODYS if is_nobodys else ""
    return IGNORED.get(event_type, UNKNOWN_TYPE)


def _optional_text(value: object, name: str) -> str:
    return require_text(value, name) if value else ""


def _time(payload: JSON) -> datetime:
    found = iso_moment(payload.get("timestamp"))
    if found is None:
        raise InvalidPayload("timestamp is not an ISO 8601 time with its zone")
    return found
