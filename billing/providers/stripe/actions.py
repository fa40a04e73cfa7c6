"""What the customer must do next, out of a PaymentIntent or a subscription. Pure."""

from billing.enums import NextActionType
from billing.providers.types import JSON, NextAction
from billing.providers.values import items, moment, part, text

_WAITING_FOR_CUSTOMER = ("requires_action", "requires_source_action")
_UNDER_WAY = ("processing", *_WAITING_FOR_CUSTOMER)
_SETUP_OPEN = ("requires_payment_method", "requires_confirmation", *_WAITING_FOR_CUSTOMER)
_VOUCHER_FIELDS = {"number": "reference", "reference": "reference", "entity": "entity"}
_URL_FIELDS = ("hosted_voucher_url", "hosted_instructions_url", "hosted_verification_url", "url")


def attempts(source: JSON) -> list[JSON]:
    """The invoice's payments, the paid or default one first."""
    found = items(source.get("payments"))
    return sorted(
        found, key=lambda each: (each.get("status") != "paid", each.get("is_default") is not True)
    )


def intent_of(source: JSON) -> JSON:
    """The expanded PaymentIntent of an invoice, empty when only its id is there."""
    moved = (part(each, "payment", "payment_intent") for each in attempts(source))
    return next(filter(None, moved), part(source, "payment_intent"))


def payment_action(intent: JSON) -> NextAction | None:
    """Return what a PaymentIntent waits for: the customer, the bank, or nothing (None)."""
    status = text(intent.get("status"))
    if status == "processing":
        return NextAction(type=NextActionType.WAIT)
    if status not in _WAITING_FOR_CUSTOMER:
        return None
    action = part(intent, "next_action")
    kind = text(action.get("type"))
    details = part(action, kind)
    if kind.endswith("_display_details") or kind == "display_bank_transfer_instructions":
        return NextAction(type=NextActionType.DISPLAY_VOUCHER, details=_voucher(details))
    url = _url(details)
    if url:
        return NextAction(type=NextActionType.REDIRECT, details={"url": url})
    return _use_sdk(intent.get("client_secret"), "payment")


def subscription_action(subscription: JSON) -> NextAction | None:
    """Return what a new subscription waits for, when the invoice or set-up intent is expanded.

    Stripe: `latest_invoice.confirmation_secret` when money is due, `pending_setup_intent` when a
    trial starts; before 2025-03-31 `latest_invoice.payment_intent`.
    """
    invoice = part(subscription, "latest_invoice")
    intent, secret = intent_of(invoice), part(invoice, "confirmation_secret").get("client_secret")
    if intent and (intent.get("status") in _UNDER_WAY or not secret):
        return payment_action(intent)
    if subscription.get("status") in ("incomplete", "paused") and text(secret):
        return _use_sdk(secret, "payment")
    setup = part(subscription, "pending_setup_intent")
    if setup.get("status") in _SETUP_OPEN:
        return _use_sdk(setup.get("client_secret"), "setup")
    return None


def setup_action(intent: JSON) -> NextAction | None:
    """Return what a SetupIntent waits for. Stripe: micro-deposits are told back on a page of their
    own (`verify_with_microdeposits`); all else is done by Stripe.js from the client secret."""
    status = text(intent.get("status"))
    if status == "processing":
        return NextAction(type=NextActionType.WAIT)
    if status not in _SETUP_OPEN:
        return None
    action = part(intent, "next_action")
    url = _url(part(action, text(action.get("type"))))
    if status in _WAITING_FOR_CUSTOMER and url:
        return NextAction(type=NextActionType.REDIRECT, details={"url": url})
    return _use_sdk(intent.get("client_secret"), "setup")


def _use_sdk(secret: object, intent: str) -> NextAction:
    """Stripe.js handles every action from the client secret alone, new kinds included."""
    details = {"client_secret": text(secret), "intent": intent}
    return NextAction(type=NextActionType.USE_SDK, details=details)


def _voucher(details: JSON) -> dict[str, str]:
    shown = {
        ours: text(details.get(theirs))
        for theirs, ours in _VOUCHER_FIELDS.items()
        if text(details.get(theirs))
    }
    expires = moment(details.get("expires_after")) or moment(details.get("expires_at"))
    if expires is not None:
        shown["expires_at"] = expires.isoformat()
    url = _url(details)
    return {**shown, "url": url} if url else shown


def _url(details: JSON) -> str:
    return next((text(details[name]) for name in _URL_FIELDS if details.get(name)), "")
