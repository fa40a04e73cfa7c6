"""Subscriptions at Polar, which customers begin in a checkout of theirs."""

from billing.providers.base import ReadsSubscriptions
from billing.providers.polar import mapping
from billing.providers.polar.backend import PolarBackend
from billing.providers.types import Ref, SubscriptionData


class Subscriptions(PolarBackend, ReadsSubscriptions):
    def get_subscription(self, subscription: Ref) -> SubscriptionData:
        answer = self._client.get("subscriptions", subscription.id)
        return mapping.subscription(answer.body, as_of=answer.as_of)
