"""What a Conekta account holds, page by page, and its events.

Lists know no filter by time, so what is older than `since` is left out here. Subscriptions are
listed by customer only, and orders do not name theirs.
"""

import json
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from billing.errors import ProviderObjectMissing
from billing.providers.base import ListsEvents, ListsRemote
from billing.providers.conekta import events, mapping, orders_mapping
from billing.providers.conekta.invoices import Invoices
from billing.providers.http import Listed
from billing.providers.reading import sorted_out
from billing.providers.types import (
    JSON,
    CustomerData,
    InvoiceData,
    ListedEvent,
    Page,
    PaymentData,
    Ref,
    SubscriptionData,
)
from billing.providers.values import remote_id

T = TypeVar("T")
# Each asks once for each of its customers: a page must not take minutes.
CUSTOMERS_AT_ONCE = 25


class Listing(Invoices, ListsRemote, ListsEvents):
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

    def list_account_invoices(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[InvoiceData]:
        """Orders. A cycle's subscription is among its customer's, who are asked once each."""
        listed = self._client.page(
            "OrdersApi", "get_orders", cursor=cursor, limit=CUSTOMERS_AT_ONCE
        )
        owner = orders_mapping.owner
        owners = {owner(each) for each in listed.found if orders_mapping.is_recurrent(each)}
        known = {each: self._subscriptions_of(Ref(id=each)) for each in owners if each}

        def read(order: JSON, *, as_of: datetime) -> InvoiceData:
            payer = orders_mapping.subscription_of(order, known.get(owner(order), ()))
            return orders_mapping.invoice(order, as_of=as_of, subscription=payer)

        return _page(listed, listed.found, read, since)

    def list_payments(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[PaymentData]:
        """The charges of a page of orders, whenever these were made."""
        listed = self._client.page("OrdersApi", "get_orders", cursor=cursor)
        orders = {remote_id(each): each for each in listed.found}
        found = [charge for order in listed.found for charge in orders_mapping.charges(order)]

        def read(charge: JSON, *, as_of: datetime) -> PaymentData:
            order = orders.get(remote_id(charge.get("order_id")))
            return orders_mapping.payment(charge, as_of=as_of, order=order)

        return _page(listed, found, read, since)

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
