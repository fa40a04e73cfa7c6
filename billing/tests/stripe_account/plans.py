"""Products and prices."""

from billing.tests.accounts.account import JSON
from billing.tests.stripe_account.account import Account, page
from billing.tests.stripe_life import published


def act(account: Account, path: list[str], params: JSON) -> JSON | None:
    """The object that the call of this path is answered with; None: not one of these paths."""
    match path:
        case ["POST", "products"]:
            return account.make("product", "prod", default_price=None, **params)
        case ["POST", "prices"]:
            return _make_price(account, params)
        case ["GET", "prices"]:
            return page([each for each in account.all("price") if each["active"]])
        case ["POST", "products" | "prices", found]:
            return account.update(found, params)
    return None


def _make_price(account: Account, params: JSON) -> JSON:
    amount = int(params.pop("unit_amount"))
    recurring = published("price")["recurring"] | params.pop("recurring")
    return account.make(
        "price",
        "price",
        unit_amount=amount,
        unit_amount_decimal=str(amount),
        recurring=recurring,
        **{"custom_unit_amount": None, "transform_quantity": None} | params,
    )
