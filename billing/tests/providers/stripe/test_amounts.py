"""Ours and Stripe's minor units, over every currency and over every object that holds an amount."""

import copy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.errors import InvalidRequest
from billing.money import Money, exponent
from billing.providers.stripe import mapping
from billing.providers.stripe.amounts import (
    from_stripe,
    optional_amount,
    rate,
    required_amount,
    to_stripe,
    total_amount,
)
from billing.providers.values import Incomplete
from billing.tests.stripe_life import StripeLife, published

AS_OF = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
# ISO 4217, the active codes of countries and their units of account.
_CODES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN
BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP
GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF
KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR
MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK
SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU
UYW UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG
"""
CURRENCIES = _CODES.split()


@pytest.mark.parametrize(
    ("amount", "currency", "theirs"),
    [
        ("19.99", "USD", 1999),
        ("4.35", "EUR", 435),
        ("1.10", "MXN", 110),
        ("19.9", "MXN", 1990),
        ("0", "USD", 0),
        ("500", "JPY", 500),
        ("1999", "KRW", 1999),
        ("5.12", "KWD", 5120),
        ("19.990", "BHD", 19990),
        ("5", "ISK", 500),
        ("5", "UGX", 500),
        ("5", "MGA", 5),
        ("10.45", "HUF", 1045),
        ("10.45", "TWD", 1045),
    ],
)
def test_what_people_write_is_what_stripe_gets(amount: str, currency: str, theirs: int) -> None:
    money = Money.from_decimal(Decimal(amount), currency)
    assert to_stripe(money.minor, currency) == theirs
    assert Money(from_stripe(theirs, currency), currency).decimal == Decimal(amount)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("19.999", "USD"), ("4.351", "EUR"), ("0.5", "JPY"), ("5.5", "ISK"), ("5.5", "UGX")]
    + [("5.1234", "KWD")],
)
def test_too_many_digits_are_no_amount(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match="more decimals"):
        Money.from_decimal(Decimal(amount), currency)


@pytest.mark.parametrize(
    ("minor", "currency"),
    [(5124, "KWD"), (19995, "BHD"), (1, "JOD"), (1001, "OMR"), (1009, "TND"), (510, "MGA")]
    + [(501, "MGA"), (-1, "USD"), (-100, "ISK"), (True, "USD"), (19.99, "USD")]
    + [(500, "usd"), (500, ""), (500, "US")],
)
def test_what_stripe_would_read_otherwise_is_refused(minor: Any, currency: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        to_stripe(minor, currency, param="refund_minor")
    assert refused.value.param == "refund_minor"


@pytest.mark.parametrize("currency", CURRENCIES)
@given(units=st.integers(min_value=0, max_value=10**12))
def test_every_currency_comes_back_as_it_went(currency: str, units: int) -> None:
    """In steps that Stripe takes: 0.01 of most, one ariary, 0.01 dinar."""
    step = 100 if currency == "MGA" else 10 if exponent(currency) == 3 else 1
    minor = units * step
    theirs = to_stripe(minor, currency)
    assert type(theirs) is int
    assert from_stripe(theirs, currency) == minor
    assert from_stripe(-theirs, currency) == -minor


def test_all_but_three_currencies_go_as_they_are() -> None:
    changed = {each for each in CURRENCIES if to_stripe(1000, each) != 1000}
    assert changed == {"ISK", "UGX", "MGA"}


@pytest.mark.parametrize(
    ("theirs", "ours"), [(4010, 40), (4050, 41), (4099, 41), (-4010, -40), (-4050, -40), (0, 0)]
)
def test_parts_of_a_krona_are_rounded(theirs: int, ours: int) -> None:
    assert from_stripe(theirs, "ISK") == ours


@pytest.mark.parametrize(
    ("value", "currency", "ours"),
    [
        ("0.5", "USD", Decimal("0.5")),
        ("12.5", "JPY", Decimal("12.5")),
        ("50", "ISK", Decimal("0.5")),
        ("0.05", "MGA", Decimal("5")),
        (1999, "USD", Decimal("1999")),
        (None, "USD", None),
        ("many", "USD", None),
    ],
)
def test_a_rate_may_be_smaller_than_a_minor_unit(
    value: object, currency: str, ours: Decimal | None
) -> None:
    assert rate(value, currency) == ours


def test_amounts_are_read_in_our_units() -> None:
    source: dict[str, object] = {"object": "thing", "amount": 50000, "odd": "50000", "flag": True}
    assert required_amount(source, "amount", "ISK") == 500
    assert optional_amount(source, "amount", "MGA") == 5_000_000
    assert optional_amount(source, "odd", "USD") is None
    assert optional_amount(source, "flag", "USD") is None
    assert total_amount([{"amount": 150}, {"amount": 50}, {"amount": None}], "UGX") == 2
    with pytest.raises(Incomplete, match="thing has no missing"):
        required_amount(source, "missing", "USD")


@pytest.mark.parametrize(
    ("currency", "minor"), [("isk", 300), ("ugx", 300), ("mga", 3_000_000), ("jpy", 30_000)]
)
def test_every_amount_of_an_object_is_converted(currency: str, minor: int) -> None:
    """30000 at Stripe, as `minor` with us: in the invoice, its lines and parts, and its payment."""
    life = StripeLife(amount_minor=30_000, currency=currency)
    for step in (life.sign_up, life.subscribe, life.pay):
        step()
    source = life.api_objects()["invoice", life.invoice_id]
    source |= {"total_taxes": [{"amount": 30_000}], "total_discount_amounts": [{"amount": 30_000}]}
    for line in source["lines"]["data"]:
        line["pricing"] = {"unit_amount_decimal": "30000"}
    found = mapping.invoice(source, as_of=AS_OF)
    parts = {found.subtotal_minor, found.total_minor, found.amount_paid_minor}
    assert parts | {found.tax_minor, found.discount_minor} == {minor}
    assert [(each.amount_minor, each.unit_rate) for each in found.lines] == [(minor, minor)]
    open_one = source | {"status": "open", "amount_paid": 0, "amount_remaining": 30_000}
    assert mapping.invoice(open_one, as_of=AS_OF).amount_due_minor == minor
    old = source | {"total_taxes": None, "total_tax_amounts": None, "tax": 30_000}
    assert mapping.invoice(old, as_of=AS_OF).tax_minor == minor
    intent = life.objects["payment_intent", life.payment_id]
    assert mapping.payment(intent, as_of=AS_OF).amount_minor == minor
    price = copy.deepcopy(published("price")) | {"currency": currency, "unit_amount": 30_000}
    assert mapping.plan(price, as_of=AS_OF).amount_minor == minor
