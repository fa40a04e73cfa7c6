"""Pausing subscriptions; what happens then is told by their lives."""

from billing.tests.accounts.account import JSON
from billing.tests.stripe_account.account import Account, Refusal


def act(account: Account, path: list[str], params: JSON) -> JSON | None:
    """The object that the call of this path is answered with; None: not one of these paths."""
    match path:
        case ["POST", "subscriptions", found, "pause"]:
            return _pause(account, found)
        case ["POST", "subscriptions", found, "resume"]:
            return _resume(account, found, params)
    return None


def _pause(account: Account, remote_id: str) -> JSON:
    subscription = account.one(remote_id)
    if subscription["status"] != "active":
        raise Refusal(400)
    account.lives[remote_id].pause()
    return subscription


def _resume(account: Account, remote_id: str, params: JSON) -> JSON:
    """Stripe, resume_on_payment_success: payment is tried now, and until it succeeds the
    subscription stays paused."""
    subscription = account.one(remote_id)
    if subscription["status"] != "paused":
        raise Refusal(400)
    assert params["payment_behavior"] == "resume_on_payment_success"
    life = account.lives[remote_id]
    life.start_resumption()
    account.adopt(life)
    if account.cards.get(subscription["default_payment_method"]) == "pm_card_chargeCustomerFail":
        life.fail()
    else:
        life.pay()
    return subscription
