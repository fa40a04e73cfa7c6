"""Tiers, what each says, and the first design's methods."""

from typing import Any

import pytest

from geo.ip import Visitor
from geo.services import Detection, Evidence, GeolocationService, Tier
from geo.tests.web_service import WebService

IP = "189.130.4.5"
NETWORK = "189.130.4.0/24"
service = GeolocationService()


@pytest.fixture(autouse=True)
def _mexico_by_ip(ipapi: WebService, ip_api: WebService) -> None:
    ipapi.says({"country_code": "MX"})


class TestDetectCountry:
    @pytest.mark.parametrize(
        ("ip", "profile", "billing", "country"),
        [
            (IP, "US", "CA", "CA"),
            (IP, "US", "", "US"),
            (IP, "", "", "MX"),
            (IP, "us", " ca ", "CA"),
            (IP, "US", "Canada", "US"),
            (IP, "USA", "UK", "MX"),
            ("10.0.0.1", "", "", ""),
            ("nonsense", "", "", ""),
            ("", "", "", ""),
        ],
    )
    def test_the_strongest_tier_decides(
        self, ip: str, profile: str, billing: str, country: str
    ) -> None:
        assert service.detect_country(ip, profile, billing) == country

    def test_the_address_alone_is_enough(self) -> None:
        assert service.detect_country(IP) == "MX"


class TestDetect:
    def test_it_says_by_what(self) -> None:
        assert service.detect(Visitor(ip=IP)) == Detection(
            country="MX",
            tier=Tier.IP,
            source="ipapi",
            evidence=(
                Evidence(tier=Tier.BILLING_ADDRESS, country="", source=""),
                Evidence(tier=Tier.PROFILE, country="", source=""),
                Evidence(tier=Tier.IP, country="MX", source="ipapi", network=NETWORK),
            ),
        )

    def test_what_disagrees_stays_visible(self, ipapi: WebService) -> None:
        service.detect(Visitor(ip=IP))
        found = service.detect(Visitor(ip=IP), user_country="US", billing_country="CA")
        assert (found.country, found.tier, found.source) == ("CA", Tier.BILLING_ADDRESS, "given")
        assert [each.country for each in found.evidence] == ["CA", "US", "MX"]
        assert ipapi.calls == 1

    @pytest.mark.parametrize("known", [{"user_country": "US"}, {"billing_country": "US"}])
    def test_no_service_is_asked_where_a_stronger_tier_knows(
        self, ipapi: WebService, known: dict[str, str]
    ) -> None:
        assert service.detect(Visitor(ip=IP), **known).country == "US"
        assert ipapi.calls == 0

    def test_a_header_is_shown_beside_a_stronger_tier(self, settings: Any) -> None:
        settings.GEO_COUNTRY_HEADER = "CF-IPCountry"
        found = service.detect(Visitor(ip=IP, told_country="MX"), user_country="US")
        assert [each.source for each in found.evidence] == ["", "given", "header"]

    def test_what_is_no_country_is_ignored_and_said_so(self) -> None:
        found = service.detect(Visitor(ip=IP), user_country="XX", billing_country="Mexico")
        assert (found.country, found.tier) == ("MX", Tier.IP)
        assert [each.problem for each in found.evidence] == ["not_a_country", "not_a_country", ""]

    def test_nothing_is_known(self) -> None:
        found = service.detect(Visitor(ip=""))
        assert (found.country, found.tier, found.source) == ("", None, "")
        assert len(found.evidence) == 3


@pytest.mark.parametrize(
    ("code", "address", "expected"),
    [
        ("MX", None, True),
        ("mx", {}, True),
        ("US", {"country": "MX"}, True),
        ("", {"country": "mx", "postal_code": "06000"}, True),
        ("MX", {"country": "US"}, False),
        ("MX", {"country": "Mexico"}, True),
        ("MX", {"country": None}, True),
        ("US", None, False),
        ("", {}, False),
        ("MEX", {}, False),
    ],
)
def test_is_mexican_customer(code: str, address: dict[str, object] | None, expected: bool) -> None:
    assert service.is_mexican_customer(code, address) is expected


@pytest.mark.parametrize(
    ("code", "currency"),
    [("MX", "MXN"), ("us", "USD"), ("DE", "EUR"), ("AQ", "USD"), ("XX", "USD"), ("", "USD")],
)
def test_get_currency_for_country(code: str, currency: str) -> None:
    assert service.get_currency_for_country(code) == currency
