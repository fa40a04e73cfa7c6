"""What a Polar organization holds, page by page, oldest first.

Polar pages by number, so oldest first: what is made meanwhile comes at the end and moves nothing.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from billing.providers.base import ListsRemote
from billing.providers.polar import mapping
from billing.providers.polar.backend import PolarBackend
from billing.providers.reading import sorted_out
from billing.providers.types import (
    JSON,
    CustomerData,
    InvoiceData,
    Page,
    PaymentData,
    SubscriptionData,
)
from billing.providers.values import iso_moment

T = TypeVar("T")


class Listing(PolarBackend, ListsRemote):
    def list_customers(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[CustomerData]:
        return self._page("customers", mapping.customer, cursor, since, sorting="created_at")

    def list_subscriptions(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[SubscriptionData]:
        """Polar cannot sort them by when they were made."""
        return self._page(
            "subscriptions", mapping.subscription, cursor, since, sorting="started_at"
        )

    def list_account_invoices(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[InvoiceData]:
        return self._page("orders", mapping.invoice, cursor, since, sorting="created_at")

    def list_payments(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[PaymentData]:
        """The orders that were paid: what was tried in vain leaves its order pending."""
        paid = mapping.PAID_WORDS
        return self._page(
            "orders", mapping.payment, cursor, since, sorting="created_at", status=paid
        )

    def _page(
        self,
        path: str,
        read: Callable[..., T],
        cursor: str,
        since: datetime | None,
        **query: Any,
    ) -> Page[T]:
        """What is older is left out here: of Polar's lists only that of orders takes a time."""
        listed = self._client.page(path, "", cursor=cursor, **query)
        found = [each for each in listed.found if not _is_older(each, since)]
        mapped, odd = sorted_out(found, partial(read, as_of=listed.as_of))
        return Page(items=mapped, next_cursor=listed.next_cursor, unreadable=odd)


def _is_older(source: JSON, since: datetime | None) -> bool:
    made = iso_moment(source.get("created_at"))
    return since is not None and made is not None and made < since
