"""Invoices and how they are paid."""

from billing.tests.accounts.account import JSON
from billing.tests.stripe_account.account import Account, Refusal, page
from billing.tests.stripe_account.charging import charge
from billing.tests.stripe_account.lives import AccountLife


def act(account: Account, path: list[str], params: JSON) -> JSON | None:
    """The object that the call of this path is answered with; None: not one of these paths."""
    match path:
        case ["POST", "invoices", found, "finalize"]:
            return _finalize(account, found)
        case ["POST", "invoices", found, "pay"]:
            return _pay(account, found, params)
        case ["POST", "invoices", found, "void"]:
            return _close(account, found, "void", ("open", "uncollectible"))
        case ["POST", "invoices", found, "mark_uncollectible"]:
            return _close(account, found, "uncollectible", ("open",))
        case ["GET", "invoices"]:
            return page(account.all("invoice", params.get("customer", "")))
        case ["GET", "payment_intents"]:
            return page(account.all("payment_intent", params.get("customer", "")))
    return None


def _finalize(account: Account, invoice_id: str) -> JSON:
    invoice = account.one(invoice_id)
    if invoice["status"] != "draft":
        raise Refusal(400)
    invoice["status"] = "open"
    return invoice


def _close(account: Account, invoice_id: str, status: str, allowed: tuple[str, ...]) -> JSON:
    invoice = account.one(invoice_id)
    if invoice["status"] not in allowed:
        raise Refusal(400)
    invoice |= {"status": status, "next_payment_attempt": None}
    times = {"void": "voided_at", "uncollectible": "marked_uncollectible_at"}
    invoice["status_transitions"][times[status]] = int(account.now.timestamp())
    return invoice


def _pay(account: Account, invoice_id: str, params: JSON) -> JSON:
    invoice = account.one(invoice_id)
    if invoice["status"] != "open":
        raise Refusal(400)
    life = account.lives[invoice["parent"]["subscription_details"]["subscription"]]
    assert isinstance(life, AccountLife)
    subscription = account.one(life.subscription_id)
    charge(account, life, params.get("payment_method") or subscription["default_payment_method"])
    return invoice
