"""Magic coupons: what each takes off an invoice."""

from dataclasses import dataclass

from billing.errors import InvalidRequest
from billing.providers.sandbox.store import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupon:
    """`percent` off each invoice, or off the first one only; one that `is_over` is refused."""

    percent: int
    is_once: bool = False
    is_over: bool = False


COUPONS = {
    "SAVE20": Coupon(percent=20),
    "HALF": Coupon(percent=50, is_once=True),
    "FREE": Coupon(percent=100),
    "EXPIRED": Coupon(percent=20, is_over=True),
}


def put_on(subscription: Record, code: str) -> None:
    """Let the invoices to come be discounted; InvalidRequest for a code that is none."""
    name = code.upper()
    if name not in COUPONS or COUPONS[name].is_over:
        raise InvalidRequest("no such coupon, or one that is over", param="coupon")
    subscription.body["coupon"] = name


def take_off(subscription: Record) -> None:
    subscription.body["coupon"] = None


def of(subscription: Record, amount: int) -> int:
    """What the coupon takes off `amount`, in minor units, rounded down."""
    coupon = COUPONS.get(subscription.body.get("coupon") or "")
    return amount * coupon.percent // 100 if coupon else 0


def use(subscription: Record) -> None:
    """Take note of an invoice that the coupon went into."""
    coupon = COUPONS.get(subscription.body.get("coupon") or "")
    if coupon and coupon.is_once:
        take_off(subscription)
