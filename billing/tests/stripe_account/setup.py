"""SetupIntents and mandates; `confirm` and `succeed` are what Stripe.js and the bank do to them."""

from billing.tests.accounts.account import JSON
from billing.tests.stripe_account.account import Account, Refusal
from billing.tests.stripe_account.payment_methods import DEBITS, made_in_the_browser

_VERIFICATION_URL = "https://payments.stripe.com/microdeposit/pacs_test_1"


def act(account: Account, path: list[str], params: JSON) -> JSON | None:
    """The object that the call of this path is answered with; None: not one of these paths."""
    match path:
        case ["POST", "setup_intents"]:
            return _open(account, params)
    return None


def confirm(account: Account, setup_id: str, token: str) -> None:
    """By Stripe's test numbers: a card may need 3-D Secure or be refused, a bank account that is
    only typed in (`pm_usBankAccount`) is verified by micro-deposits."""
    intent = account.one(setup_id)
    intent |= {"last_setup_error": None, "next_action": None}
    if token == "pm_card_chargeDeclined":
        error = {"type": "card_error", "code": "card_declined", "message": "Declined."}
        intent |= {"status": "requires_payment_method"}
        intent["last_setup_error"] = error | {"decline_code": "insufficient_funds"}
        return
    method = made_in_the_browser(account, token)
    intent["payment_method"] = method["id"]
    if token.startswith(tuple(DEBITS)):
        intent["mandate"] = _mandate(account, method)["id"]
    if token in ("pm_card_authenticationRequired", "pm_usBankAccount"):
        action = _action(account, token)
        intent |= {
            "status": "requires_action",
            "next_action": {"type": next(iter(action))} | action,
        }
        return
    succeed(account, setup_id)


def succeed(account: Account, setup_id: str) -> None:
    """Stripe: the payment method is attached to the customer now."""
    intent = account.one(setup_id)
    intent |= {"status": "succeeded", "next_action": None}
    account.one(intent["payment_method"])["customer"] = intent["customer"]
    if intent["mandate"]:
        account.one(intent["mandate"])["status"] = "active"


def _open(account: Account, params: JSON) -> JSON:
    account.living(params["customer"])
    if "payment_method_types" in params:
        raise Refusal(400, code="payment_method_types_no_longer_supported")
    allowed = list(params.pop("allowed_payment_method_types", {}).values())
    made = account.make("setup_intent", "seti", **params)
    made |= {"last_setup_error": None, "next_action": None}
    made |= {"client_secret": f"{made['id']}_secret_1"}
    made["payment_method_types"] = allowed or ["card"]
    return made


def _mandate(account: Account, method: JSON) -> JSON:
    made = account.make("mandate", "mandate", payment_method=method["id"], status="pending")
    for name in ("created", "metadata"):
        made.pop(name)
    details = {"sepa_debit": {"reference": "ABCD1234", "url": "https://example.com/mandate"}}
    kind = method["type"]
    made["payment_method_details"] = {"type": kind, kind: details.get(kind, {})}
    return made


def _action(account: Account, token: str) -> JSON:
    if token == "pm_card_authenticationRequired":
        return {"use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    deposits = {"hosted_verification_url": _VERIFICATION_URL, "microdeposit_type": "amounts"}
    return {"verify_with_microdeposits": deposits | {"arrival_date": int(account.now.timestamp())}}
