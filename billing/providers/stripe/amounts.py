"""Our minor units as Stripe's, and back. Pure.

Every amount that goes to Stripe passes `to_stripe`; every one that comes from there is read by the
functions below, which answer in our units. Nothing else in this package scales money.

Ours are ISO 4217's (`billing.money`). Stripe docs, "Supported currencies": the same units but for
three currencies, and the last digit of an amount with three decimals must be 0.
"""

from collections.abc import Iterable
from decimal import Decimal

from billing.errors import InvalidRequest
from billing.money import Money, exponent
from billing.providers.types import JSON
from billing.providers.values import decimal, incomplete, whole

# "Special cases" there: ISO 4217 gives them no decimals, Stripe takes hundredths, whole ones only,
# so 5 ISK is 500.
_IN_HUNDREDTHS = ("ISK", "UGX")
# "Zero-decimal currencies" there: ISO 4217 gives them two decimals, Stripe none, so 5.00 MGA is 5.
_IN_WHOLE_UNITS = ("MGA",)


def to_stripe(minor: int, currency: str, *, param: str = "amount_minor") -> int:
    """Return an amount of ours (ISO 4217 minor units, upper-case code) in Stripe's unit.

    Raises InvalidRequest, naming `param`, for what Stripe would refuse or read as another amount:
    negative, no integer, no currency code, fils in the last digit, or a part of an ariary.
    """
    try:
        money = Money(minor, currency)
    except (TypeError, ValueError) as exc:
        raise InvalidRequest(str(exc), param=param) from exc
    if money.minor < 0:
        raise InvalidRequest("an amount is not negative", param=param)
    if exponent(currency) == 3 and money.minor % 10:
        raise InvalidRequest(f"Stripe takes {currency} with two decimals only", param=param)
    if currency in _IN_WHOLE_UNITS and money.minor % 100:
        raise InvalidRequest(f"Stripe takes {currency} without decimals only", param=param)
    if currency in _IN_WHOLE_UNITS:
        return money.minor // 100
    return money.minor * 100 if currency in _IN_HUNDREDTHS else money.minor


def from_stripe(amount: int, currency: str) -> int:
    """Return Stripe's amount in our minor units; negative ones are credits.

    Parts of a króna or shilling are rounded, halves up: they are older than the rule against them.
    """
    if currency in _IN_HUNDREDTHS:
        return (amount + 50) // 100
    return amount * 100 if currency in _IN_WHOLE_UNITS else amount


def required_amount(source: JSON, name: str, currency: str) -> int:
    """Return an amount in our minor units; raise Incomplete when it is not an integer."""
    amount = optional_amount(source, name, currency)
    return int(incomplete(source, name)) if amount is None else amount


def optional_amount(source: JSON, name: str, currency: str) -> int | None:
    """Return an amount in our minor units; None for anything but an integer."""
    amount = whole(source.get(name))
    return None if amount is None else from_stripe(amount, currency)


def total_amount(parts: Iterable[JSON], currency: str) -> int:
    """Return the sum of `amount` over a list of taxes or discounts, in our minor units."""
    return from_stripe(sum(whole(each.get("amount")) or 0 for each in parts), currency)


def rate(value: object, currency: str) -> Decimal | None:
    """Return `unit_amount_decimal` in our minor units, exactly: it may be smaller than one."""
    found = decimal(value)
    if found is None:
        return None
    if currency in _IN_HUNDREDTHS:
        return found / 100
    return found * 100 if currency in _IN_WHOLE_UNITS else found
