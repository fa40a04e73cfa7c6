"""What a lost answer may have made at Stripe, found by the reference of ours that it carries."""

from billing.providers.base import FindsByReference
from billing.providers.stripe import mapping
from billing.providers.stripe.backend import SUBSCRIPTION_EXPAND, StripeBackend
from billing.providers.stripe.client import PAGE
from billing.providers.stripe.values import items
from billing.providers.types import CustomerData, Ref, SubscriptionData


class Finding(StripeBackend, FindsByReference):
    def find_customer(self, reference: str) -> CustomerData | None:
        """Stripe's search is up to a minute behind; whoever asks waits longer than that."""
        query = f"metadata['{mapping.REFERENCE_KEY}']:'{reference}'"
        answer = self._client.get("customers", "search", query=query, limit=PAGE)
        found = (mapping.customer(each, as_of=answer.as_of) for each in items(answer.body))
        return next((each for each in found if each.reference == reference), None)

    def find_subscription(self, customer: Ref, reference: str) -> SubscriptionData | None:
        expand = tuple(f"data.{name}" for name in SUBSCRIPTION_EXPAND)
        listed = self._client.pages(
            "subscriptions", customer=customer.id, status="all", expand=expand
        )
        found = (mapping.subscription(each, as_of=as_of) for each, as_of in listed)
        return next((each for each in found if each.reference == reference), None)
