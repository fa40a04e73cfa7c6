"""Refunds and chargebacks at Conekta.

Neither has a call of its own: they are read out of the orders that have gone back, which can be
listed by their status.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial

from billing.errors import OutcomeUnknown, ProviderObjectMissing
from billing.providers.base import ListsReturned, ReadsDisputes, RefundsPayments
from billing.providers.conekta import mapping, returned
from billing.providers.conekta.orders import Orders
from billing.providers.http import Listed
from billing.providers.reading import sorted_out
from billing.providers.types import JSON, DisputeData, Page, Ref, RefundData, RefundRequest
from billing.providers.values import incomplete, part, remote_id

_REFUNDED = ("refunded", "partially_refunded")
# Whether an order leaves this status when its chargeback is won is not published.
_DISPUTED = "charged_back"
# In a cursor of ours, between the status that is listed and Conekta's cursor in that list.
_BETWEEN = "/"


class Refunds(Orders, RefundsPayments, ReadsDisputes, ListsReturned):
    def create_refund(self, request: RefundRequest, *, idempotency_key: str) -> RefundData:
        """Conekta refunds orders: of several paid charges it chooses itself. The answer is the
        order, and the refund the one that was not there before."""
        wanted = returned.parameters(request)
        charge = self._charge(request.payment_id).body
        order_id = remote_id(charge.get("order_id")) or incomplete(charge, "order_id")
        order = self._order(order_id).body
        before = {remote_id(each) for each, _ in returned.refunds_in(order)}
        answer = self._client.write(
            "OrdersApi", "order_refund", id=order_id, order_refund_request=wanted
        )
        for each, owner in returned.refunds_in(answer.body):
            if remote_id(each) not in before and each.get("amount") == -request.amount_minor:
                made = returned.refund(each, owner, as_of=answer.as_of)
                return replace(made, reason=request.reason, reference=request.reference)
        raise OutcomeUnknown("the order shows no new refund", provider=self.alias)

    def get_refund(self, refund: Ref) -> RefundData:
        for order, as_of in self._orders_that_are(*_REFUNDED):
            for each, charge in returned.refunds_in(order):
                if remote_id(each) == refund.id:
                    return returned.refund(each, charge, as_of=as_of)
        raise ProviderObjectMissing("no such refund is listed", provider=self.alias)

    def list_refunds(self, payment: Ref) -> list[RefundData]:
        found = self._charge(payment.id)
        return [
            returned.refund(each, found.body, as_of=found.as_of)
            for each in returned.refunds_of(found.body)
        ]

    def get_dispute(self, dispute: Ref) -> DisputeData:
        for order, as_of in self._orders_that_are(_DISPUTED):
            for charge in returned.disputed_in(order):
                if remote_id(charge["chargeback"]) == dispute.id:
                    return returned.dispute(charge, as_of=as_of)
        raise ProviderObjectMissing("no such chargeback is listed", provider=self.alias)

    def list_account_refunds(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[RefundData]:
        """Those of wholly refunded orders, then those of the others. `since` looks at when a refund
        was made."""
        status, _, place = cursor.partition(_BETWEEN)
        status = status or _REFUNDED[0]
        listed = self._listed(status, place)
        found = [
            {**each, "charge": charge}
            for order in listed.found
            for each, charge in returned.refunds_in(order)
            if _is_since(each, since)
        ]
        read, unreadable = sorted_out(found, partial(_refund, as_of=listed.as_of))
        return Page(
            items=read, next_cursor=_next(status, listed.next_cursor), unreadable=unreadable
        )

    def list_disputes(
        self, *, cursor: str = "", since: datetime | None = None
    ) -> Page[DisputeData]:
        listed = self._listed(_DISPUTED, cursor)
        found = [each for order in listed.found for each in returned.disputed_in(order)]
        wanted = [each for each in found if _is_since(part(each, "chargeback"), since)]
        read, unreadable = sorted_out(wanted, partial(returned.dispute, as_of=listed.as_of))
        return Page(items=read, next_cursor=listed.next_cursor, unreadable=unreadable)

    def _orders_that_are(self, *statuses: str) -> Iterator[tuple[JSON, datetime]]:
        for status in statuses:
            yield from self._client.pages("OrdersApi", "get_orders", payment_status=status)

    def _listed(self, status: str, cursor: str) -> Listed:
        return self._client.page("OrdersApi", "get_orders", cursor=cursor, payment_status=status)


def _refund(source: JSON, *, as_of: datetime) -> RefundData:
    """Of a refund that was given its charge."""
    plain = {name: value for name, value in source.items() if name != "charge"}
    return returned.refund(plain, part(source, "charge"), as_of=as_of)


def _is_since(source: JSON, since: datetime | None) -> bool:
    """What does not say when it was made is kept."""
    made_at = mapping.made_at(source)
    return since is None or not made_at or made_at >= since.timestamp()


def _next(status: str, cursor: str) -> str:
    """Where the list goes on: in the same status, or at the beginning of the next one."""
    if cursor:
        return f"{status}{_BETWEEN}{cursor}"
    later = _REFUNDED[_REFUNDED.index(status) + 1 :]
    return f"{later[0]}{_BETWEEN}" if later else ""
