"""What a lost answer may have made at Conekta, which keeps no idempotency keys."""

from billing.enums import SubscriptionStatus
from billing.providers.base import FindsByReference
from billing.providers.conekta import mapping
from billing.providers.conekta.backend import ConektaBackend
from billing.providers.types import JSON, CustomerData, Ref, SubscriptionData
from billing.providers.values import text


class Finding(ConektaBackend, FindsByReference):
    def find_customer(self, reference: str) -> CustomerData | None:
        """By `custom_reference`. What `search` looks at is published as "by mail, reference etc.",
        so where it shows nothing, the first page of all is looked through too."""
        for search in (reference, None):
            listed = self._client.page("CustomersApi", "get_customers", search=search)
            for each in listed.found:
                if text(each.get("custom_reference")) == reference:
                    return mapping.customer(each, as_of=listed.as_of)
        return None

    def find_subscription(
        self, customer: Ref, reference: str, price_id: str
    ) -> SubscriptionData | None:
        """Subscriptions carry no reference: the newest one of this customer and plan that has not
        ended."""
        listed = self._client.pages(
            "SubscriptionsApi", "subscription_list", customer_id=customer.id
        )
        alive = [
            (each, as_of)
            for each, as_of in listed
            if text(each.get("plan_id")) == price_id and not _has_ended(each)
        ]
        if not alive:
            return None
        newest, as_of = max(alive, key=lambda found: mapping.made_at(found[0]))
        return mapping.subscription(newest, as_of=as_of)


def _has_ended(source: JSON) -> bool:
    return mapping.subscription_status(source) is SubscriptionStatus.CANCELED
