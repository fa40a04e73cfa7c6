from typing import Any

from geo.backends.header import Header
from geo.ip import Visitor


def test_it_repeats_what_the_cdn_said(settings: Any) -> None:
    assert Header().country_of(Visitor(ip="8.8.8.8", told_country=" mx "), 2) == "MX"
    assert Header().country_of(Visitor(ip="8.8.8.8"), 2) == ""
    assert not Header().is_configured
    settings.GEO_COUNTRY_HEADER = "CF-IPCountry"
    assert Header().is_configured
