"""What people type, and what is stored."""

from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError

from billing.admin.forms import CurrencyField, LimitsField, LinesField, MoneyField


class TestMoneyField:
    @pytest.mark.parametrize(
        ("text", "currency", "minor"),
        [("29.99", "USD", 2999), ("500", "JPY", 500), ("1.234", "KWD", 1234), ("0", "MXN", 0)],
    )
    def test_stores_minor_units(self, text: str, currency: str, minor: int) -> None:
        assert MoneyField.minor_units(MoneyField().clean(text), currency) == minor

    @pytest.mark.parametrize(
        ("text", "currency"), [("29.999", "USD"), ("500.5", "JPY"), ("1.2345", "KWD")]
    )
    def test_refuses_too_many_digits(self, text: str, currency: str) -> None:
        with pytest.raises(ValidationError):
            MoneyField.minor_units(MoneyField().clean(text), currency)

    @pytest.mark.parametrize("text", ["-1", "NaN", "Infinity", "1e30", "abc", "1,50"])
    def test_refuses_what_is_no_amount(self, text: str) -> None:
        with pytest.raises(ValidationError):
            MoneyField().clean(text)

    def test_a_trailing_zero_is_no_extra_digit(self) -> None:
        assert MoneyField.minor_units(Decimal("29.990"), "USD") == 2999


class TestCurrencyField:
    def test_stores_capitals(self) -> None:
        assert CurrencyField().clean("mxn") == "MXN"

    @pytest.mark.parametrize("text", ["", "us", "u5d", "dollars", "ÄÖÜ"])
    def test_refuses_what_is_no_code(self, text: str) -> None:
        with pytest.raises(ValidationError):
            CurrencyField().clean(text)


class TestLinesField:
    def test_reads_a_line_as_an_item_and_skips_empty_ones(self) -> None:
        assert LinesField().clean(" SSO \n\nAudit logs\r\n") == ["SSO", "Audit logs"]

    def test_shows_what_it_reads(self) -> None:
        field = LinesField()
        assert field.clean(field.prepare_value(["SSO", "Audit logs"])) == ["SSO", "Audit logs"]


class TestLimitsField:
    def test_reads_numbers_and_unlimited(self) -> None:
        text = "api_calls: 10000\nusers: unlimited\nrate: 2.5"
        assert LimitsField().clean(text) == {"api_calls": 10000, "users": None, "rate": 2.5}

    def test_shows_what_it_reads_whatever_was_stored(self) -> None:
        field, stored = LimitsField(), {"a": 1, "b": None, "c": True, "d": {"e": [1, "ñ"]}}
        assert field.clean(field.prepare_value(stored)) == stored

    @pytest.mark.parametrize(
        "text", ["users", "users:", ": 5", "users: five", "a: 1\na: 2", "a: NaN"]
    )
    def test_refuses_the_rest(self, text: str) -> None:
        with pytest.raises(ValidationError):
            LimitsField().clean(text)
