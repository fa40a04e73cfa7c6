"""Stripe's decline codes as our stable ones. Pure."""

from billing.providers.types import JSON
from billing.providers.values import text

_CODES = {
    "insufficient_funds": "insufficient_funds",
    "expired_card": "expired_card",
    "authentication_required": "authentication_required",
    "authentication_not_handled": "authentication_required",
    "invoice_payment_intent_requires_action": "authentication_required",
    "subscription_payment_intent_requires_action": "authentication_required",
    "payment_intent_authentication_failure": "authentication_required",
    "setup_intent_authentication_failure": "authentication_required",
}


def decline_code(error: JSON) -> str:
    """Return our code for an error or a failed charge; the bank's reason goes before Stripe's."""
    words = (text(error.get(name)) for name in ("decline_code", "code", "failure_code"))
    return next((_CODES[word] for word in words if word in _CODES), "card_declined")
