"""Customers at Polar, found by our reference too: it is their external id."""

from billing.errors import ProviderObjectMissing
from billing.providers.base import FindsByReference, ManagesCustomers
from billing.providers.polar import mapping
from billing.providers.polar.backend import PolarBackend
from billing.providers.types import (
    CustomerData,
    CustomerRequest,
    Ref,
    SubscriptionData,
)

_ADDRESS_LINES = ("line1", "line2", "city", "state", "postal_code", "country")


class Customers(PolarBackend, ManagesCustomers, FindsByReference):
    def get_customer(self, customer: Ref) -> CustomerData:
        answer = self._client.get("customers", customer.id)
        return mapping.customer(answer.body, as_of=answer.as_of)

    def create_customer(self, request: CustomerRequest, *, idempotency_key: str) -> CustomerData:
        """Polar has no keys: that an external id is unique there keeps a second one from being
        made (API reference, customers)."""
        body = profile(request) | {"external_id": request.reference}
        answer = self._client.post("customers", "", body=body)
        return mapping.customer(answer.body, as_of=answer.as_of)

    def update_customer(
        self, customer: Ref, request: CustomerRequest, *, idempotency_key: str
    ) -> CustomerData:
        answer = self._client.patch("customers", customer.id, body=profile(request))
        return mapping.customer(answer.body, as_of=answer.as_of)

    def delete_customer(self, customer: Ref, *, idempotency_key: str) -> None:
        """One that was deleted before is missing, like one that never was."""
        self._client.delete("customers", customer.id)

    def find_customer(self, reference: str) -> CustomerData | None:
        try:
            answer = self._client.get("customers", "external", reference)
        except ProviderObjectMissing:
            return None
        return mapping.customer(answer.body, as_of=answer.as_of)

    def find_subscription(
        self, customer: Ref, reference: str, price_id: str
    ) -> SubscriptionData | None:
        """Looked for before anything is mapped: ours, where it is odd, is an error, not absent."""
        listed = self._client.pages("subscriptions", "", customer_id=customer.id)
        ours = (each for each in listed if mapping.reference(each[0]) == reference)
        found = next(ours, None)
        return mapping.subscription(found[0], as_of=found[1]) if found else None


def profile(request: CustomerRequest) -> dict[str, object]:
    """The whole profile: what is blank here is unset there. Polar's customers have no phone, and an
    address only with its country."""
    lines = {name: request.address.get(name) or None for name in _ADDRESS_LINES}
    found: dict[str, object] = {
        "email": request.email,
        "name": request.name or None,
        "billing_address": lines if lines["country"] else None,
    }
    return found | ({"metadata": dict(request.metadata)} if request.metadata else {})
