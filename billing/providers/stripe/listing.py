"""What a Stripe account holds, page by page, newest first; and its events of the last 30 days.

Stripe: a list is paged by the last id of a page (`starting_after`, `has_more`), filtered by when
objects were created, and expanded four levels deep at most.
"""

import json
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from billing.enums import InvoiceStatus
from billing.errors import ProviderError, ProviderObjectMissing
from billing.providers.base import (
    AdoptsCustomers,
    ListsEvents,
    ListsRemote,
    ListsReturned,
    ReadsInvoices,
)
from billing.providers.reading import sorted_out
from billing.providers.stripe import events, mapping, returned
from billing.providers.stripe.backend import SUBSCRIPTION_EXPAND, StripeBackend
from billing.providers.stripe.client import PAGE
from billing.providers.types import (
    JSON,
    CustomerData,
    DisputeData,
    InvoiceData,
    ListedEvent,
    Page,
    PaymentData,
    Ref,
    RefundData,
    SubscriptionData,
)
from billing.providers.values import items, remote_id

T = TypeVar("T")
_TOLD_BY_LIST = (InvoiceStatus.DRAFT, InvoiceStatus.PAID, InvoiceStatus.VOID)


class Listing(
    StripeBackend, ReadsInvoices, ListsRemote, ListsReturned, ListsEvents, AdoptsCustomers
):
    def list_customers(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[CustomerData]:
        """Stripe leaves deleted ones out."""
        return self._page("customers", mapping.customer, cursor, since)

    def list_subscriptions(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[SubscriptionData]:
        """Without a status Stripe would leave out the canceled ones."""
        expand = tuple(f"data.{name}" for name in SUBSCRIPTION_EXPAND)
        return self._page(
            "subscriptions", self._subscription, cursor, since, expand=expand, status="all"
        )

    def list_account_invoices(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[InvoiceData]:
        """How the payment of an invoice stands is five levels deep, so each that waits for money
        is read by itself: a call for every open or uncollectible one."""
        return self._page("invoices", self._invoice, cursor, since, expand=("data.payments",))

    def list_payments(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[PaymentData]:
        """PaymentIntents; bare charges, from before 2019-03-15, are not among them."""
        expand = ("data.latest_charge",)
        return self._page("payment_intents", mapping.payment, cursor, since, expand=expand)

    def list_account_refunds(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[RefundData]:
        return self._page("refunds", returned.refund, cursor, since)

    def list_disputes(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[DisputeData]:
        return self._page("disputes", returned.dispute, cursor, since)

    def list_events(self, *, cursor: str = "", since: datetime | None = None) -> Page[ListedEvent]:
        """Stripe keeps them for 30 days; each is rendered in the version that it was made in."""
        return self._page("events", _event, cursor, since)

    def adopt_customer(
        self, customer: Ref, reference: str, *, idempotency_key: str
    ) -> CustomerData:
        answer = self._client.post(
            "customers",
            customer.id,
            idempotency_key=idempotency_key,
            params={"metadata": {mapping.REFERENCE_KEY: reference}},
        )
        return mapping.customer(answer.body, as_of=answer.as_of)

    def _invoice(self, source: JSON, *, as_of: datetime) -> InvoiceData:
        listed = mapping.invoice(source, as_of=as_of)
        if listed.status in _TOLD_BY_LIST:
            return listed
        try:
            return self.get_invoice(Ref(id=listed.id))
        except ProviderObjectMissing:
            return listed

    def _page(
        self,
        path: str,
        read: Callable[..., T],
        cursor: str,
        since: datetime | None,
        *,
        expand: tuple[str, ...] = (),
        **params: object,
    ) -> Page[T]:
        if cursor:
            params["starting_after"] = cursor
        if since:
            params["created"] = {"gte": int(since.timestamp())}
        answer = self._client.get(path, expand=expand, limit=PAGE, **params)
        found = items(answer.body)
        has_more = bool(found) and answer.body.get("has_more") is True
        read_items, unreadable = sorted_out(found, partial(read, as_of=answer.as_of))
        return Page(
            items=read_items,
            next_cursor=self._cursor(found[-1]) if has_more else "",
            unreadable=unreadable,
        )

    def _cursor(self, last: JSON) -> str:
        found = remote_id(last)
        if not found:
            raise ProviderError("a page ends in what has no id", provider=self.alias)
        return found


def _event(source: JSON, *, as_of: datetime) -> ListedEvent:
    body = json.dumps(source).encode()
    return ListedEvent(body=body, event=events.parse(body))
