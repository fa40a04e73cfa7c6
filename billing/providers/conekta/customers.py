"""Customers at Conekta, found by our reference too."""

from collections.abc import Mapping

from billing.providers.base import AdoptsCustomers, ManagesCustomers
from billing.providers.conekta import mapping
from billing.providers.conekta.backend import ConektaBackend
from billing.providers.types import CustomerData, CustomerRequest, Ref


class Customers(ConektaBackend, ManagesCustomers, AdoptsCustomers):
    def get_customer(self, customer: Ref) -> CustomerData:
        answer = self._client.read("CustomersApi", "get_customer_by_id", id=customer.id)
        return mapping.customer(answer.body, as_of=answer.as_of)

    def create_customer(self, request: CustomerRequest, *, idempotency_key: str) -> CustomerData:
        answer = self._client.write("CustomersApi", "create_customer", customer=profile(request))
        return mapping.customer(answer.body, as_of=answer.as_of)

    def update_customer(
        self, customer: Ref, request: CustomerRequest, *, idempotency_key: str
    ) -> CustomerData:
        return self._update(customer, profile(request))

    def delete_customer(self, customer: Ref, *, idempotency_key: str) -> None:
        """One that was deleted before is missing, like one that never was."""
        self._client.write("CustomersApi", "delete_customer_by_id", id=customer.id)

    def adopt_customer(
        self, customer: Ref, reference: str, *, idempotency_key: str
    ) -> CustomerData:
        return self._update(customer, {"custom_reference": reference})

    def _update(self, customer: Ref, values: Mapping[str, object]) -> CustomerData:
        answer = self._client.write(
            "CustomersApi", "update_customer", id=customer.id, update_customer=values
        )
        return mapping.customer(answer.body, as_of=answer.as_of)


def profile(request: CustomerRequest) -> dict[str, object]:
    """Conekta's customers have contacts to ship to, but no address of their own."""
    return {
        "name": request.name,
        "email": request.email,
        "phone": request.phone,
        "custom_reference": request.reference or None,
        "metadata": dict(request.metadata) or None,
    }
