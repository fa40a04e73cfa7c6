"""What a lost answer may have made at Stripe, found by the reference of ours that it carries."""

from collections.abc import Iterable
from datetime import datetime

from billing.providers.base import FindsByReference
from billing.providers.stripe import mapping
from billing.providers.stripe.backend import SUBSCRIPTION_EXPAND, StripeBackend
from billing.providers.stripe.client import PAGE
from billing.providers.types import JSON, CustomerData, Ref, SubscriptionData
from billing.providers.values import items


class Finding(StripeBackend, FindsByReference):
    def find_customer(self, reference: str) -> CustomerData | None:
        """Stripe's search is up to a minute behind; whoever asks waits longer than that."""
        query = f"metadata['{mapping.REFERENCE_KEY}']:'{reference}'"
        answer = self._client.get("customers", "search", query=query, limit=PAGE)
        ours = _ours(((each, answer.as_of) for each in items(answer.body)), reference)
        return mapping.customer(ours[0], as_of=ours[1]) if ours else None

    def find_subscription(
        self, customer: Ref, reference: str, price_id: str
    ) -> SubscriptionData | None:
        expand = tuple(f"data.{name}" for name in SUBSCRIPTION_EXPAND)
        listed = self._client.pages(
            "subscriptions", customer=customer.id, status="all", expand=expand
        )
        ours = _ours(listed, reference)
        return self._subscription(ours[0], as_of=ours[1]) if ours else None


def _ours(found: Iterable[tuple[JSON, datetime]], reference: str) -> tuple[JSON, datetime] | None:
    """Looked for before anything is mapped: what others made may be odd, and ours, where it is odd,
    is an error. To say that there is none would have it made again."""
    return next((each for each in found if mapping.reference(each[0]) == reference), None)
