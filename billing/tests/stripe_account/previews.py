"""Invoices that would be made: prorations by the second, as Stripe counts them."""

import copy

from billing.tests.accounts.account import JSON
from billing.tests.stripe_account import coupons
from billing.tests.stripe_account.account import Account


def act(account: Account, path: list[str], params: JSON) -> JSON | None:
    """The object that the call of this path is answered with; None: not one of these paths."""
    if path == ["POST", "invoices", "create_preview"]:
        return _preview(account, params)
    return None


def _preview(account: Account, params: JSON) -> JSON:
    subscription = account.one(params["subscription"])
    item = subscription["items"]["data"][0]
    wanted = params.get("subscription_details", {}).get("items", {}).get("0", {})
    price = account.one(wanted["price"]) if "price" in wanted else item["price"]
    quantity = int(wanted.get("quantity", item["quantity"]))
    found = copy.deepcopy(account.one(subscription["latest_invoice"]))
    line = found["lines"]["data"][0]
    old, new = _amount(item["price"], item["quantity"]), _amount(price, quantity)
    start, end = item["current_period_start"], item["current_period_end"]
    is_now = price["recurring"]["interval"] != item["price"]["recurring"]["interval"]
    made_at = int(account.now.timestamp()) if is_now else end
    lines = [_proration(line, -_share(account, item, old))] if wanted else []
    if wanted and not is_now:
        lines.append(_proration(line, _share(account, item, new)))
    period = {"start": made_at, "end": made_at + (end - start)}
    lines.append(copy.deepcopy(line) | {"amount": new, "subtotal": new, "period": period})
    found["lines"]["data"] = lines
    _add_up(account, found, subscription)
    found |= {"id": "upcoming_in_1", "status": "draft", "number": None, "amount_paid": 0}
    return found | {"period_start": start, "period_end": made_at, "hosted_invoice_url": None}


def _amount(price: JSON, quantity: int) -> int:
    return int(price["unit_amount"]) * quantity


def _share(account: Account, item: JSON, amount: int) -> int:
    """What is left of the period, of an amount for all of it."""
    start, end = item["current_period_start"], item["current_period_end"]
    return amount * (end - int(account.now.timestamp())) // (end - start)


def _proration(line: JSON, amount: int) -> JSON:
    made = copy.deepcopy(line) | {"amount": amount, "subtotal": amount}
    made["parent"]["subscription_item_details"]["proration"] = True
    return made


def _add_up(account: Account, found: JSON, subscription: JSON) -> None:
    subtotal = sum(each["amount"] for each in found["lines"]["data"])
    discount = int(subtotal * coupons.percent_off(account, subscription) / 100)
    names = ["total", "total_excluding_tax", "amount_due", "amount_remaining"]
    found |= dict.fromkeys(names, subtotal - discount)
    found |= {"subtotal": subtotal, "subtotal_excluding_tax": subtotal}
    discounts = [{"amount": discount, "discount": each} for each in subscription["discounts"]]
    found["total_discount_amounts"] = discounts
