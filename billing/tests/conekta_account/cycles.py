"""What time does to subscriptions: trials end, cycles are billed, refused cards are tried again.

cycles.renew(account, subscription_id)      # the cycle is over: the next is billed
cycles.retry(account, subscription_id)      # Conekta tries a refused card once more
cycles.give_up(account, subscription_id)    # the last try has failed
"""

from datetime import UTC, datetime, timedelta

from billing.tests.accounts.account import JSON
from billing.tests.conekta_account import orders
from billing.tests.conekta_account.account import Account
from billing.tests.conekta_account.customers import source_of

_MONTHS = {"month": 1, "year": 12}
_DAYS = {"week": 7, "half_month": 15}
_RETRY = timedelta(hours=48)


def renew(account: Account, subscription_id: str) -> None:
    """The trial or the paid cycle is over: the next one is billed and asked for."""
    with account.happening():
        found = account.one(subscription_id, "subscription")
        account.move_to(found["billing_cycle_end"])
        bill(account, found)


def retry(account: Account, subscription_id: str) -> None:
    """The card of a cycle that was refused is tried again, as the plan has it."""
    with account.happening():
        account.now += _RETRY
        ask_again(account, account.one(subscription_id, "subscription"))


def give_up(account: Account, subscription_id: str) -> None:
    """The last try has failed: Conekta ends the subscription."""
    with account.happening():
        end(account, account.one(subscription_id, "subscription"), "max_retries")


def end(account: Account, subscription: JSON, reason: str) -> None:
    subscription |= {"status": "canceled", "canceled_at": account.stamp}
    subscription["canceled_reason"] = reason


def bill(account: Account, subscription: JSON) -> None:
    """Make the next cycle's order and ask for its money. Conekta leaves the old cycle standing
    until the new one is paid, and a first one that is refused has none."""
    plan = account.one(subscription["plan_id"], "plan")
    customer = account.one(subscription["customer_id"], "customer")
    owner = {name: customer[name] for name in ("name", "email", "phone")}
    line = {"name": plan["name"], "quantity": 1, "unit_price": plan["amount"]}
    owner["customer_id"] = customer["id"]
    order = orders.make(account, owner, plan["currency"], [line], mode="recurrent")
    subscription["last_billing_cycle_order_id"] = order["id"]
    _ask(account, subscription, order)


def ask_again(account: Account, subscription: JSON) -> None:
    _ask(account, subscription, account.one(subscription["last_billing_cycle_order_id"], "order"))


def _ask(account: Account, subscription: JSON, order: JSON) -> None:
    source = source_of(account.one(subscription["customer_id"]), subscription["card_id"])
    charge = orders.take(account, order, source)
    subscription["charge_id"] = charge["id"]
    if charge["status"] != "paid":
        subscription["status"] = "past_due"
        return
    start = subscription["billing_cycle_end"] or account.stamp
    plan = account.one(subscription["plan_id"], "plan")
    subscription |= {
        "status": "active",
        "billing_cycle_start": start,
        "billing_cycle_end": _after(start, plan["interval"], plan["frequency"]),
    }


def _after(start: int, interval: str, frequency: int) -> int:
    moment = datetime.fromtimestamp(start, UTC)
    if interval in _DAYS:
        return int((moment + timedelta(days=_DAYS[interval] * frequency)).timestamp())
    months = moment.month - 1 + _MONTHS[interval] * frequency
    year, month = moment.year + months // 12, months % 12 + 1
    return int(moment.replace(year=year, month=month, day=min(moment.day, 28)).timestamp())
