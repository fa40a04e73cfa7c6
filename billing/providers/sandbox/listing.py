"""What the sandbox holds, page by page in the order of creation."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from billing.errors import InvalidPayload, InvalidRequest
from billing.providers.base import AdoptsCustomers, ListsEvents, ListsRemote, ListsReturned
from billing.providers.sandbox import clock, customers, mapping, payloads
from billing.providers.sandbox.backend import SandboxBackend
from billing.providers.sandbox.store import Listed, Session
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
    Unreadable,
)

PAGE = 100
T = TypeVar("T")


class Listing(SandboxBackend, ListsRemote, ListsReturned, ListsEvents, AdoptsCustomers):
    def list_customers(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[CustomerData]:
        return self._page("customer", mapping.customer, cursor, since)

    def list_subscriptions(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[SubscriptionData]:
        return self._page("subscription", mapping.subscription, cursor, since)

    def list_account_invoices(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[InvoiceData]:
        return self._page("invoice", mapping.invoice, cursor, since)

    def list_payments(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[PaymentData]:
        return self._page("payment", mapping.payment, cursor, since)

    def list_account_refunds(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[RefundData]:
        return self._page("refund", mapping.refund, cursor, since)

    def list_disputes(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[DisputeData]:
        return self._page("dispute", mapping.dispute, cursor, since)

    def list_events(self, *, cursor: str = "", since: datetime | None = None) -> Page[ListedEvent]:
        """Every delivery that was ever queued, posted or not."""

        def read(session: Session) -> Page[ListedEvent]:
            rows = session.list_deliveries(_after(cursor), _stamp(since), PAGE + 1)
            return _page_of(rows, _event)

        return self._calls.read(read)

    def adopt_customer(
        self, customer: Ref, reference: str, *, idempotency_key: str
    ) -> CustomerData:
        answer = self._calls.write(
            "adopt_customer",
            idempotency_key,
            [customer.id, reference],
            lambda session: customers.adopt(session, customer.id, reference),
        )
        return mapping.customer(answer.body, answer.as_of)

    def _page(
        self,
        kind: str,
        read: Callable[[JSON, datetime], T],
        cursor: str,
        since: datetime | None,
    ) -> Page[T]:
        def run(session: Session) -> Page[T]:
            as_of = clock.moment(session.now)
            rows = session.list_objects(kind, _after(cursor), _stamp(since), PAGE + 1)
            return _page_of(rows, lambda body: read(body, as_of))

        return self._calls.read(run)


def _page_of(rows: list[Listed], read: Callable[[JSON], T]) -> Page[T]:
    mapped: list[T] = []
    odd: list[Unreadable] = []
    for row in rows[:PAGE]:
        try:
            mapped.append(read(row.body))
        except (KeyError, TypeError, ValueError, InvalidPayload) as exc:
            odd.append(Unreadable(id=row.id, reason=str(exc)))
    next_cursor = str(rows[PAGE - 1].seq) if len(rows) > PAGE else ""
    return Page(items=tuple(mapped), next_cursor=next_cursor, unreadable=tuple(odd))


def _event(body: JSON) -> ListedEvent:
    raw = json.dumps(body, separators=(",", ":")).encode()
    return ListedEvent(body=raw, event=payloads.parse(raw))


def _after(cursor: str) -> int:
    if not cursor:
        return 0
    if not (cursor.isascii() and cursor.isdigit()):
        raise InvalidRequest("the cursor is none of this list", param="cursor", provider="sandbox")
    return int(cursor)


def _stamp(since: datetime | None) -> int:
    return clock.stamp(since) if since else 0
