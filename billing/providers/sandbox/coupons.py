"""Coupons of the sandbox: see `discounts` for the codes."""

from billing.providers.base import AppliesCoupons
from billing.providers.sandbox import discounts, mapping, subscriptions
from billing.providers.sandbox.backend import SandboxBackend
from billing.providers.sandbox.store import Record, Session
from billing.providers.types import Ref, SubscriptionData


class Coupons(SandboxBackend, AppliesCoupons):
    def apply_coupon(
        self, subscription: Ref, code: str, *, idempotency_key: str
    ) -> SubscriptionData:
        answer = self._calls.write(
            "apply_coupon",
            idempotency_key,
            [subscription.id, code],
            lambda session: _apply(session, subscription.id, code),
        )
        return mapping.subscription(answer.body, answer.as_of)

    def remove_coupon(self, subscription: Ref, *, idempotency_key: str) -> SubscriptionData:
        answer = self._calls.write(
            "remove_coupon",
            idempotency_key,
            subscription.id,
            lambda session: _remove(session, subscription.id),
        )
        return mapping.subscription(answer.body, answer.as_of)


def _apply(session: Session, subscription_id: str, code: str) -> Record:
    subscription = subscriptions.unended(session, subscription_id)
    discounts.put_on(subscription, code)
    return session.save(subscription, "subscription.updated")


def _remove(session: Session, subscription_id: str) -> Record:
    subscription = subscriptions.unended(session, subscription_id)
    discounts.take_off(subscription)
    return session.save(subscription, "subscription.updated")
