"""What ipapi.co says, and what is made of it."""

from typing import Any

import pytest

from geo.backends.base import LookupFailed
from geo.backends.ipapi import Ipapi
from geo.ip import Visitor
from geo.tests.web_service import WebService


def _ask(ip: str = "8.8.8.8") -> str:
    return Ipapi().country_of(Visitor(ip=ip), 5)


def test_the_country(ipapi: WebService) -> None:
    ipapi.says({"ip": "8.8.8.8", "country_code": "US", "country": "US", "in_eu": False})
    assert _ask() == "US"
    assert (ipapi.paths, ipapi.queries) == (["/8.8.8.8/json/"], [{}])


def test_an_ipv6_address_is_one_part_of_the_path(ipapi: WebService) -> None:
    ipapi.says({"country_code": "US"})
    assert _ask("2606:4700:4700::1111") == "US"
    assert ipapi.paths == ["/2606%3A4700%3A4700%3A%3A1111/json/"]


def test_the_key_of_a_paid_plan(ipapi: WebService, settings: Any) -> None:
    settings.GEO_IPAPI_KEY = "key_fake"
    ipapi.says({"country_code": "US"})
    _ask()
    assert ipapi.queries == [{"key": ["key_fake"]}]


@pytest.mark.parametrize(
    "told",
    [
        {"country_code": None},
        {},
        {"error": True, "reason": "Reserved IP Address", "reserved": True},
        {"error": True, "reason": "Invalid IP Address"},
    ],
)
def test_a_place_that_it_does_not_know(ipapi: WebService, told: dict[str, object]) -> None:
    ipapi.says(told)
    assert _ask() == ""


@pytest.mark.parametrize(
    ("told", "reason", "retry_after"),
    [
        ({"error": True, "reason": "RateLimited", "message": "..."}, "rate_limited", 300),
        ({"error": True, "reason": "Invalid Key"}, "refused", 0),
        ({"error": True}, "refused", 0),
        ({"error": True, "reason": ["8.8.8.8"]}, "refused", 0),
    ],
)
def test_an_error_with_status_200(
    ipapi: WebService, told: dict[str, object], reason: str, retry_after: int
) -> None:
    ipapi.says(told)
    with pytest.raises(LookupFailed) as caught:
        _ask()
    assert (caught.value.reason, caught.value.retry_after) == (reason, retry_after)
