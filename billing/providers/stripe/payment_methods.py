"""Cards and bank accounts at Stripe."""

from billing.providers.base import ManagesPaymentMethods
from billing.providers.http import begun
from billing.providers.reading import readable
from billing.providers.stripe import mapping
from billing.providers.stripe.backend import ENDED, StripeBackend
from billing.providers.types import (
    CustomerData,
    PaymentMethodData,
    PaymentMethodRequest,
    Ref,
    SubscriptionData,
)


class PaymentMethods(StripeBackend, ManagesPaymentMethods):
    def get_payment_method(self, payment_method: Ref) -> PaymentMethodData:
        answer = self._client.get("payment_methods", payment_method.id)
        return mapping.payment_method(answer.body, as_of=answer.as_of)

    def list_payment_methods(self, customer: Ref) -> list[PaymentMethodData]:
        found = self._client.pages("customers", customer.id, "payment_methods")
        return list(readable(found, mapping.payment_method))

    def create_payment_method(
        self, customer: Ref, request: PaymentMethodRequest, *, idempotency_key: str
    ) -> PaymentMethodData:
        """The token is the id of a payment method that the browser made, with its billing details;
        Stripe attaches it as it is."""
        answer = self._client.post(
            "payment_methods",
            request.token,
            "attach",
            idempotency_key=idempotency_key,
            params={"customer": customer.id},
        )
        return mapping.payment_method(answer.body, as_of=answer.as_of)

    def delete_payment_method(
        self, payment_method: Ref, *, idempotency_key: str
    ) -> PaymentMethodData:
        answer = self._client.post(
            "payment_methods", payment_method.id, "detach", idempotency_key=idempotency_key
        )
        return mapping.payment_method(answer.body, as_of=answer.as_of)

    def set_default_payment_method(
        self, customer: Ref, payment_method: Ref, *, idempotency_key: str
    ) -> CustomerData:
        """A subscription's own default goes before its customer's. The customer comes last: whoever
        sees the new default there knows that the subscriptions have it."""
        kept = (None, payment_method.id)
        others = [each for each in self._running(customer) if each.payment_method_id not in kept]
        for number, each in enumerate(others):
            with begun(number > 0):
                self._client.post(
                    "subscriptions",
                    each.id,
                    idempotency_key=f"{idempotency_key}-{each.id}",
                    params={"default_payment_method": payment_method.id},
                )
        with begun(bool(others)):
            answer = self._client.post(
                "customers",
                customer.id,
                idempotency_key=idempotency_key,
                params={"invoice_settings": {"default_payment_method": payment_method.id}},
            )
        return mapping.customer(answer.body, as_of=answer.as_of)

    def _running(self, customer: Ref) -> list[SubscriptionData]:
        found = self._client.pages("subscriptions", customer=customer.id)
        listed = readable(found, mapping.subscription)
        return [each for each in listed if each.status not in ENDED]
