"""Webhooks, and the keys that sign what is posted to them; Conekta keeps the private halves."""

from billing.tests.accounts.account import JSON
from billing.tests.conekta_account.account import Account, Refusal
from billing.tests.conekta_account.signing import public_key

MOST = 10


def act(account: Account, path: list[str], params: JSON) -> JSON | list[JSON] | None:
    """The answer to the call of this path; None: not one of these paths."""
    match path:
        case ["POST", "webhooks"]:
            return _make(account, params)
        case ["GET", "webhooks"]:
            url = params.get("url")
            return [each for each in account.all("webhook") if url in (None, each["url"])]
        case ["PUT", "webhooks", found]:
            account.one(found, "webhook").update(params)
            return account.one(found, "webhook")
        case ["POST", "webhook_keys"]:
            return _make_key(account, params)
        case ["GET", "webhook_keys"]:
            return account.all("webhook_key")
    return None


def _make(account: Account, params: JSON) -> JSON:
    """Conekta: at most ten."""
    if len(account.all("webhook")) == MOST:
        raise Refusal(422, "parameter_validation.webhook.limit_reached")
    usual = {"subscribed_events": [], "description": "", "status": "listening", "active": True}
    made = account.make("webhook", account.new_hex(), **usual | params)
    made.pop("created_at")
    return made


def _make_key(account: Account, params: JSON) -> JSON:
    """Each is another one."""
    number = len(account.all("webhook_key"))
    is_active = params.get("active", True)
    return account.make(
        "webhook_key", account.new_hex(), active=is_active, public_key=public_key(number)
    )
