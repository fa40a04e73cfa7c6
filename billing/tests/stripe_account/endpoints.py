"""Webhook endpoints."""

from billing.tests.accounts.account import JSON
from billing.tests.stripe_account.account import Account, page


def act(account: Account, path: list[str], params: JSON) -> JSON | None:
    """The object that the call of this path is answered with; None: not one of these paths."""
    match path:
        case ["POST", "webhook_endpoints"]:
            return _make(account, params)
        case ["POST", "webhook_endpoints", found]:
            return _change(account, found, params)
        case ["GET", "webhook_endpoints"]:
            return page(account.all("webhook_endpoint"), "/v1/webhook_endpoints")
    return None


def _make(account: Account, params: JSON) -> JSON:
    """The secret is told in this answer and in no other."""
    events = list(params.pop("enabled_events").values())
    made = account.make("webhook_endpoint", "we", enabled_events=events, description=None, **params)
    return made | {"secret": f"whsec_{made['id']}"}


def _change(account: Account, endpoint_id: str, params: JSON) -> JSON:
    found = account.one(endpoint_id)
    if "enabled_events" in params:
        found["enabled_events"] = list(params["enabled_events"].values())
    if "disabled" in params:
        found["status"] = "disabled" if params["disabled"] is True else "enabled"
    return found
