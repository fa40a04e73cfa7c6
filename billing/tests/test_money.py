"""Minor units, exponents, and what is refused."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import Money, exponent

CURRENCIES = st.sampled_from(["JPY", "CLP", "MXN", "USD", "EUR", "KWD", "CLF"])


@pytest.mark.parametrize(
    ("currency", "digits"), [("JPY", 0), ("MXN", 2), ("USD", 2), ("KWD", 3), ("CLF", 4)]
)
def test_the_exponent_is_the_standard_s(currency: str, digits: int) -> None:
    assert exponent(currency) == digits


def test_every_other_exponent_is_the_standard_s_too() -> None:
    digits = {
        0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
        3: "BHD IQD JOD KWD LYD OMR TND",
        4: "CLF UYW",
        2: "MXN USD EUR GBP BRL PKR ALL",
    }
    found = {code: exponent(code) for codes in digits.values() for code in codes.split()}
    assert found == {code: each for each, codes in digits.items() for code in codes.split()}


@pytest.mark.parametrize("code", ["", "usd", "US", "USDX", "U1D", "ÜSD"])
def test_a_code_is_three_capital_letters(code: str) -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        exponent(code)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("2999", "JPY", 2999), ("29.99", "MXN", 2999), ("29.9", "USD", 2990), ("2.999", "KWD", 2999)],
)
def test_decimals_become_minor_units(amount: str, currency: str, minor: int) -> None:
    assert Money.from_decimal(Decimal(amount), currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("amount", "currency"), [("0.5", "JPY"), ("29.999", "USD"), ("1.0001", "KWD"), ("NaN", "USD")]
)
def test_what_does_not_fit_the_currency_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match="more decimals"):
        Money.from_decimal(Decimal(amount), currency)


@pytest.mark.parametrize(("amount", "kind"), [(29.99, "float"), ("29.99", "str"), (29, "int")])
def test_only_a_decimal_is_read(amount: Any, kind: str) -> None:
    with pytest.raises(TypeError, match=f"takes a Decimal, not {kind}"):
        Money.from_decimal(amount, "USD")


@pytest.mark.parametrize("minor", [29.99, 29.0, True, Decimal(29), "29"])
def test_minor_units_are_whole_numbers(minor: Any) -> None:
    with pytest.raises(TypeError, match=f"integer minor units, not {type(minor).__name__}"):
        Money(minor, "USD")


def test_currencies_never_mix() -> None:
    assert Money(1, "USD") + Money(2, "USD") == Money(3, "USD")
    with pytest.raises(ValueError, match="cannot add"):
        Money(1, "USD") + Money(1, "MXN")


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1), CURRENCIES)
def test_nothing_is_lost_on_the_way_to_people_and_back(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert Money.from_decimal(money.decimal, currency) == money
    assert str(money).endswith(currency)
