import pytest

from geo.countries import COUNTRIES, is_country, normalize


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
