"""Single charges at Stripe, outside any subscription: PaymentIntents, confirmed at once."""

from billing.errors import InvalidRequest
from billing.providers.base import TakesPayments
from billing.providers.stripe import mapping
from billing.providers.stripe.amounts import to_stripe
from billing.providers.stripe.backend import StripeBackend
from billing.providers.types import JSON, PaymentData, PaymentRequest


class Payments(StripeBackend, TakesPayments):
    def create_payment(self, request: PaymentRequest, *, idempotency_key: str) -> PaymentData:
        answer = self._client.post(
            "payment_intents",
            idempotency_key=idempotency_key,
            expand=("latest_charge",),
            params=payment_intent(request),
        )
        return mapping.payment(answer.body, as_of=answer.as_of)


def payment_intent(request: PaymentRequest) -> JSON:
    """Raises InvalidRequest for an amount that Stripe would refuse or read as another one.

    Stripe: whoever confirms at the server gives a `return_url`, or rules methods that redirect out;
    a card's 3-D Secure then runs in Stripe.js.
    """
    amount = to_stripe(request.amount_minor, request.currency)
    if not amount:
        raise InvalidRequest("nothing is charged by 0", param="amount_minor")
    if request.installments != 1:
        raise InvalidRequest("Stripe is asked for the whole at once", param="installments")
    return_url = "" if request.is_off_session else request.return_url
    return {
        "amount": amount,
        "currency": request.currency.lower(),
        "customer": request.customer_id,
        "payment_method": request.payment_method_id,
        "confirm": True,
        "off_session": request.is_off_session,
        "automatic_payment_methods": {
            "enabled": True,
            "allow_redirects": None if return_url else "never",
        },
        "return_url": return_url or None,
        "description": request.description or None,
        "metadata": {**request.metadata, mapping.REFERENCE_KEY: request.reference},
    }
