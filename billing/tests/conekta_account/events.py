"""Events: what a journal tells, newest first; each can be sent again."""

from billing.tests.accounts.account import JSON
from billing.tests.conekta_account.account import Account, Refusal


def act(account: Account, path: list[str], params: JSON) -> JSON | list[JSON] | None:
    """The answer to the call of this path; None: not one of these paths."""
    match path:
        case ["GET", "events"]:
            return account.told[::-1]
        case ["GET", "events", found]:
            return _one(account, found)
        case ["POST", "events", found, "resend"]:
            return _resend(account, _one(account, found), params["webhooks_ids"])
    return None


def _one(account: Account, event_id: str) -> JSON:
    for each in account.told:
        if each["id"] == event_id:
            return each
    raise Refusal(404, "resource_not_found.entity")


def _resend(account: Account, event: JSON, webhook_ids: list[str]) -> JSON:
    """`account.resent` is for the test to post. One of the webhooks is answered for."""
    webhook, *_ = [account.one(each, "webhook") for each in webhook_ids]
    account.resent.append(event)
    return {
        "id": account.new_id("webhl"),
        "url": webhook["url"],
        "failed_attempts": 0,
        "last_attempted_at": account.stamp,
        "last_http_response_status": 200,
        "response_data": {},
    }
