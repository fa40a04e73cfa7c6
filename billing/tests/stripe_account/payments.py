"""PaymentIntents that are confirmed at the server; `authenticate` is the customer at the bank."""

from billing.tests.accounts.account import JSON
from billing.tests.stripe_account.account import Account, Refusal
from billing.tests.stripe_account.payment_methods import is_debit


def act(account: Account, path: list[str], params: JSON) -> JSON | None:
    """The object that the call of this path is answered with; None: not one of these paths."""
    match path:
        case ["POST", "payment_intents"]:
            return charge(account, params)
    return None


def charge(account: Account, params: JSON) -> JSON:
    """Stripe: a confirmation without `return_url` has to rule methods that redirect out."""
    account.living(params["customer"])
    method = account.one(params["payment_method"])
    if method["customer"] != params["customer"]:
        raise Refusal(400, param="payment_method")
    redirects = params["automatic_payment_methods"].get("allow_redirects", "always")
    if redirects == "always" and not params.get("return_url"):
        raise Refusal(400, param="return_url")
    intent = _intent(account, params)
    token = account.cards.get(method["id"], "")
    if token == "pm_card_chargeCustomerFail":
        _decline(intent, code="card_declined", decline_code="insufficient_funds")
    if token == "pm_card_authenticationRequired":
        return _challenge(intent, params)
    return _succeed(account, intent, is_later=is_debit(account, method["id"]))


def authenticate(account: Account, intent_id: str) -> None:
    """The customer confirms at the bank."""
    _succeed(account, account.one(intent_id), is_later=False)


def _intent(account: Account, params: JSON) -> JSON:
    made = account.make(
        "payment_intent",
        "pi",
        amount=int(params["amount"]),
        currency=params["currency"],
        customer=params["customer"],
        payment_method=params["payment_method"],
        description=params.get("description"),
        metadata=params.get("metadata", {}),
    )
    nothing = "canceled_at last_payment_error next_action processing transfer_data"
    made |= dict.fromkeys(nothing.split())
    return made


def _succeed(account: Account, intent: JSON, *, is_later: bool) -> JSON:
    intent |= {"next_action": None, "latest_charge": f"ch_{intent['id']}"}
    if is_later:
        intent["status"] = "processing"
        return intent
    intent |= {"status": "succeeded", "amount_received": intent["amount"]}
    return intent


def _decline(intent: JSON, **error: str) -> None:
    """Stripe keeps the intent, open for another method."""
    intent |= {"status": "requires_payment_method", "payment_method": None}
    intent["last_payment_error"] = {"type": "card_error", "message": "No."} | error
    raise Refusal(402, type="card_error", **error)


def _challenge(intent: JSON, params: JSON) -> JSON:
    if params.get("off_session") is True:
        _decline(intent, code="authentication_required")
    intent["status"] = "requires_action"
    kind, details = "use_stripe_sdk", {"type": "three_d_secure_redirect"}
    if params.get("return_url"):
        url = f"https://hooks.stripe.com/3d_secure/{intent['id']}"
        kind, details = "redirect_to_url", {"url": url, "return_url": params["return_url"]}
    intent["next_action"] = {"type": kind, kind: details}
    return intent
