"""Payment methods that the customer adds in the browser: Stripe's SetupIntents and mandates."""

from datetime import datetime

from billing.enums import MandateStatus, SetupStatus
from billing.errors import InvalidRequest
from billing.providers.base import SetsUpPaymentMethods
from billing.providers.stripe.actions import setup_action
from billing.providers.stripe.backend import StripeBackend
from billing.providers.stripe.declines import decline_code
from billing.providers.stripe.mapping import METHOD_TYPES, REFERENCE_KEY, member, reference
from billing.providers.types import JSON, Ref, SetupRequest, SetupSessionData
from billing.providers.values import part, remote_id, required_id, text

_EXPAND = ("mandate",)
_TYPES = {word.value: kind for kind, word in METHOD_TYPES.items()}
_STATUSES = {
    "requires_payment_method": SetupStatus.OPEN,
    "requires_confirmation": SetupStatus.OPEN,
    "requires_action": SetupStatus.REQUIRES_ACTION,
    "processing": SetupStatus.PROCESSING,
    "succeeded": SetupStatus.SUCCEEDED,
    "canceled": SetupStatus.CANCELED,
}


class Setup(StripeBackend, SetsUpPaymentMethods):
    def create_setup_session(
        self, request: SetupRequest, *, idempotency_key: str
    ) -> SetupSessionData:
        """Without methods Stripe offers those that are switched on in its dashboard."""
        answer = self._client.post(
            "setup_intents",
            idempotency_key=idempotency_key,
            expand=_EXPAND,
            params=setup_intent(request),
        )
        return setup_session(answer.body, as_of=answer.as_of)

    def get_setup_session(self, session: Ref) -> SetupSessionData:
        answer = self._client.get("setup_intents", session.id, expand=_EXPAND)
        return setup_session(answer.body, as_of=answer.as_of)


def setup_intent(request: SetupRequest) -> JSON:
    """Stripe: without `usage` it is for charges that the customer is not there for, as wanted
    ("defaults to off_session"; the SDK's raw_request cannot send that name). Since 2026-09-30
    `payment_method_types` is refused, and what is allowed but cannot be used is silently left out.
    """
    return {
        "customer": request.customer_id,
        "allowed_payment_method_types": [_type(word) for word in request.methods] or None,
        "metadata": {REFERENCE_KEY: request.reference},
    }


def setup_session(source: JSON, *, as_of: datetime) -> SetupSessionData:
    """Map a SetupIntent with its mandate expanded; a refused one is open again, with its error."""
    raw_status = text(source.get("status"))
    status = _STATUSES.get(raw_status)
    error = part(source, "last_setup_error")
    if status is SetupStatus.OPEN and error:
        status = SetupStatus.FAILED
    return SetupSessionData(
        id=required_id(source),
        customer_id=remote_id(source.get("customer")),
        status=status,
        provider_status=raw_status,
        as_of=as_of,
        client_secret=text(source.get("client_secret")),
        payment_method_id=remote_id(source.get("payment_method")) or None,
        next_action=setup_action(source),
        mandate_id=remote_id(source.get("mandate")) or None,
        mandate_status=member(MandateStatus, text(part(source, "mandate").get("status"))),
        decline_code=decline_code(error) if status is SetupStatus.FAILED else "",
        reference=reference(source),
        raw=source,
    )


def _type(word: str) -> str:
    if word not in _TYPES:
        raise InvalidRequest(f"Stripe sets up no {word!r}", param="methods")
    return _TYPES[word]
