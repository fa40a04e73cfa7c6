"""Customers at Stripe, found by our reference too."""

from billing.errors import ProviderObjectMissing
from billing.providers.base import ManagesCustomers
from billing.providers.stripe import mapping, parameters
from billing.providers.stripe.backend import StripeBackend
from billing.providers.types import CustomerData, CustomerRequest, Ref


class Customers(StripeBackend, ManagesCustomers):
    def get_customer(self, customer: Ref) -> CustomerData:
        answer = self._client.get("customers", customer.id)
        return mapping.customer(answer.body, as_of=answer.as_of)

    def create_customer(self, request: CustomerRequest, *, idempotency_key: str) -> CustomerData:
        answer = self._client.post(
            "customers", idempotency_key=idempotency_key, params=parameters.new_customer(request)
        )
        return mapping.customer(answer.body, as_of=answer.as_of)

    def update_customer(
        self, customer: Ref, request: CustomerRequest, *, idempotency_key: str
    ) -> CustomerData:
        answer = self._client.post(
            "customers",
            customer.id,
            idempotency_key=idempotency_key,
            params=parameters.customer(request),
        )
        return mapping.customer(answer.body, as_of=answer.as_of)

    def delete_customer(self, customer: Ref, *, idempotency_key: str) -> None:
        """One that was deleted before is gone, as wanted; one that never was is missing."""
        try:
            self._client.delete("customers", customer.id, idempotency_key=idempotency_key)
        except ProviderObjectMissing:
            if not self.get_customer(customer).is_deleted:
                raise
