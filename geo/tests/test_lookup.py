"""The order of asking, the limits, the caches, and what none of them may cost."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory

from geo.ip import Visitor, visitor_of
from geo.lookup import Located, lookup
from geo.tests import mmdb
from geo.tests.test_cache import BrokenCache
from geo.tests.web_service import WebService

IP = "189.130.4.5"
NETWORK = "189.130.4.0/24"
UNKNOWN = Located(country="", source="", network=NETWORK)
SUCCESS = {"status": "success", "countryCode": "CA"}


def _ask(ip: str = IP, **options: Any) -> Located:
    return lookup(Visitor(ip=ip), **options)


def _timed(action: Callable[[], Located]) -> tuple[Located, float]:
    started = time.monotonic()
    return action(), time.monotonic() - started


@pytest.fixture
def services(ipapi: WebService, ip_api: WebService) -> tuple[WebService, WebService]:
    ipapi.says({"country_code": "MX"})
    ip_api.says(SUCCESS)
    return ipapi, ip_api


class TestOrder:
    def test_the_first_service_answers(self, services: tuple[WebService, WebService]) -> None:
        assert _ask() == Located(country="MX", source="ipapi", network=NETWORK)
        assert [service.calls for service in services] == [1, 0]

    @pytest.mark.parametrize(
        ("told", "status"),
        [
            ({"country_code": None}, 200),
            ({"country_code": "UK"}, 200),
            ({"country_code": "<b>"}, 200),
            ({"error": True, "reason": "Reserved IP Address"}, 200),
            ({"error": True, "reason": "RateLimited"}, 200),
            ({}, 429),
            ({}, 500),
            (["MX"], 200),
        ],
    )
    def test_the_second_where_the_first_does_not_know_or_fails(
        self, services: tuple[WebService, WebService], told: object, status: int
    ) -> None:
        services[0].says(told, status)
        assert _ask() == Located(country="CA", source="ip_api", network=NETWORK)
        assert [service.calls for service in services] == [1, 1]

    def test_unknown_where_all_fail(self, services: tuple[WebService, WebService]) -> None:
        services[0].says({}, 500)
        services[1].says({"status": "fail", "message": "reserved range"})
        assert _ask() == UNKNOWN

    def test_a_file_and_a_header_come_before_any_call(
        self, services: tuple[WebService, WebService], settings: Any, tmp_path: Path
    ) -> None:
        path = mmdb.write(tmp_path / "country.mmdb", {"189.130.0.0/16": "MX"})
        settings.GEO_DATABASE = str(path)
        settings.GEO_COUNTRY_HEADER = "CF-IPCountry"
        found = lookup(Visitor(ip=IP, told_country="CA"))
        assert found == Located(country="MX", source="database", network=NETWORK)
        found = lookup(Visitor(ip="8.8.8.8", told_country="US"))
        assert (found.country, found.source) == ("US", "header")
        assert lookup(Visitor(ip="8.8.8.8", told_country="T1")).source == "ipapi"
        assert [service.calls for service in services] == [1, 0]

    def test_the_order_is_a_setting(
        self, services: tuple[WebService, WebService], settings: Any
    ) -> None:
        settings.GEO_BACKENDS = ["geo.backends.ip_api.IpApi", "geo.backends.ipapi.Ipapi"]
        assert _ask().source == "ip_api"
        settings.GEO_BACKENDS = []
        assert _ask("8.8.8.8").country == ""
        assert [service.calls for service in services] == [0, 1]

    def test_a_damaged_file_is_told_and_the_services_are_asked(
        self,
        services: tuple[WebService, WebService],
        settings: Any,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        settings.GEO_DATABASE = str(tmp_path / "missing.mmdb")
        assert _ask().source == "ipapi"
        (record,) = caplog.records
        assert (record.message, record.reason) == ("geo.lookup_failed", "unreadable_file")  # type: ignore[attr-defined]

    def test_a_backend_that_does_not_exist_is_left_out(
        self, services: tuple[WebService, WebService], settings: Any
    ) -> None:
        settings.GEO_BACKENDS = ["geo.backends.none.None", "geo.backends.ipapi.Ipapi"]
        assert _ask().country == "MX"


@pytest.mark.parametrize(
    "ip", ["", "unknown", "127.0.0.1", "10.1.2.3", "192.0.2.1", "::1", "fe80::1", "2001:db8::1"]
)
def test_what_is_not_public_is_never_asked_about(
    services: tuple[WebService, WebService], settings: Any, tmp_path: Path, ip: str
) -> None:
    path = mmdb.write(tmp_path / "all.mmdb", {"0.0.0.0/1": "MX", "128.0.0.0/1": "MX"})
    settings.GEO_DATABASE = str(path)
    assert _ask(ip).country == ""
    assert [service.calls for service in services] == [0, 0]


@pytest.mark.parametrize(
    ("proxies", "forwarded", "country"),
    [
        (0, None, "US"),
        (0, "189.130.4.5", "US"),
        (0, "189.130.4.5, 9.9.9.9", "US"),
        (1, "189.130.4.5", "MX"),
        (1, "189.130.4.5, 9.9.9.9", "DE"),
        (1, "9.9.9.9, 189.130.4.5", "MX"),
        (2, "189.130.4.5", "US"),
        (2, "189.130.4.5, 9.9.9.9", "MX"),
        (2, "189.130.4.5, 9.9.9.9, 10.0.0.2", "DE"),
    ],
)
def test_a_made_up_forwarded_address_does_not_choose_the_country(
    settings: Any, tmp_path: Path, proxies: int, forwarded: str | None, country: str
) -> None:
    """The connection comes from the United States; what a client puts first is its own word."""
    networks = {"8.8.8.0/24": "US", "189.130.0.0/16": "MX", "9.9.9.0/24": "DE"}
    settings.GEO_DATABASE = str(mmdb.write(tmp_path / "country.mmdb", networks))
    settings.GEO_TRUSTED_PROXIES = proxies
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    request = RequestFactory().get("/", REMOTE_ADDR="8.8.8.8", **headers)
    assert lookup(visitor_of(request), network=False).country == country


@pytest.mark.parametrize("ip", ["2806:100:1:2::3", "[2806:100:1:2::3]:443", "2806:0100:1:2::0003"])
def test_ipv6(services: tuple[WebService, WebService], ip: str) -> None:
    assert _ask(ip) == Located(country="MX", source="ipapi", network="2806:100:1::/48")
    assert services[0].paths == ["/2806%3A100%3A1%3A2%3A%3A3/json/"]


class TestCache:
    def test_an_answer_is_kept_for_a_day(
        self, services: tuple[WebService, WebService], time_machine: Any
    ) -> None:
        time_machine.move_to("2026-11-22 12:00:00Z", tick=False)
        assert _ask() == _ask() == _ask("::ffff:" + IP)
        time_machine.move_to("2026-11-23 11:59:58Z", tick=False)
        assert _ask().source == "ipapi"
        assert services[0].calls == 1
        time_machine.move_to("2026-11-23 12:00:01Z", tick=False)
        _ask()
        assert services[0].calls == 2

    def test_a_failure_is_kept_for_five_minutes(
        self, services: tuple[WebService, WebService], time_machine: Any
    ) -> None:
        time_machine.move_to("2026-11-22 12:00:00Z", tick=False)
        services[0].says({}, 500)
        services[1].says({}, 500)
        assert _ask() == _ask() == UNKNOWN
        assert [service.calls for service in services] == [1, 1]
        services[0].says({"country_code": "MX"})
        time_machine.move_to("2026-11-22 12:05:01Z", tick=False)
        assert _ask().country == "MX"

    def test_without_network_only_what_is_known_counts(
        self, services: tuple[WebService, WebService]
    ) -> None:
        assert _ask(network=False) == UNKNOWN
        assert services[0].calls == 0
        _ask()
        assert _ask(network=False).country == "MX"

    @pytest.mark.usefixtures("services")
    def test_a_broken_cache_breaks_nothing(
        self, services: tuple[WebService, WebService], settings: Any
    ) -> None:
        settings.CACHES = {"default": {"BACKEND": "geo.tests.test_cache.BrokenCache"}}
        BrokenCache.asked = 0
        assert _ask() == _ask() == Located(country="MX", source="ipapi", network=NETWORK)
        assert services[0].calls == 1
        assert BrokenCache.asked == 1


class TestTime:
    def test_dripping_servers_cost_two_seconds_once(
        self, services: tuple[WebService, WebService]
    ) -> None:
        services[0].drips(b"HTTP/1.1 200 OK\r\nX-Long: ")
        services[1].drips(b"HTTP/1.1 200 OK\r\n\r\n{")
        found, seconds = _timed(_ask)
        assert found == UNKNOWN
        assert 1.8 < seconds < 4  # the drips go on for much longer
        found, seconds = _timed(_ask)
        assert found == UNKNOWN
        assert seconds < 1  # the services were not asked: that takes two
        assert [service.calls for service in services] == [1, 1]

    def test_a_silent_first_leaves_the_second_its_half(
        self, services: tuple[WebService, WebService], settings: Any
    ) -> None:
        settings.GEO_TIMEOUT_SECONDS = 0.8
        services[0].is_silent()
        found, seconds = _timed(_ask)
        assert found.source == "ip_api"
        assert 0.3 < seconds < 2

    def test_a_dead_tier_costs_nothing_once_its_circuit_is_open(
        self, services: tuple[WebService, WebService], settings: Any
    ) -> None:
        settings.GEO_TIMEOUT_SECONDS = 0.4
        services[0].is_silent()
        services[1].is_silent()
        for last in (1, 2, 3):
            assert _ask(f"189.130.4.{last}") == UNKNOWN
        for last in (4, 5, 6, 7):
            found, seconds = _timed(lambda last=last: _ask(f"189.130.4.{last}"))  # type: ignore[misc]
            assert found == UNKNOWN
            assert seconds < 0.35  # asking them takes 0.4
        assert [service.calls for service in services] == [3, 3]

    def test_what_was_not_asked_is_not_remembered_as_unknown(
        self, services: tuple[WebService, WebService], time_machine: Any
    ) -> None:
        time_machine.move_to("2026-11-22 12:00:00Z", tick=False)
        for service in services:
            service.says({}, 429, Retry_After="60")
        assert _ask("189.130.4.9").country == ""
        assert _ask() == UNKNOWN
        services[0].says({"country_code": "MX"})
        time_machine.move_to("2026-11-22 12:01:01Z", tick=False)
        assert _ask().country == "MX"


class TestLimits:
    def test_429_is_heeded(
        self, services: tuple[WebService, WebService], time_machine: Any
    ) -> None:
        time_machine.move_to("2026-11-22 12:00:00Z", tick=False)
        services[0].says({}, 429, Retry_After="3600")
        for last in range(1, 6):
            assert _ask(f"189.130.4.{last}").source == "ip_api"
        assert [service.calls for service in services] == [1, 5]

    def test_failures_among_answers_do_not_open_the_circuit(
        self, services: tuple[WebService, WebService]
    ) -> None:
        last = iter(range(1, 100))
        for status in (500, 500, 200, 500, 500, 200):
            services[0].says({"country_code": "MX"}, status)
            _ask(f"189.130.4.{next(last)}")
        assert services[0].calls == 6

    def test_the_last_of_the_minute_is_heeded(
        self, services: tuple[WebService, WebService], time_machine: Any
    ) -> None:
        time_machine.move_to("2026-11-22 12:00:00Z", tick=False)
        services[0].says({}, 500)
        services[1].says(SUCCESS, X_Rl="0", X_Ttl="30")
        assert _ask("189.130.4.1").country == "CA"
        assert _ask("189.130.4.2").country == ""
        assert services[1].calls == 1
        time_machine.move_to("2026-11-22 12:00:31Z", tick=False)
        assert _ask("189.130.4.3").country == "CA"

    def test_the_day_s_budget_is_not_exceeded(
        self, services: tuple[WebService, WebService], settings: Any
    ) -> None:
        settings.GEO_DAILY_BUDGET = {"ipapi": 3}
        sources = [_ask(f"189.130.4.{last}").source for last in range(1, 7)]
        assert sources == ["ipapi"] * 3 + ["ip_api"] * 3
        assert services[0].calls == 3


def test_fifty_at_once_make_one_call(services: tuple[WebService, WebService]) -> None:
    may_answer = threading.Event()
    services[0].waits(may_answer, {"country_code": "MX"})
    together = threading.Barrier(50)

    def ask() -> Located:
        together.wait(10)
        return _ask()

    with ThreadPoolExecutor(50) as pool:
        asked = [pool.submit(ask) for _ in range(50)]
        _wait_until(lambda: services[0].calls > 0)
        may_answer.set()
        answers = {each.result(10) for each in asked}
    assert answers == {Located(country="MX", source="ipapi", network=NETWORK)}
    assert [service.calls for service in services] == [1, 0]


def _wait_until(condition: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 10
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < ends_at
        pause.wait(0.01)
