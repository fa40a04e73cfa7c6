"""Cards at Conekta, and whatever else a customer can pay with: payment sources.

Conekta has no call that reads one source: the customer's list is read, so a `Ref` names both.
"""

from dataclasses import replace

from billing.enums import SubscriptionStatus
from billing.errors import ProviderObjectMissing
from billing.providers.base import ManagesPaymentMethods
from billing.providers.conekta import mapping
from billing.providers.conekta.backend import ConektaBackend
from billing.providers.http import begun
from billing.providers.reading import readable
from billing.providers.types import (
    CustomerData,
    PaymentMethodData,
    PaymentMethodRequest,
    Ref,
    SubscriptionData,
)


class PaymentMethods(ConektaBackend, ManagesPaymentMethods):
    def get_payment_method(self, payment_method: Ref) -> PaymentMethodData:
        listed = self.list_payment_methods(Ref(id=payment_method.customer_id))
        found = next((each for each in listed if each.id == payment_method.id), None)
        if found is None:
            raise ProviderObjectMissing("the customer has no such source", provider=self.alias)
        return found

    def list_payment_methods(self, customer: Ref) -> list[PaymentMethodData]:
        found = self._client.pages(
            "PaymentMethodsApi", "get_customer_payment_methods", id=customer.id
        )
        listed = list(readable(found, mapping.payment_method))
        return sorted((_owned(each, customer) for each in listed), key=_made_at, reverse=True)

    def create_payment_method(
        self, customer: Ref, request: PaymentMethodRequest, *, idempotency_key: str
    ) -> PaymentMethodData:
        """Keep the card behind a token of Conekta's code in the browser; a token works once."""
        answer = self._client.write(
            "PaymentMethodsApi",
            "create_customer_payment_methods",
            id=customer.id,
            create_customer_payment_methods_request={"type": "card", "token_id": request.token},
        )
        return _owned(mapping.payment_method(answer.body, as_of=answer.as_of), customer)

    def delete_payment_method(
        self, payment_method: Ref, *, idempotency_key: str
    ) -> PaymentMethodData:
        answer = self._client.write(
            "PaymentMethodsApi",
            "delete_customer_payment_methods",
            id=payment_method.customer_id,
            payment_method_id=payment_method.id,
        )
        gone = mapping.payment_method(answer.body, as_of=answer.as_of)
        return replace(gone, is_active=False)

    def set_default_payment_method(
        self, customer: Ref, payment_method: Ref, *, idempotency_key: str
    ) -> CustomerData:
        """Subscriptions keep a card of their own, so they are told too. The customer comes last:
        whoever sees the new default there knows that the subscriptions have it."""
        others = [
            each for each in self._running(customer) if each.payment_method_id != payment_method.id
        ]
        for number, each in enumerate(others):
            with begun(number > 0):
                self._client.write(
                    "SubscriptionsApi",
                    "subscription_update",
                    customer_id=customer.id,
                    id=each.id,
                    updates_a_subscription={"card_id": payment_method.id},
                )
        with begun(bool(others)):
            answer = self._client.write(
                "CustomersApi",
                "update_customer",
                id=customer.id,
                update_customer={"default_payment_source_id": payment_method.id},
            )
        return mapping.customer(answer.body, as_of=answer.as_of)

    def _running(self, customer: Ref) -> list[SubscriptionData]:
        listed = self._subscriptions_of(customer)
        return [each for each in listed if each.status is not SubscriptionStatus.CANCELED]


def _owned(method: PaymentMethodData, customer: Ref) -> PaymentMethodData:
    return method if method.customer_id else replace(method, customer_id=customer.id)


def _made_at(method: PaymentMethodData) -> int:
    return mapping.made_at(method.raw)
