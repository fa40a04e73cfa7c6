"""Hosted pages: Conekta's checkout of an order, and the customer portal of a subscription."""

from billing.tests.accounts.account import JSON
from billing.tests.conekta_account.account import Account, Refusal

_DAY = 24 * 3600


def act(account: Account, path: list[str], params: JSON) -> JSON | list[JSON] | None:
    """The answer to the call of this path; None: not one of these paths."""
    match path:
        case ["POST", "subscriptions", subscription, "customer_portal"]:
            return _portal(account, account.one(subscription, "subscription"))
        case ["GET", "checkouts", checkout]:
            return account.one(checkout, "checkout")
        case ["PUT", "checkouts", checkout, "cancel"]:
            found = account.one(checkout, "checkout")
            found["status"] = "Cancelled"
            return found
    return None


def open_for(account: Account, order: JSON, params: JSON) -> JSON:
    """The page of an order; nothing is paid yet."""
    if params.get("plan_ids") and params["allowed_payment_methods"] != ["card"]:
        name = "allowed_payment_methods"
        raise Refusal(422, f"parameter_validation.checkout.{name}.invalid", name)
    checkout_id = account.new_uuid()
    slug = checkout_id.replace("-", "")
    usual = {"expires_at": account.stamp + _DAY, "monthly_installments_enabled": False}
    usual |= {"name": order["id"], "url": f"https://pay.conekta.com/checkout/{slug}"}
    made = account.make(
        "checkout", checkout_id, status="Issued", slug=slug, metadata={}, **usual | params
    )
    made.pop("created_at")
    order["checkout"] = made
    order["channel"] = {
        "checkout_request_id": checkout_id,
        "checkout_request_type": params["type"],
        "id": account.new_id("channel"),
        "segment": "Checkout",
    }
    return made


def complete_for(order: JSON) -> None:
    """The order has been paid: its page is done."""
    if "checkout" in order:
        order["checkout"] |= {"status": "finalized", "paid_payments_count": 1}


def expire(account: Account, checkout_id: str) -> None:
    """Nobody has paid in time."""
    with account.happening():
        found = account.one(checkout_id, "checkout")
        account.move_to(found["expires_at"])
        found["status"] = "Expired"


def _portal(account: Account, subscription: JSON) -> JSON:
    slug = account.new_id("portal")
    return account.make(
        "customer_portal",
        account.new_id("scp"),
        slug=slug,
        subscription_id=subscription["id"],
        customer_id=subscription["customer_id"],
        portal_url=f"https://pay.conekta.io/subscription/management/{slug}",
        updated_at=account.stamp,
    )
