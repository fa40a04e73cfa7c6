"""Payment methods: Stripe's test cards and bank accounts become one each time they are attached."""

from billing.tests.accounts.account import JSON
from billing.tests.stripe_account.account import Account, Refusal, page

US_BANK = {
    "account_holder_type": "individual",
    "account_type": "checking",
    "bank_name": "STRIPE TEST BANK",
    "financial_connections_account": None,
    "fingerprint": "FFDMA0xfhBjWSZLu",
    "last4": "6789",
    "networks": {"preferred": "ach", "supported": ["ach"]},
    "routing_number": "110000000",
    "status_details": {},
}
SEPA = {
    "bank_code": "19043",
    "branch_code": "",
    "country": "AT",
    "fingerprint": "zgZ1a",
    "generated_from": {"charge": None, "setup_attempt": None},
    "last4": "3201",
}
DEBITS = {"pm_usBankAccount": ("us_bank_account", US_BANK), "pm_sepaDebit": ("sepa_debit", SEPA)}


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


def made_in_the_browser(account: Account, token: str) -> JSON:
    """What Stripe.js makes of the number that the customer types; nobody's yet."""
    made = account.make("payment_method", "pm", customer=None)
    card = made.pop("card")
    card |= {"generated_from": None, "wallet": None}
    prefix = next(filter(token.startswith, DEBITS), "")
    kind, details = DEBITS.get(prefix, ("card", card))
    made |= {"type": kind, kind: dict(details)}
    account.cards[made["id"]] = token
    return made


def is_debit(account: Account, method_id: str | None) -> bool:
    return account.cards.get(method_id or "", "").startswith(tuple(DEBITS))


def _attach(account: Account, token: str, owner: str) -> JSON:
    account.living(owner)
    is_test_number = token.startswith(("pm_card_", *DEBITS))
    found = made_in_the_browser(account, token) if is_test_number else account.one(token)
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
