"""Finding orders and charges at Conekta: by id, by our reference, by their customer.

What `search` looks at is published as "by mail, reference etc.", so what it shows is compared, and
where it shows nothing, the newest of all are looked through too.
"""

from collections.abc import Callable, Iterator
from datetime import datetime

from billing.errors import ProviderObjectMissing
from billing.providers.conekta import mapping, orders_mapping
from billing.providers.conekta.backend import ConektaBackend
from billing.providers.http import Answer
from billing.providers.types import JSON, Ref
from billing.providers.values import remote_id, text

_NEWEST = 50


class Orders(ConektaBackend):
    def _order(self, order_id: str) -> Answer:
        return self._client.read("OrdersApi", "get_order_by_id", id=order_id)

    def _order_made_for(self, reference: str) -> Answer | None:
        """The order that carries our reference: Conekta knows no idempotency keys, so a creation
        is looked for before it is sent."""

        def is_ours(order: JSON) -> bool:
            return mapping.reference(order) == reference

        return self._found("OrdersApi", "get_orders", reference, is_ours) if reference else None

    def _charge(self, charge_id: str) -> Answer:
        """There is no call that reads one charge."""

        def is_it(charge: JSON) -> bool:
            return remote_id(charge) == charge_id

        found = self._found("ChargesApi", "get_charges", charge_id, is_it)
        if found is None:
            raise ProviderObjectMissing("no such charge is listed", provider=self.alias)
        return found

    def _orders_of(self, customer: Ref) -> Iterator[tuple[JSON, datetime]]:
        """The customer's orders, newest first: found by mail, kept by the customer's id."""
        answer = self._client.read("CustomersApi", "get_customer_by_id", id=customer.id)
        mail = text(answer.body.get("email"))
        for each, as_of in self._client.pages("OrdersApi", "get_orders", search=mail or None):
            if orders_mapping.owner(each) == customer.id:
                yield each, as_of

    def _found(
        self, api: str, operation: str, search: str, fits: Callable[[JSON], bool]
    ) -> Answer | None:
        for params in ({"search": search}, {"limit": _NEWEST}):
            listed = self._client.page(api, operation, **params)
            for each in filter(fits, listed.found):
                return Answer(body=each, as_of=listed.as_of)
        return None
