"""Customers, and the search among them."""

import re

from billing.tests.accounts.account import JSON
from billing.tests.stripe_account.account import Account, Refusal, page


def act(account: Account, path: list[str], params: JSON) -> JSON | None:
    """The object that the call of this path is answered with; None: not one of these paths."""
    match path:
        case ["POST", "customers"]:
            return account.make("customer", "cus", **{"discount": None} | params)
        case ["DELETE", "customers", found]:
            return _delete_customer(account, found)
        case ["POST", "customers", found]:
            return account.update(found, params)
        case ["GET", "customers"]:
            return page([each for each in account.all("customer") if not each.get("deleted")])
        case ["GET", "customers", "search"]:
            return _search(account, params["query"])
    return None


def _delete_customer(account: Account, remote_id: str) -> JSON:
    account.living(remote_id)
    account.objects[remote_id] = {"id": remote_id, "object": "customer", "deleted": True}
    return account.objects[remote_id]


def _search(account: Account, query: str) -> JSON:
    """As loosely as Stripe does: by tokens, so what is found must be looked at."""
    match = re.fullmatch(r"metadata\['(\w+)'\]:'([^']*)'", query)
    if not match:
        raise Refusal(400)
    name, value = match.groups()
    living = [each for each in account.all("customer") if not each.get("deleted")]
    found = [each for each in living if each["metadata"].get(name, "").startswith(value)]
    answer = page(found, "/v1/customers/search")
    return answer | {"object": "search_result", "next_page": None}
