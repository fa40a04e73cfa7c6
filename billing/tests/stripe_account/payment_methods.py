"""Payment methods: Stripe's test cards become one each time they are attached."""

from billing.tests.stripe_account.account import JSON, Account, Refusal, page
from billing.tests.stripe_life import published


def act(account: Account, path: list[str], params: JSON) -> JSON | None:
    """The object that the call of this path is answered with; None: not one of these paths."""
    match path:
        case ["POST", "payment_methods", found, "attach"]:
            return _attach(account, found, params["customer"])
        case ["POST", "payment_methods", found, "detach"]:
            return _detach(account, found)
        case ["GET", "customers", owner, "payment_methods"]:
            return page(account.all("payment_method", owner))
    return None


def _attach(account: Account, token: str, owner: str) -> JSON:
    account.living(owner)
    if token.startswith("pm_card_"):
        card = published("payment_method")["card"] | {"generated_from": None, "wallet": None}
        made = account.make("payment_method", "pm", customer=owner, card=card)
        account.cards[made["id"]] = token
        return made
    found = account.one(token)
    if found["customer"] not in (None, owner):
        raise Refusal(400)
    found["customer"] = owner
    return found


def _detach(account: Account, remote_id: str) -> JSON:
    found = account.one(remote_id)
    if not found["customer"]:
        raise Refusal(400)
    found["customer"] = None
    return found
