"""A table of what arrives in X-Forwarded-For, and of the addresses that may be looked up."""

from typing import Any

import pytest
from django.test import RequestFactory

from geo.ip import Visitor, client_ip, fingerprint, is_public, network_of, visitor_of

PROXY = "10.0.0.1"
# trusted proxies, X-Forwarded-For, the address of the connection, the client's address
CASES = {
    "nothing forwarded": (0, None, "203.0.113.9", "203.0.113.9"),
    "not believed by default": (0, "198.51.100.7", "203.0.113.9", "203.0.113.9"),
    "one proxy": (1, "198.51.100.7", PROXY, "198.51.100.7"),
    "one proxy, the client lied": (1, "1.1.1.1, 198.51.100.7", PROXY, "198.51.100.7"),
    "two proxies": (2, "198.51.100.7, 10.0.0.2", PROXY, "198.51.100.7"),
    "two proxies, the client lied": (2, "1.1.1.1,198.51.100.7,10.0.0.2", PROXY, "198.51.100.7"),
    "fewer entries than proxies": (2, "198.51.100.7", PROXY, PROXY),
    "no header behind a proxy": (1, None, PROXY, PROXY),
    "an empty header": (1, "", PROXY, PROXY),
    "an empty entry": (1, "198.51.100.7,", PROXY, PROXY),
    "unknown": (1, "unknown", PROXY, PROXY),
    "a name": (1, "localhost", PROXY, PROXY),
    "a malformed entry before a good one": (1, "<script>, 198.51.100.7", PROXY, "198.51.100.7"),
    "too large a number": (1, "198.51.100.256", PROXY, PROXY),
    "leading zeros": (1, "198.051.100.7", PROXY, PROXY),
    "other digits": (1, "\u0661.1.1.1", PROXY, PROXY),
    "a line break": (1, "198.51.100.7\nX: y", PROXY, PROXY),
    "NUL": (1, "198.51.100.7\x00", PROXY, PROXY),
    "blanks and tabs": (1, " \t198.51.100.7 ", PROXY, "198.51.100.7"),
    "a port": (1, "198.51.100.7:4711", PROXY, "198.51.100.7"),
    "IPv6": (1, "2001:DB8:0:0::1", PROXY, "2001:db8::1"),
    "IPv6 in brackets": (1, "[2001:db8::1]", PROXY, "2001:db8::1"),
    "IPv6 in brackets with a port": (1, "[2001:db8::1]:4711", PROXY, "2001:db8::1"),
    "a bracket that stays open": (1, "[2001:db8::1", PROXY, "2001:db8::1"),
    "a zone": (1, "fe80::1%eth0", PROXY, "fe80::1"),
    "a hostile zone": (1, "fe80::1%\n<b>", PROXY, "fe80::1"),
    "IPv4 in IPv6": (1, "::ffff:198.51.100.7", PROXY, "198.51.100.7"),
    "a Unix socket": (0, None, "", ""),
    "a Unix socket, nothing believed": (0, "198.51.100.7", "", ""),
    "a Unix socket behind a proxy": (1, "1.1.1.1, 198.51.100.7", "", "198.51.100.7"),
    "a Unix socket behind a silent proxy": (1, None, "", ""),
    "commas only": (3, ",,,,,", PROXY, PROXY),
    "a huge header": (1, "1.1.1.1," * 10_000 + "198.51.100.7", PROXY, "198.51.100.7"),
    "a negative count": (-1, "198.51.100.7", PROXY, PROXY),
}


@pytest.mark.parametrize(("proxies", "forwarded", "remote", "expected"), CASES.values(), ids=CASES)
def test_client_ip(
    settings: Any, proxies: int, forwarded: str | None, remote: str, expected: str
) -> None:
    settings.GEO_TRUSTED_PROXIES = proxies
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    request = RequestFactory().get("/", REMOTE_ADDR=remote, **headers)
    assert client_ip(request) == expected


def test_a_server_that_gives_no_address(settings: Any) -> None:
    request = RequestFactory().get("/")
    del request.META["REMOTE_ADDR"]
    assert client_ip(request) == ""


PUBLIC = ["8.8.8.8", "8.8.8.8:53", "192.0.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"]
_NOT_PUBLIC = """
    0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 192.0.2.1 192.168.1.1
    198.18.0.1 203.0.113.9 224.0.0.1 240.0.0.1 255.255.255.255 :: ::1 ::10.0.0.1 ::ffff:10.0.0.1
    64:ff9b::8.8.8.8 100::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 2002:a00:1::1
    fc00::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1
    unknown localhost 8.8.8 8.8.8.8.8 8.8.8.8/32 134744072 0x8080808 08.8.8.8
"""


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", [*_NOT_PUBLIC.split(), "", " ", "\x00", "8.8.8.8, 1.1.1.1"])
def test_not_public(address: str) -> None:
    assert not is_public(address)


class TestVisitorOf:
    @pytest.mark.parametrize(
        ("proxies", "forwarded", "told"),
        [
            (0, None, ""),
            (0, "198.51.100.7", ""),
            (1, None, ""),
            (1, "198.51.100.7", "MX"),
            (1, "1.1.1.1, 198.51.100.7", "MX"),
            (1, "unknown", ""),
            (2, "198.51.100.7", ""),
            (2, "198.51.100.7, 10.0.0.2", "MX"),
        ],
    )
    def test_the_header_counts_only_through_the_trusted_proxies(
        self, settings: Any, proxies: int, forwarded: str | None, told: str
    ) -> None:
        settings.GEO_TRUSTED_PROXIES = proxies
        settings.GEO_COUNTRY_HEADER = "CF-IPCountry"
        headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
        request = RequestFactory().get("/", REMOTE_ADDR=PROXY, HTTP_CF_IPCOUNTRY="MX", **headers)
        visitor = visitor_of(request)
        assert visitor.told_country == told
        assert visitor.ip == ("198.51.100.7" if told else PROXY)

    def test_no_header_is_read_without_the_setting(self, settings: Any) -> None:
        settings.GEO_TRUSTED_PROXIES = 1
        request = RequestFactory().get(
            "/", HTTP_X_FORWARDED_FOR="198.51.100.7", HTTP_CF_IPCOUNTRY="MX"
        )
        assert visitor_of(request) == Visitor(ip="198.51.100.7", told_country="")


@pytest.mark.parametrize(
    ("given", "ip"),
    [
        ("198.51.100.7", "198.51.100.7"),
        (" [2001:DB8::1]:443 ", "2001:db8::1"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("<script>", ""),
        ("", ""),
    ],
)
def test_a_visitor_has_the_shortest_form_and_does_not_show_it(given: str, ip: str) -> None:
    visitor = Visitor(ip=given)
    assert visitor.ip == ip
    assert repr(visitor) == "Visitor(told_country='')"


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("198.51.100.7", "198.51.100.0/24"),
        ("198.51.100.255", "198.51.100.0/24"),
        ("::ffff:198.51.100.7", "198.51.100.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("unknown", ""),
        ("", ""),
    ],
)
def test_network_of(ip: str, network: str) -> None:
    assert network_of(ip) == network


def test_a_fingerprint_is_stable_and_keyed(settings: Any) -> None:
    one = fingerprint("198.51.100.7")
    assert one == fingerprint("198.51.100.7")
    assert one != fingerprint("198.51.100.8")
    settings.SECRET_KEY = "another"
    assert one != fingerprint("198.51.100.7")
