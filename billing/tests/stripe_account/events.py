"""Events: what a journal tells, without one what happened to the lives; newest first."""

import json

from billing.tests.accounts.account import JSON
from billing.tests.stripe_account.account import Account, page


def act(account: Account, path: list[str], params: JSON) -> JSON | None:
    """The object that the call of this path is answered with; None: not one of these paths."""
    match path:
        case ["GET", "events"]:
            return page(_events(account))
    return None


def _events(account: Account) -> list[JSON]:
    if account.told:
        return account.told[::-1]
    told = [json.loads(each.body) for life in account.lives.values() for each in life.events]
    return sorted(told, key=lambda each: int(each["created"]), reverse=True)
