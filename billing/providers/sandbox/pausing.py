"""Pausing: time stands still for a subscription, and what was paid ahead is credited."""

from billing.enums import InvoiceStatus, SubscriptionStatus
from billing.errors import InvalidRequest
from billing.providers.base import PausesSubscriptions
from billing.providers.sandbox import mapping, subscriptions
from billing.providers.sandbox.backend import SandboxBackend
from billing.providers.sandbox.store import Record, Session
from billing.providers.types import Ref, SubscriptionData


class Pausing(SandboxBackend, PausesSubscriptions):
    def pause_subscription(self, subscription: Ref, *, idempotency_key: str) -> SubscriptionData:
        answer = self._calls.write(
            "pause_subscription",
            idempotency_key,
            subscription.id,
            lambda session: pause(session, subscription.id),
        )
        return mapping.subscription(answer.body, answer.as_of)

    def unpause_subscription(self, subscription: Ref, *, idempotency_key: str) -> SubscriptionData:
        answer = self._calls.write(
            "unpause_subscription",
            idempotency_key,
            subscription.id,
            lambda session: unpause(session, subscription.id),
        )
        return mapping.subscription(answer.body, answer.as_of)


def pause(session: Session, subscription_id: str) -> Record:
    """Stop an active subscription; one that is to end with its period runs until then."""
    subscription = _in(session, subscription_id, SubscriptionStatus.ACTIVE)
    if subscription.body["cancel_at_period_end"]:
        raise InvalidRequest("the subscription is to end", param="subscription")
    subscription.hidden["credit"] = _unused(session, subscription)
    subscription.body.update(status=SubscriptionStatus.PAUSED, current_period_end=session.now)
    subscription.due_at = None
    return session.save(subscription, "subscription.paused")


def unpause(session: Session, subscription_id: str) -> Record:
    """Bill a period that begins now, or collect the invoice that an earlier try left open; the
    subscription is active once it is paid."""
    subscription = _in(session, subscription_id, SubscriptionStatus.PAUSED)
    latest = session.require("invoice", subscription.body["latest_invoice"])
    method = subscriptions.renewal_method(session, subscription)
    if latest.body["status"] == InvoiceStatus.OPEN:
        subscriptions.check_not_asked(latest)
        subscriptions.charge(session, subscription, latest, method)
        return subscription
    subscription.hidden.update(anchor=session.now, period=-1)
    plan = session.require("plan", subscription.body["price"])
    subscriptions.bill(session, subscription, plan, method)
    return subscription


def _in(session: Session, subscription_id: str, status: SubscriptionStatus) -> Record:
    subscription = session.require("subscription", subscription_id)
    if subscription.body["status"] != status:
        raise InvalidRequest(f"it is {subscription.body['status']}", param="subscription")
    return subscription


def _unused(session: Session, subscription: Record) -> int:
    """What was paid for the rest of the period, in minor units, rounded down."""
    start, end = (subscription.body[f"current_period_{name}"] for name in ("start", "end"))
    paid = session.require("invoice", subscription.body["latest_invoice"]).body["total"]
    return int(paid * max(end - session.now, 0) // (end - start))
