"""Checkout sessions and the portal; `complete` and `expire` are the customer, and time."""

from billing.tests.accounts.account import JSON
from billing.tests.stripe_account import payments, subscriptions
from billing.tests.stripe_account.account import Account, Refusal
from billing.tests.stripe_account.payment_methods import made_in_the_browser

_MADE = {
    "subscription": "subscription_data",
    "payment": "payment_intent_data",
    "setup": "setup_intent_data",
}


def act(account: Account, path: list[str], params: JSON) -> JSON | None:
    """The object that the call of this path is answered with; None: not one of these paths."""
    match path:
        case ["POST", "checkout", "sessions"]:
            return _open(account, params)
        case ["GET", "checkout", "sessions", found]:
            return account.one(found)
        case ["POST", "billing_portal", "sessions"]:
            return _portal(account, params)
    return None


def complete(account: Account, session_id: str, token: str) -> None:
    """What the page does with the test number that the customer types."""
    session, params = account.one(session_id), account.carts[session_id]
    method = made_in_the_browser(account, token)
    method["customer"] = session["customer"]
    data = params[_MADE[session["mode"]]]
    _FINISH[session["mode"]](account, session, params, method["id"], data)
    session |= {"status": "complete", "url": None}


def expire(account: Account, session_id: str) -> None:
    """Stripe: after 24 hours, unless it is told otherwise."""
    account.one(session_id).update(status="expired", url=None)


def _subscribe(account: Account, session: JSON, params: JSON, method: str, data: JSON) -> None:
    wanted = {
        "customer": session["customer"],
        "items": params["line_items"],
        "default_payment_method": method,
        "metadata": data["metadata"],
    }
    if "trial_end" in data:
        wanted["trial_end"] = data["trial_end"]
    made = subscriptions.subscribe(account, wanted)
    session |= {"subscription": made["id"], "invoice": made["latest_invoice"]}
    session["payment_status"] = "no_payment_required" if "trial_end" in data else "paid"
    if "trial_end" not in data:
        account.lives[made["id"]].pay()


def _charge(account: Account, session: JSON, params: JSON, method: str, data: JSON) -> None:
    wanted = {
        "amount": str(session["amount_total"]),
        "currency": session["currency"],
        "customer": session["customer"],
        "payment_method": method,
        "automatic_payment_methods": {"allow_redirects": "never"},
        "metadata": data["metadata"],
    }
    made = payments.charge(account, wanted)
    session["payment_intent"] = made["id"]
    session["payment_status"] = "paid" if made["status"] == "succeeded" else "unpaid"


def _keep(account: Account, session: JSON, params: JSON, method: str, data: JSON) -> None:
    account.one(session["setup_intent"]).update(status="succeeded", payment_method=method)


_FINISH = {"subscription": _subscribe, "payment": _charge, "setup": _keep}


def _open(account: Account, params: JSON) -> JSON:
    account.living(params["customer"])
    if "payment_method_types" in params:
        raise Refusal(400, code="payment_method_types_no_longer_supported")
    mode = params["mode"]
    if mode == "setup" and "currency" not in params:
        raise Refusal(400, param="currency")
    lines = list(params.get("line_items", {}).values())
    total = sum(
        _price(account, mode, each)["unit_amount"] * int(each["quantity"]) for each in lines
    )
    is_free = mode == "setup" or "trial_end" in params.get("subscription_data", {})
    made = account.make(
        "checkout.session",
        "cs",
        mode=mode,
        customer=params["customer"],
        client_reference_id=params.get("client_reference_id"),
        metadata=params.get("metadata", {}),
        success_url=params["success_url"],
        cancel_url=params.get("cancel_url"),
        payment_intent=None,
        payment_status="no_payment_required" if is_free else "unpaid",
        expires_at=int(account.now.timestamp()) + 24 * 3600,
    )
    made["url"] = f"https://checkout.stripe.com/c/pay/{made['id']}"
    made |= dict.fromkeys(("after_expiration", "consent", "consent_collection", "customer_details"))
    made |= dict.fromkeys(("invoice_creation", "shipping_address_collection", "shipping_cost"))
    made |= dict.fromkeys(("collected_information", "total_details"))
    made["automatic_tax"] |= {"enabled": params.get("automatic_tax", {}).get("enabled") is True}
    if lines:
        code = _price(account, mode, lines[0])["currency"]
        made |= {
            "currency": code,
            "amount_subtotal": total,
            "amount_total": 0 if is_free else total,
        }
    else:
        intent = account.make("setup_intent", "seti", customer=params["customer"])
        intent |= {"last_setup_error": None, "next_action": None}
        intent["metadata"] = params["setup_intent_data"]["metadata"]
        made |= {"currency": params["currency"], "setup_intent": intent["id"]}
    account.carts[made["id"]] = params
    return made


def _price(account: Account, mode: str, line: JSON) -> JSON:
    """Stripe: prices of a subscription recur, those of a payment do not."""
    if "price_data" in line:
        data = line["price_data"]
        return {"unit_amount": int(data["unit_amount"]), "currency": data["currency"]}
    price = account.one(line["price"])
    if bool(price["recurring"]) != (mode == "subscription"):
        raise Refusal(400, param="line_items[0][price]")
    return price


def _portal(account: Account, params: JSON) -> JSON:
    account.living(params["customer"])
    made = account.make("billing_portal.session", "bps", customer=params["customer"])
    made.pop("metadata")
    made |= {"return_url": params["return_url"], "flow": None}
    made["url"] = f"https://billing.stripe.com/p/session/{made['id']}"
    return made
