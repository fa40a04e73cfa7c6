"""What ip-api.com says, and what is made of it."""

from typing import Any

import pytest

from geo import circuit
from geo.backends.base import LookupFailed
from geo.backends.ip_api import IpApi
from geo.ip import Visitor
from geo.tests.web_service import WebService

FIELDS = {"fields": ["status,message,countryCode"]}


def _ask(ip: str = "8.8.8.8") -> str:
    return IpApi().country_of(Visitor(ip=ip), 5)


def test_the_country(ip_api: WebService) -> None:
    ip_api.says({"status": "success", "countryCode": "US"}, X_Rl="44", X_Ttl="60")
    assert _ask() == "US"
    assert (ip_api.paths, ip_api.queries) == (["/json/8.8.8.8"], [FIELDS])
    assert not circuit.is_open("ip_api")


def test_an_ipv6_address_is_one_part_of_the_path(ip_api: WebService) -> None:
    ip_api.says({"status": "success", "countryCode": "US"})
    assert _ask("2606:4700:4700::1111") == "US"
    assert ip_api.paths == ["/json/2606%3A4700%3A4700%3A%3A1111"]


def test_the_key_of_the_paid_host(ip_api: WebService, settings: Any) -> None:
    settings.GEO_IP_API_KEY = "key_fake"
    ip_api.says({"status": "success", "countryCode": "US"})
    _ask()
    assert ip_api.queries == [FIELDS | {"key": ["key_fake"]}]


@pytest.mark.parametrize("message", ["private range", "reserved range", "invalid query"])
def test_a_place_that_it_does_not_know(ip_api: WebService, message: str) -> None:
    ip_api.says({"status": "fail", "message": message})
    assert _ask() == ""


@pytest.mark.parametrize("told", [{"status": "fail", "message": "8.8.8.8 is bad"}, {}])
def test_an_error_with_status_200(ip_api: WebService, told: dict[str, object]) -> None:
    ip_api.says(told)
    with pytest.raises(LookupFailed, match="^refused$"):
        _ask()


@pytest.mark.parametrize(("seconds", "closes_at"), [("40", "12:00:41"), ("", "12:05:01")])
def test_the_last_call_of_a_minute_opens_the_circuit(
    ip_api: WebService, time_machine: Any, seconds: str, closes_at: str
) -> None:
    time_machine.move_to("2026-11-22 12:00:00Z", tick=False)
    ip_api.says({"status": "success", "countryCode": "US"}, X_Rl="0", X_Ttl=seconds)
    assert _ask() == "US"
    assert circuit.is_open("ip_api")
    time_machine.move_to(f"2026-11-22 {closes_at}Z", tick=False)
    assert not circuit.is_open("ip_api")
