"""Asking for the money of an invoice, and what time brings: renewals, retries, debits that arrive.

By Stripe's test numbers. `refuse` lets a bank refuse a card that it took before.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from billing.tests.accounts.account import JSON
from billing.tests.stripe_account.account import Account, Refusal
from billing.tests.stripe_account.lives import AccountLife
from billing.tests.stripe_account.payment_methods import is_debit

REFUSED = "pm_card_chargeCustomerFail"
DEBIT_TAKES = timedelta(days=4)


def charge(account: Account, life: AccountLife, method_id: str | None) -> None:
    """Collect a life's open invoice. Raises the Refusal that the API answers with: the bank's, or
    that the customer must act in the browser first."""
    token = account.cards.get(method_id or "")
    if token == REFUSED:
        life.fail()
        declined = {"type": "card_error", "code": "card_declined"}
        raise Refusal(402, **declined, decline_code="insufficient_funds")
    life.payment_method_id = method_id
    if token == "pm_card_authenticationRequired":
        account.one(life.payment_id)["status"] = "requires_action"
        raise Refusal(402, code="invoice_payment_intent_requires_action")
    if is_debit(account, method_id):
        life.process()
    else:
        life.pay()


def refuse(account: Account, method_id: str) -> None:
    """From now on its bank refuses to be charged."""
    account.cards[method_id] = REFUSED


def renew(account: Account, subscription_id: str) -> None:
    """The paid period is over: the subscription ends as planned, or the next one is billed and
    asked for."""
    life, found = _life(account, subscription_id)
    if found["cancel_at_period_end"]:
        _at(account, found["items"]["data"][0]["current_period_end"], life.cancel)
        return
    with account.happening():
        life.start_renewal()
    retry(account, subscription_id)


def retry(account: Account, subscription_id: str) -> None:
    """Stripe asks for the open invoice, for the first time or again when the next try is due."""
    life, found = _life(account, subscription_id)
    owner = account.one(found["customer"])
    default = owner["invoice_settings"]["default_payment_method"]

    def ask() -> None:
        with suppress(Refusal):
            charge(account, life, found["default_payment_method"] or default)

    _at(account, account.one(life.invoice_id)["next_payment_attempt"] or 0, ask)


def give_up(account: Account, subscription_id: str) -> None:
    """The last retry has failed: the subscription ends, its invoice stays open."""
    life, found = _life(account, subscription_id)
    with account.happening():
        life.cancel()
        found["cancellation_details"]["reason"] = "payment_failed"


def arrive(account: Account, subscription_id: str) -> None:
    """The bank debit under way arrives, days after it was asked for."""
    life, _ = _life(account, subscription_id)
    _at(account, _debited_at(account, life), life.pay)


def bounce(account: Account, subscription_id: str) -> None:
    """The bank debit under way is refused, days after it was asked for."""
    life, _ = _life(account, subscription_id)
    _at(account, _debited_at(account, life), life.bounce)


def _debited_at(account: Account, life: AccountLife) -> int:
    return int(account.one(life.invoice_id)["created"] + DEBIT_TAKES.total_seconds())


def _life(account: Account, subscription_id: str) -> tuple[AccountLife, JSON]:
    life = account.lives[subscription_id]
    assert isinstance(life, AccountLife)
    return life, account.one(subscription_id)


def _at(account: Account, stamp: int, act: Callable[[], object]) -> None:
    """Let it happen at that time, or now where that is over."""
    with account.happening():
        account.now = max(account.now, datetime.fromtimestamp(stamp, UTC))
        act()
