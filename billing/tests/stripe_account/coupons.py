"""Coupons, promotion codes, and the discounts that they become on a subscription."""

from typing import Any

from billing.tests.accounts.account import JSON
from billing.tests.stripe_account.account import Account, Refusal, page


def act(account: Account, path: list[str], params: JSON) -> JSON | None:
    """The object that the call of this path is answered with; None: not one of these paths."""
    if path == ["GET", "promotion_codes"]:
        return page(_promotion_codes(account, params))
    return None


def add_coupon(account: Account, percent_off: float = 20, **values: Any) -> JSON:
    made = account.make("coupon", "COUPON", percent_off=percent_off, name=None, redeem_by=None)
    return _renamed(account, made, values)


def add_promotion(account: Account, code: str, coupon: JSON, **values: Any) -> JSON:
    made = account.make("promotion_code", "promo", code=code, active=True, expires_at=None)
    made |= {"promotion": {"type": "coupon", "coupon": coupon["id"]}}
    made |= values
    return made


def redeem(account: Account, wanted: Any) -> list[str]:
    """Make the discounts that are asked for; Stripe names the place of what it refuses."""
    if not wanted:
        return []
    return [_redeem(account, place, asked) for place, asked in wanted.items()]


def percent_off(account: Account, subscription: JSON) -> float:
    made = [account.one(each) for each in subscription["discounts"]]
    return sum(account.one(each["source"]["coupon"])["percent_off"] for each in made)


def _redeem(account: Account, place: str, asked: JSON) -> str:
    ((name, remote_id),) = asked.items()
    param = f"discounts[{place}][{name}]"
    source = account.objects.get(remote_id)
    if source is None:
        raise Refusal(400, code="resource_missing", param=param)
    code = source if name == "promotion_code" else None
    coupon = account.one(code["promotion"]["coupon"]) if code else source
    if code and not code["active"]:
        raise Refusal(400, param=param)
    if not coupon["valid"]:
        raise Refusal(400, code="coupon_expired")
    if code:
        code["times_redeemed"] += 1
        code["active"] = code["times_redeemed"] != code["max_redemptions"]
    made = account.make("discount", "di", customer=None, end=None)
    for name in ("created", "metadata"):
        made.pop(name)
    made["promotion_code"] = code and code["id"]
    made["source"] = {"type": "coupon", "coupon": coupon["id"]}
    return str(made["id"])


def _promotion_codes(account: Account, params: JSON) -> list[JSON]:
    wanted = params["code"].lower()
    found = [each for each in account.all("promotion_code") if each["code"].lower() == wanted]
    return [each for each in found if params.get("active") in (None, each["active"])]


def _renamed(account: Account, made: JSON, values: JSON) -> JSON:
    """A coupon's id is what the merchant chose."""
    del account.objects[made["id"]]
    made |= values
    account.objects[made["id"]] = made
    return made
