"""Subscriptions; each is a life (`billing.tests.stripe_life`)."""

import copy

from billing.tests.accounts.account import JSON
from billing.tests.stripe_account import coupons
from billing.tests.stripe_account.account import Account, Refusal, page
from billing.tests.stripe_account.lives import AccountLife

_ENDED = ("canceled", "incomplete_expired")


def act(account: Account, path: list[str], params: JSON) -> JSON | None:
    """The object that the call of this path is answered with; None: not one of these paths."""
    match path:
        case ["POST", "subscriptions"]:
            return subscribe(account, params)
        case ["POST", "subscriptions", found]:
            return _change(account, found, params)
        case ["DELETE", "subscriptions", found]:
            return _cancel(account, found)
        case ["GET", "subscriptions"]:
            return page(_subscriptions(account, params))
    return None


def subscribe(account: Account, params: JSON) -> JSON:
    account.living(params["customer"])
    redeemed = coupons.redeem(account, params.get("discounts"))
    item, trial_end = params["items"]["0"], params.get("trial_end")
    price, quantity = account.one(item["price"]), int(item["quantity"])
    life = AccountLife(
        account,
        number=next(account.numbers),
        amount_minor=0 if trial_end else price["unit_amount"] * quantity,
        price_id=price["id"],
        currency=price["currency"],
    )
    life.customer_id = params["customer"]
    life.payment_method_id = params.get("default_payment_method")
    life.subscribe()
    found = life.objects["subscription", life.subscription_id]
    found |= {"metadata": params["metadata"], "discounts": redeemed}
    found |= {"default_payment_method": params.get("default_payment_method")}
    is_taxed = params.get("automatic_tax", {}).get("enabled") is True
    found["automatic_tax"] |= {"enabled": is_taxed}
    found["items"]["data"][0] |= {"price": copy.deepcopy(price), "quantity": quantity}
    if trial_end:
        life.pay()
        _start_trial(account, found, int(trial_end))
    account.lives[life.subscription_id] = life
    account.adopt(life)
    return found


def _start_trial(account: Account, found: JSON, until: int) -> None:
    found |= {"status": "trialing", "trial_start": found["created"], "trial_end": until}
    if not found["default_payment_method"]:
        intent = account.make("setup_intent", "seti", customer=found["customer"])
        intent |= {"last_setup_error": None, "next_action": None}
        found["pending_setup_intent"] = intent["id"]


def _change(account: Account, remote_id: str, params: JSON) -> JSON:
    found = account.one(remote_id)
    if found["status"] in _ENDED:
        raise Refusal(400)
    if "discounts" in params:
        params["discounts"] = coupons.redeem(account, params["discounts"])
    item = params.pop("items", {}).get("0")
    if item:
        _change_item(account, found, item)
    if "cancel_at_period_end" in params:
        plans_end = params["cancel_at_period_end"]
        end = found["items"]["data"][0]["current_period_end"]
        found |= {"cancel_at": end if plans_end else None}
        found |= {"canceled_at": int(account.now.timestamp()) if plans_end else None}
    for name in ("proration_behavior", "payment_behavior"):
        params.pop(name, None)
    return account.update(remote_id, params)


def _change_item(account: Account, subscription: JSON, wanted: JSON) -> None:
    """Stripe: an item that is not named by its id is a new one."""
    items = subscription["items"]["data"]
    if "id" not in wanted:
        items.append(copy.deepcopy(items[0]) | {"id": "si_second"})
    item = items[0] if wanted.get("id") == items[0]["id"] else items[-1]
    if "price" in wanted:
        item["price"] = copy.deepcopy(account.one(wanted["price"]))
    item["quantity"] = int(wanted.get("quantity", item["quantity"]))
    life = account.lives[subscription["id"]]
    assert isinstance(life, AccountLife)
    life.change(item["price"], item["quantity"])


def _cancel(account: Account, remote_id: str) -> JSON:
    if account.one(remote_id)["status"] in _ENDED:
        raise Refusal(404, code="resource_missing")
    account.lives[remote_id].cancel()
    return account.one(remote_id)


def _subscriptions(account: Account, params: JSON) -> list[JSON]:
    """Without a status Stripe leaves out the canceled ones only."""
    found = account.all("subscription", params.get("customer", ""))
    return [each for each in found if params.get("status") or each["status"] != "canceled"]
