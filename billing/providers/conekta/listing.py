"""What a Conekta account holds, page by page, and its events.

Lists know no filter by time, so what is older than `since` is left out here. Subscriptions are
listed by customer only.
"""

import json
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from billing.errors import ProviderObjectMissing
from billing.providers.base import ListsEvents
from billing.providers.conekta import events, mapping
from billing.providers.conekta.backend import ConektaBackend
from billing.providers.conekta.client import Listed
from billing.providers.reading import sorted_out
from billing.providers.types import JSON, CustomerData, ListedEvent, Page, SubscriptionData
from billing.providers.values import remote_id

T = TypeVar("T")
# Each asks once for each of its customers: a page must not take minutes.
CUSTOMERS_AT_ONCE = 25


class Listing(ConektaBackend, ListsEvents):
    def list_customers(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[CustomerData]:
        listed = self._client.page("CustomersApi", "get_customers", cursor=cursor)
        return _page(listed, listed.found, mapping.customer, since)

    def list_subscriptions(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[SubscriptionData]:
        """Those of a page of customers, whenever these were made."""
        listed = self._client.page(
            "CustomersApi", "get_customers", cursor=cursor, limit=CUSTOMERS_AT_ONCE
        )
        found = [each for owner in listed.found for each in self._subscriptions(remote_id(owner))]
        return _page(listed, found, mapping.subscription, since)

    def list_events(self, *, cursor: str = "", since: datetime | None = None) -> Page[ListedEvent]:
        listed = self._client.page("EventsApi", "get_events", cursor=cursor)
        return _page(listed, listed.found, _event, since)

    def _subscriptions(self, customer_id: str) -> list[JSON]:
        """A customer that is deleted meanwhile has none."""
        if not customer_id:
            return []
        try:
            found = self._client.pages(
                "SubscriptionsApi", "subscription_list", customer_id=customer_id
            )
            return [each for each, _ in found]
        except ProviderObjectMissing:
            return []


def _page(
    listed: Listed, found: list[JSON], read: Callable[..., T], since: datetime | None
) -> Page[T]:
    wanted = [each for each in found if since is None or _is_since(each, since)]
    read_items, unreadable = sorted_out(wanted, partial(read, as_of=listed.as_of))
    return Page(items=read_items, next_cursor=listed.next_cursor, unreadable=unreadable)


def _is_since(source: JSON, since: datetime) -> bool:
    """What does not say when it was made is kept."""
    made_at = mapping.made_at(source)
    return not made_at or made_at >= since.timestamp()


def _event(source: JSON, *, as_of: datetime) -> ListedEvent:
    body = json.dumps(source).encode()
    return ListedEvent(body=body, event=events.parse(body))
