"""Every event type that Conekta publishes, as a kind or as ignored with the reason, and where the
ids sit in an event's object. Pure.

Sources: the specification's examples (`event_types`, webhooks) and the list that Conekta gives a
webhook which subscribes to everything (developers.conekta.com, webhooks).
"""

from datetime import UTC, datetime

from billing.enums import EventKind
from billing.errors import InvalidPayload
from billing.payloads import parse_object, require_text
from billing.providers.conekta import returned
from billing.providers.types import JSON, ProviderEvent
from billing.providers.values import moment, part, remote_id

UNKNOWN_TYPE = "unknown event type"
NOBODYS = "it names no customer, so it is nobody's here"
# An event without a time proves nothing about what is newer: its object is fetched.
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)

_USED = {
    EventKind.CUSTOMER: "customer.created customer.deleted customer.updated",
    EventKind.PAYMENT_METHOD: "customer.payment_source.card.blocked",
    EventKind.SUBSCRIPTION: """subscription.canceled subscription.created subscription.expired
        subscription.paid subscription.paused subscription.payment_failed subscription.resumed
        subscription.scheduled_payment_failed subscription.updated""",
    EventKind.INVOICE: """order.canceled order.charged_back order.created order.declined
        order.expired order.fraudulent order.paid order.partially_refunded order.pending_payment
        order.pre_authorized order.refunded order.under_fraud_review order.updated
        order.voided""",
    EventKind.PAYMENT: """charge.canceled charge.created charge.declined charge.expired
        charge.fraudulent charge.paid charge.pending_confirmation charge.preauthorized
        charge.reversed charge.under_fraud_review""",
    # Its object is the charge: the refund is the newest of those in it.
    EventKind.REFUND: "charge.refunded",
}
_UNUSED = {
    "order.charged_back tells it of the order": """charge.chargeback.created
        charge.chargeback.lost charge.chargeback.under_review charge.chargeback.updated
        charge.chargeback.won""",
    "fraud signals are not mirrored": "charge.score_updated",
    "prices are published by us and compared by the drift check": """plan.created plan.deleted
        plan.updated""",
    "a test of the connection": "webhook.ping webhook_ping",
    "where events go is read when it is registered": """webhook.created webhook.deleted
        webhook.updated""",
    "the merchant's own money and account are not mirrored": """cash_refund.canceled
        cash_refund.created cash_refund.expired cash_refund.refunded cashout.canceled
        cashout.confirmed cashout.expired company.onboarding.failed company.onboarding.success
        inbound_payment.lookup inbound_payment.payment_attempt inbound_payment.reverse
        payee.created payee.deleted payee.payout_method.created payee.payout_method.deleted
        payee.payout_method.updated payee.updated payout.created payout.failed payout.in_transit
        payout.paid_out payout.retrying receipt.created""",
}
KINDS = {name: kind for kind, names in _USED.items() for name in names.split()}
IGNORED = {name: reason for reason, names in _UNUSED.items() for name in names.split()}


def parse(body: bytes) -> ProviderEvent:
    """Read what intake keeps of a delivery; raise InvalidPayload for what Conekta never sends."""
    payload = parse_object(body)
    event_type = require_text(payload.get("type"), "type")
    kind = _kind(event_type, payload)
    object_id, customer_id, parent_id = _ids(kind, payload) if kind else ("", "", "")
    is_nobodys = kind is not None and not customer_id
    occurred_at = _time(payload)
    return ProviderEvent(
        id=require_text(payload.get("id"), "id"),
        type=event_type,
        occurred_at=occurred_at,
        mode="live" if payload.get("livemode") is True else "test",
        kind=None if is_nobodys else kind,
        object_id=object_id,
        customer_id=customer_id,
        parent_id=parent_id,
        is_pinned=occurred_at != NO_TIME,
        ignored_because=_reason(event_type, is_nobodys),
    )


def object_of(payload: JSON) -> JSON:
    """Return the event's `data.object`, empty when there is none."""
    return part(payload, "data", "object")


def _kind(event_type: str, payload: JSON) -> EventKind | None:
    """A charge that does not show the refund that it is told for is still a payment."""
    kind = KINDS.get(event_type)
    if kind is EventKind.REFUND and not returned.newest_refund(object_of(payload)):
        return EventKind.PAYMENT
    return kind


def _ids(kind: EventKind, payload: JSON) -> tuple[str, str, str]:
    """The ids of the object, of its customer, and of what must be known before it."""
    target = object_of(payload)
    if not target:
        raise InvalidPayload("data.object is not an object")
    object_id = require_text(target.get("id"), "the object's id")
    if kind is EventKind.CUSTOMER:
        return object_id, object_id, ""
    customer_id = _optional_text(_owner(kind, target), "customer_id")
    if kind is EventKind.REFUND:
        refund_id = require_text(returned.newest_refund(target).get("id"), "the refund's id")
        return refund_id, customer_id, object_id
    return object_id, customer_id, customer_id


def _owner(kind: EventKind, target: JSON) -> object:
    if kind is EventKind.INVOICE:
        return part(target, "customer_info").get("customer_id")
    return target.get("customer_id") or remote_id(target.get("parent_id"))


def _reason(event_type: str, is_nobodys: bool) -> str:
    """Why nothing is done with the event; '' when something is."""
    if event_type in KINDS:
        return NOBODYS if is_nobodys else ""
    return IGNORED.get(event_type, UNKNOWN_TYPE)


def _optional_text(value: object, name: str) -> str:
    return require_text(value, name) if value else ""


def _time(payload: JSON) -> datetime:
    value = payload.get("created_at")
    if value is None:
        return NO_TIME
    found = moment(value)
    if found is None:
        raise InvalidPayload("created_at is not a Unix time in seconds")
    return found
