from typing import Any

import pytest

from geo.countries import COUNTRIES, currency_of, is_country, name_of, normalize


def test_the_table_is_complete() -> None:
    assert len(COUNTRIES) == 249
    assert all(len(code) == 2 and code.isupper() and code.isascii() for code in COUNTRIES)


@pytest.mark.parametrize("code", ["MX", "DE", "US", "XK", "EU", "UK", "mx", "", "MEX", "M X"])
def test_only_assigned_codes_are_countries(code: str) -> None:
    assert is_country(code) is (code in ("MX", "DE", "US"))


@pytest.mark.parametrize("code", ["mx", "MX", " Mx\n"])
def test_normalize_returns_upper_case(code: str) -> None:
    assert normalize(code) == "MX"


@pytest.mark.parametrize("code", ["", "XX", "MEX", "ﬁ", "M\x00", "méxico"])
def test_normalize_refuses_what_is_no_country(code: str) -> None:
    with pytest.raises(ValueError, match="not an ISO 3166-1"):
        normalize(code)


def test_each_country_has_a_name_in_both_languages() -> None:
    for language in ("en", "es"):
        names = {name_of(code, language) for code in COUNTRIES}
        assert len(names) == len(COUNTRIES)
        assert not names & COUNTRIES


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("en", "Germany"),
        ("en-us", "Germany"),
        ("es", "Alemania"),
        ("es-mx", "Alemania"),
        ("es_MX", "Alemania"),
        ("fr", "Germany"),
        ("", "Germany"),
        ("../x", "Germany"),
    ],
)
def test_a_name_in_english_or_spanish(language: str, name: str) -> None:
    assert name_of("de", language) == name


def test_each_country_but_antarctica_has_a_currency() -> None:
    without = {code for code in COUNTRIES if not currency_of(code)}
    assert without == {"AQ"}
    assert all(len(currency_of(code)) == 3 for code in COUNTRIES - without)


@pytest.mark.parametrize(
    ("code", "currency"),
    [
        ("MX", "MXN"),
        ("US", "USD"),
        ("DE", "EUR"),
        ("HR", "EUR"),  # since 2023
        ("CH", "CHF"),  # not the accounting units CHE and CHW
        ("SV", "USD"),
        ("PA", "PAB"),  # its own beside the dollar
        ("BT", "BTN"),
        ("HT", "HTG"),
        ("LS", "LSL"),
        ("NA", "NAD"),
        ("PS", "ILS"),  # several, none of its own
        ("UM", "USD"),
        (" mx ", "MXN"),
    ],
)
def test_currency_of(code: str, currency: str) -> None:
    assert currency_of(code) == currency


@pytest.mark.parametrize("function", [name_of, currency_of])
def test_no_country_has_neither_name_nor_currency(function: Any) -> None:
    with pytest.raises(ValueError, match="not an ISO 3166-1"):
        function("XX")
