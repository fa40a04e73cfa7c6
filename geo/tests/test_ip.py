"""A table of what arrives in X-Forwarded-For, and of the addresses that may be looked up."""

from typing import Any

import pytest
from django.test import RequestFactory

from geo.ip import client_ip, is_public

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
