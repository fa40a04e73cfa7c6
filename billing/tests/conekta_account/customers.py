"""Customers and their payment sources: cards, and references that can be paid again and again."""

from typing import Any

from billing.tests.accounts.account import JSON
from billing.tests.conekta_account import cards
from billing.tests.conekta_account.account import Account, Refusal, listed

_REQUIRED = ("name", "email", "phone")
_SEARCHED = ("id", "name", "email", "phone", "custom_reference")


def act(account: Account, path: list[str], params: JSON) -> JSON | list[JSON] | None:
    """The answer to the call of this path; None: not one of these paths."""
    match path:
        case ["POST", "customers"]:
            return _make(account, params)
        case ["GET", "customers"]:
            return _found(account, params.get("search", ""))
        case ["GET", "customers", customer]:
            return account.one(customer, "customer")
        case ["PUT", "customers", customer]:
            return _change(account, account.one(customer, "customer"), params)
        case ["DELETE", "customers", customer]:
            return _delete(account, account.one(customer, "customer"))
        case ["POST", "customers", customer, "payment_sources"]:
            return _add(account, account.one(customer, "customer"), params)
        case ["GET", "customers", customer, "payment_sources"]:
            return sources(account.one(customer, "customer"))[::-1]
        case ["DELETE", "customers", customer, "payment_sources", source]:
            return _remove(account.one(customer, "customer"), source)
    return None


def sources(customer: JSON) -> list[JSON]:
    found: list[JSON] = customer["payment_sources"]["data"]
    return found


def source_of(customer: JSON, source_id: object) -> JSON:
    """The customer's source with this id."""
    for each in sources(customer):
        if each["id"] == source_id:
            return each
    raise Refusal(404, "resource_not_found.payment_source")


def _make(account: Account, params: JSON) -> JSON:
    for name in _REQUIRED:
        if not params.get(name):
            raise Refusal(422, f"parameter_validation.customer.{name}.invalid_type", name)
    customer = account.make(
        "customer",
        account.new_id("cus"),
        corporate=False,
        custom_reference="",
        default_payment_source_id=None,
        metadata={},
        payment_sources=listed([]),
    )
    added = params.pop("payment_sources", [])
    customer.update(params)
    for each in added:
        _add(account, customer, each)
    return customer


def _found(account: Account, text: str) -> list[JSON]:
    """Conekta's search looks at several fields and takes parts of them."""
    return [
        each
        for each in account.all("customer")
        if any(text.lower() in str(each.get(name, "")).lower() for name in _SEARCHED)
    ]


def _change(account: Account, customer: JSON, params: JSON) -> JSON:
    if "default_payment_source_id" in params:
        _make_default(customer, params["default_payment_source_id"])
    customer.update(params)
    return customer


def _delete(account: Account, customer: JSON) -> JSON:
    customer["deleted"] = True
    for each in account.all("subscription", customer_id=customer["id"]):
        if each["status"] != "canceled":
            each |= {"status": "canceled", "canceled_at": account.stamp}
    return customer


def _add(account: Account, customer: JSON, params: JSON) -> JSON:
    values: dict[str, Any] = {"type": params["type"], "parent_id": customer["id"]}
    if params["type"] == "card":
        card = cards.tokenized(account, str(params.get("token_id", "")))
        values |= cards.shown(card) | {"payment_source_status": "active", "default": False}
        values["visible_on_checkout"] = False
    elif params["type"] in ("cash_recurrent", "spei_recurrent"):
        values |= {"reference": "93000262276908", "expires_at": params.get("expires_at", 0)}
    else:
        raise Refusal(422, "parameter_validation.payment_source.type.invalid", "type")
    source = account.make("payment_source", account.new_id("src"), **values)
    source.pop("livemode")
    sources(customer).append(source)
    customer["payment_sources"]["total"] = len(sources(customer))
    if params["type"] == "card":
        cards.keep(account, source, card)
        if not customer["default_payment_source_id"]:
            _make_default(customer, source["id"])
    return source


def _make_default(customer: JSON, source_id: object) -> None:
    source_of(customer, source_id)
    customer["default_payment_source_id"] = source_id
    for each in sources(customer):
        if each["type"] == "card":
            each["default"] = each["id"] == source_id


def _remove(customer: JSON, source_id: str) -> JSON:
    source = source_of(customer, source_id)
    source["deleted"] = True
    sources(customer).remove(source)
    customer["payment_sources"]["total"] = len(sources(customer))
    if customer["default_payment_source_id"] == source_id:
        customer["default_payment_source_id"] = None
    return source
