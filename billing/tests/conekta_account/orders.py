"""Orders and the charges that pay them: by card at once, by OXXO and SPEI once the customer does.

`pay` and `expire` are what customers and time do. An order is paid by its first charge that is;
another that is paid all the same, or one after its expiry, is money that Conekta keeps for it.
"""

from datetime import timedelta

from billing.tests.accounts.account import JSON
from billing.tests.conekta_account import cards, checkouts
from billing.tests.conekta_account.account import Account, Refusal, listed
from billing.tests.conekta_account.customers import source_of

VOUCHER_LASTS = timedelta(days=30)
# Least amounts for months without interest: Conekta's help center; 18 months are not listed there.
INSTALMENTS = {3: 300_00, 6: 600_00, 9: 800_00, 12: 1200_00, 18: 1800_00}


def act(account: Account, path: list[str], params: JSON) -> JSON | list[JSON] | None:
    """The answer to the call of this path; None: not one of these paths."""
    match path:
        case ["POST", "orders"]:
            return _create(account, params)
        case ["GET", "orders"]:
            return _found(account, params)
        case ["GET", "orders", order]:
            return account.one(order, "order")
        case ["PUT", "orders", order]:
            found = account.one(order, "order")
            found["metadata"] = found["metadata"] | params.get("metadata", {})
            return _touched(account, found)
        case ["POST", "orders", order, "charges"]:
            made = _charge(account, account.one(order, "order"), params)
            return made | {"refunds": []}  # a plain list here, says the specification
        case ["POST", "orders", order, "cancel"]:
            return _cancel(account, account.one(order, "order"))
        case ["GET", "charges"]:
            return _charges(account, params.get("search", ""))
    return None


def charges(order: JSON) -> list[JSON]:
    found: list[JSON] = order["charges"]["data"]
    return found


def pay(account: Account, order_id: str, number: int = 0) -> None:
    """The customer pays charge `number` of the order: a voucher, whatever has become of it, or a
    card whose bank wanted a confirmation."""
    with account.happening():
        order = account.one(order_id, "order")
        _settle(account, order, charges(order)[number])


def expire(account: Account, order_id: str) -> None:
    """The time for the order's vouchers is over."""
    with account.happening():
        order = account.one(order_id, "order")
        waiting = [each for each in charges(order) if each["status"] == "pending_payment"]
        account.move_to(max(each["payment_method"]["expires_at"] for each in waiting))
        for each in waiting:
            each["status"] = "expired"
        _touched(account, order)["payment_status"] = "expired"


def charge_back(account: Account, order_id: str) -> str:
    """The cardholder's bank takes the money back; return the chargeback's id."""
    with account.happening():
        order = account.one(order_id, "order")
        (paid,) = (each for each in charges(order) if each["status"] == "paid")
        made = {"object": "chargeback", "id": account.new_id("chbk"), "charge_id": paid["id"]}
        made |= {"status": "action_required", "reason": "unrecognized", "files": []}
        made |= {"created_at": account.stamp, "evidence_due_by": account.stamp + 10 * 24 * 3600}
        paid |= {"status": "charged_back", "chargeback": made}
        _touched(account, order)["payment_status"] = "charged_back"
    return str(made["id"])


def make(
    account: Account,
    customer_info: JSON,
    currency: str,
    lines: list[JSON],
    *,
    metadata: JSON | None = None,
    mode: str = "ecommerce",
) -> JSON:
    """An order that nobody has paid yet. `mode`: "recurrent" for a subscription's."""
    order_id = account.new_id("ord")
    names = {"object": "line_item", "parent_id": order_id, "metadata": {}, "antifraud_info": {}}
    data = [names | {"id": account.new_id("line_item")} | each for each in lines]
    return account.make(
        "order",
        order_id,
        amount=sum(each["unit_price"] * each["quantity"] for each in lines),
        amount_refunded=0,
        currency=currency,
        customer_info=customer_info | {"object": "customer_info", "corporate": False},
        is_refundable=False,
        line_items=listed(data),
        charges=listed([]),
        metadata=metadata or {},
        payment_status="pending_payment",
        processing_mode=mode,
        updated_at=account.stamp,
    )


def take(account: Account, order: JSON, source: JSON, reference: str | None = None) -> JSON:
    """Charge a card for the whole order; the charge says whether its bank has paid."""
    made = _new_charge(account, order, _card(source), reference)
    refusal = account.refused.get(source["id"], "")
    if refusal == cards.UNCONFIRMED and "three_ds_mode" in order:
        url = f"https://pay.conekta.com/{order['id']}"
        order["next_action"] = {"type": "redirect_to_url", "redirect_to_url": {"url": url}}
    elif refusal:
        made |= {"status": "declined", "failure_code": refusal.rpartition(".")[2]}
        made["failure_message"] = "No."
        _touched(account, order)["payment_status"] = "declined"
    else:
        _settle(account, order, made)
    return made


def _create(account: Account, params: JSON) -> JSON:
    owner = params["customer_info"]
    if "customer_id" in owner:
        customer = account.one(owner["customer_id"], "customer")
        owner = {name: customer[name] for name in ("name", "email", "phone")}
        owner |= {"customer_id": customer["id"]}
        owner["customer_custom_reference"] = customer["custom_reference"] or None
    if not params["line_items"]:
        raise Refusal(422, "parameter_validation.order.line_items.invalid", "line_items")
    lines, metadata = params["line_items"], params.get("metadata")
    order = make(account, owner, params["currency"], lines, metadata=metadata)
    order |= {name: params[name] for name in ("three_ds_mode", "return_url") if name in params}
    if "checkout" in params:
        checkouts.open_for(account, order, params["checkout"])
    for each in params.get("charges", []):
        _charge(account, order, each)
    return order


def _charge(account: Account, order: JSON, params: JSON) -> JSON:
    if order["payment_status"] in ("paid", "canceled", "refunded"):
        raise Refusal(428, "precondition_required.combo.order.cannot_be_charged")
    method, reference = params["payment_method"], params.get("reference_id")
    _check(order, method)
    if method["type"] == "card":
        source = _source(account, order, method)
        made = take(account, order, source, reference)
        made["monthly_installments"] = method.get("monthly_installments")
        if made["status"] == "declined":
            raise Refusal(402, account.refused[source["id"]])
        return made
    until = method.get("expires_at") or account.stamp + int(VOUCHER_LASTS.total_seconds())
    if until <= account.stamp:
        raise Refusal(422, "parameter_validation.payment_method.expires_at.past", "expires_at")
    shown = _cash(account, until) if method["type"] == "cash" else _bank_transfer(account, until)
    _touched(account, order)["payment_status"] = "pending_payment"
    return _new_charge(account, order, shown, reference)


def _check(order: JSON, method: JSON) -> None:
    if method["type"] not in ("card", "cash", "spei"):
        raise Refusal(422, "parameter_validation.payment_method.type.invalid", "type")
    months = method.get("monthly_installments")
    if months and order["amount"] < INSTALMENTS.get(months, order["amount"] + 1):
        name = "monthly_installments"
        raise Refusal(422, f"parameter_validation.charge.{name}.invalid", name)


def _source(account: Account, order: JSON, method: JSON) -> JSON:
    """A kept card, or one made of a token for this charge alone."""
    if "payment_source_id" in method:
        customer = account.one(order["customer_info"].get("customer_id"), "customer")
        return source_of(customer, method["payment_source_id"])
    card = cards.tokenized(account, str(method.get("token_id", "")))
    source = {"id": account.new_id("src"), **cards.shown(card)}
    cards.keep(account, source, card)
    return source


def _new_charge(account: Account, order: JSON, method: JSON, reference: str | None) -> JSON:
    made = account.make(
        "charge",
        account.new_hex(),
        amount=order["amount"],
        currency=order["currency"],
        customer_id=order["customer_info"].get("customer_id", ""),
        description="Payment from order",
        order_id=order["id"],
        paid_at=None,
        payment_method=method,
        reference_id=reference,
        refunds=listed([]),
        status="pending_payment",
    )
    charges(order).append(made)
    order["charges"]["total"] = len(charges(order))
    return made


def _card(source: JSON) -> JSON:
    names = ("name", "exp_month", "exp_year", "last4", "brand", "issuer")
    shown = {name: source[name] for name in names}
    return shown | {"object": "card_payment", "type": "credit", "country": "MX"}


def _cash(account: Account, until: int) -> JSON:
    reference = f"{93000262270000 + next(account.numbers)}"
    return {
        "object": "cash_payment",
        "type": "cash",
        "service_name": "Cash",
        "store_name": "OXXO",
        "product_type": "cash_in",
        "reference": reference,
        "barcode_url": f"https://barcodes.conekta.com/cash/{reference}.png",
        "expires_at": until,
    }


def _bank_transfer(account: Account, until: int) -> JSON:
    clabe = _clabe(next(account.numbers))
    return {
        "object": "bank_transfer_payment",
        "type": "spei",
        "bank": "STP",
        "clabe": clabe,
        "receiving_account_number": clabe,
        "receiving_account_bank": "STP",
        "expires_at": until,
    }


def _clabe(number: int) -> str:
    """An account at STP, with the check digit that banks look at (weights 3, 7, 1)."""
    digits = f"6461801118{number:07d}"
    total = sum(int(digit) * (3, 7, 1)[at % 3] % 10 for at, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


def _settle(account: Account, order: JSON, charge: JSON) -> None:
    charge |= {"status": "paid", "paid_at": account.stamp}
    _touched(account, order).update(payment_status="paid", is_refundable=True)
    order.pop("next_action", None)
    checkouts.complete_for(order)


def _cancel(account: Account, order: JSON) -> JSON:
    if order["payment_status"] not in ("pending_payment", "pre_authorized", "declined"):
        raise Refusal(428, "precondition_required.combo.order.cannot_be_canceled")
    for each in charges(order):
        if each["status"] == "pending_payment":
            each["status"] = "canceled"
    order["payment_status"] = "canceled"
    return _touched(account, order)


def _found(account: Account, params: JSON) -> list[JSON]:
    text, since = params.get("search", ""), int(params.get("created_at.gte", 0))
    status = params.get("payment_status")
    return [
        each
        for each in account.all("order")
        if each.get("created_at", since) >= since
        and status in (None, each["payment_status"])
        and (not text or (account.is_searched and text in _searched(each)))
    ]


def _searched(order: JSON) -> list[str]:
    owner = order["customer_info"]
    own = [order["id"], *(owner.get(name, "") for name in ("customer_id", "name", "email"))]
    paid = [str(each.get(name)) for each in charges(order) for name in ("id", "reference_id")]
    return [*own, *paid, *map(str, order.get("metadata", {}).values())]


def _charges(account: Account, text: str) -> list[JSON]:
    found = account.all("charge")
    return [
        each
        for each in found
        if not text or text in (each["id"], each["order_id"], each["reference_id"])
    ]


def _touched(account: Account, order: JSON) -> JSON:
    order["updated_at"] = account.stamp
    return order
