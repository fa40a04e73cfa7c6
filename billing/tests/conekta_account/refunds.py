"""Refunds. Conekta keeps them with the charge: negative amounts, without a reference of ours."""

from billing.tests.accounts.account import JSON
from billing.tests.conekta_account.account import Account, Refusal
from billing.tests.conekta_account.orders import charges


def act(account: Account, path: list[str], params: JSON) -> JSON | list[JSON] | None:
    """The answer to the call of this path; None: not one of these paths."""
    match path:
        case ["POST", "orders", order, "refunds"]:
            return refund(account, account.one(order, "order"), params)
    return None


def refund_in_panel(account: Account, order_id: str, amount: int, number: int = 0) -> None:
    """The merchant sends a part back in Conekta's panel, of the order's paid charge `number`."""
    wish = {"amount": amount, "reason": "other"}
    with account.happening():
        refund(account, account.one(order_id, "order"), wish, number)


def refund(account: Account, order: JSON, params: JSON, number: int = 0) -> JSON:
    """Which of several paid charges Conekta takes is not published; here it is the first one."""
    amount, left = params["amount"], order["amount"] - order["amount_refunded"]
    paid = [each for each in charges(order) if each["status"] in ("paid", "partially_refunded")]
    if not paid or not params["reason"]:
        raise Refusal(422, "parameter_validation.order.not_refundable")
    if not 0 < amount <= left:
        raise Refusal(422, "parameter_validation.refund.amount.invalid", "amount")
    made = {"object": "refund", "id": account.new_hex(), "amount": -amount, "auth_code": "867372"}
    made |= {"created_at": account.stamp, "status": "refunded"}
    charge = paid[number]
    charge["refunds"]["data"].append(made)
    charge["refunds"]["total"] += 1
    word = "refunded" if amount == left else "partially_refunded"
    charge["status"] = word
    order |= {"amount_refunded": order["amount_refunded"] + amount, "payment_status": word}
    order |= {"updated_at": account.stamp, "is_refundable": amount < left}
    return order
