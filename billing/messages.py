"""Error and decline codes in the customer's words, with what to do next. Imported by doors only.

Never holds a provider's text or name. An unknown code gets the text of its HTTP status's class.
"""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_TEXTS: dict[str, Promise] = {
    # The request
    "validation_error": _("Some fields are not right. See the errors and send it again."),
    "bad_request": _("The request is not one that we can read. Correct it and send it again."),
    "parse_error": _("The body is not valid JSON in UTF-8. Correct it and send it again."),
    "unsupported_media_type": _("Send the body as application/json in UTF-8."),
    "not_acceptable": _("This API answers in application/json only. Change the Accept header."),
    "method_not_allowed": _("This address does not support this method."),
    "request_too_large": _("The request is too large. Send less data."),
    "not_found": _("There is nothing here that you can see. Check the address and the id."),
    "card_number_refused": _(
        "The request holds what looks like a card number. Card numbers must never be sent here: "
        "let the payment form turn the card into a token and send the token."
    ),
    "idempotency_key_invalid": _(
        "Idempotency-Key must be 1 to 255 printable ASCII characters, for example a UUID."
    ),
    "idempotency_conflict": _(
        "This Idempotency-Key was used for another request. Use a new key for a new request."
    ),
    "request_in_progress": _(
        "The same change is still being made. Wait a moment and send the request again."
    ),
    "throttled": _("Too many requests. Wait a moment and try again."),
    # Who asks
    "not_authenticated": _("Log in, or send a token in the Authorization header."),
    "authentication_failed": _("The log-in or token is not valid. Log in again."),
    "permission_denied": _("You are not allowed to do this. Ask an owner of your organization."),
    "no_organization": _(
        "You do not belong to an organization that has billing. Ask to be invited to one."
    ),
    "organization_required": _(
        "You belong to several organizations. Name one in the X-Organization header."
    ),
    # What is asked for
    "unknown_provider": _("There is no such payment provider."),
    "capability_missing": _(
        "The payment provider of this object cannot do this. Choose another way or contact us."
    ),
    "no_route": _("We cannot take payments for this plan, currency and country yet. Contact us."),
    "invalid_rules": _("These routing rules could not decide. Correct them and try again."),
    "draft_changed": _(
        "Somebody else has changed this draft. Reload it and make your change again."
    ),
    "decision_outdated": _(
        "This choice of provider was made for another purchase or is too old. Ask for a new one."
    ),
    "invalid_transition": _("The current state does not allow this. Reload and look again."),
    "already_subscribed": _(
        "Your organization has a subscription already. Change that one instead of adding another."
    ),
    "refund_exceeds_payment": _(
        "No more can be refunded than is left of the payment. Enter a smaller amount."
    ),
    "voucher_not_offered": _("This invoice cannot be paid that way. Choose another way to pay it."),
    "voucher_missing": _("There is no voucher for this invoice yet. Ask for one."),
    "payment_method_in_use": _(
        "A subscription is paid with this payment method. Add another one first."
    ),
    "payment_method_elsewhere": _(
        "This payment method cannot be used for this purchase. Add it again and use the new one."
    ),
    "plan_not_sellable": _(
        "This plan is not sold at this interval and currency. Choose another plan or interval."
    ),
    "currency_locked": _("Your organization is billed in another currency. Use that currency."),
    "profile_incomplete": _(
        "Your billing profile lacks what the payment provider needs. Fill in the fields named."
    ),
    # The payment provider
    "provider_error": _("The payment provider had a problem. Try again in a few minutes."),
    "provider_unavailable": _(
        "The payment provider cannot be reached and nothing was charged. Try again shortly."
    ),
    "rate_limited": _("The payment provider is busy and nothing was charged. Try again shortly."),
    "credentials_rejected": _(
        "Payments are not available because of a fault on our side. We have been told; try later."
    ),
    "outcome_unknown": _(
        "We do not know yet whether this went through. Do not start anew: send the same request "
        "with the same Idempotency-Key, or wait until we have found out."
    ),
    "invalid_request": _(
        "The payment provider refused the data. Check what you entered, or use a new token."
    ),
    "provider_object_missing": _(
        "The payment provider no longer knows this object. Reload, or use a new token."
    ),
    "provider_key_conflict": _(
        "The payment provider saw this key with other data. Use a new Idempotency-Key."
    ),
    # Declines
    "card_declined": _("The card was declined. Use another card or ask your bank."),
    "insufficient_funds": _("There is not enough money on the card. Use another card."),
    "expired_card": _("The card has expired. Add a card that is still valid."),
    "incorrect_cvc": _("The security code is wrong. Enter the card again."),
    "incorrect_number": _("The card number is wrong. Enter the card again."),
    "authentication_required": _(
        "Your bank wants you to confirm the payment. Confirm it and try again."
    ),
    "processing_error": _("The card could not be processed. Try again in a few minutes."),
    "lost_or_stolen_card": _("The card was declined. Use another card or ask your bank."),
    "fraud_suspected": _("The payment was declined. Use another card or contact us."),
    "card_not_supported": _("This kind of card is not accepted here. Use another card."),
    "limit_exceeded": _("The card's limit is reached. Use another card or ask your bank."),
    "do_not_honor": _("The bank declined the payment. Ask your bank or use another card."),
    # Us
    "unavailable": _("The service is not available for a moment. Try again shortly."),
    "server_error": _(
        "Something went wrong on our side. Try again; if it stays, send us the request_id."
    ),
}
_DECLINED = "card_declined"


def text_for(code: str, status: int) -> Promise:
    """Return the translatable text of `code`; for an unknown one that of the HTTP `status`."""
    return _TEXTS.get(code) or _TEXTS[_fallback(status)]


def _fallback(status: int) -> str:
    if status == 402:
        return _DECLINED
    return "server_error" if status >= 500 else "validation_error"
