"""Pausing subscriptions at Stripe: the pause endpoint of 2026-09-30, not `pause_collection`, which
goes on making invoices. It takes subscriptions of flexible billing mode, Stripe's default since
2025-09-30."""

from billing.providers.base import PausesSubscriptions
from billing.providers.stripe import mapping
from billing.providers.stripe.backend import SUBSCRIPTION_EXPAND, StripeBackend
from billing.providers.types import JSON, Ref, SubscriptionData

_NEW_PERIOD: JSON = {
    "billing_cycle_anchor": {"type": "now"},
    # Not Stripe's default, by which a subscription runs again as soon as payment is tried.
    "payment_behavior": "resume_on_payment_success",
}


class Pausing(StripeBackend, PausesSubscriptions):
    def pause_subscription(self, subscription: Ref, *, idempotency_key: str) -> SubscriptionData:
        """Stripe's defaults: what is left of the paid period is credited on the next invoice."""
        return self._post(subscription, "pause", {"type": "subscription"}, idempotency_key)

    def unpause_subscription(self, subscription: Ref, *, idempotency_key: str) -> SubscriptionData:
        return self._post(subscription, "resume", _NEW_PERIOD, idempotency_key)

    def _post(self, subscription: Ref, verb: str, params: JSON, key: str) -> SubscriptionData:
        answer = self._client.post(
            "subscriptions",
            subscription.id,
            verb,
            idempotency_key=key,
            expand=SUBSCRIPTION_EXPAND,
            params=params,
        )
        return mapping.subscription(answer.body, as_of=answer.as_of)
