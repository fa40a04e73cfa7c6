"""A GET against a server that does what servers do."""

import contextlib
import socket
import threading
import time

import pytest

from geo.backends.base import LookupFailed
from geo.backends.transport import get_json, seconds_of
from geo.tests.web_service import WebService

SECONDS = 0.4
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def _reason(service: WebService, seconds: float = 5) -> str:
    with pytest.raises(LookupFailed) as caught:
        get_json(f"{service.url}/8.8.8.8", {}, seconds)
    assert "8.8.8.8" not in str(caught.value)
    return caught.value.reason


def test_an_answer_with_its_headers(ipapi: WebService) -> None:
    ipapi.says({"country_code": "MX"}, X_Rl="7")
    answer = get_json(f"{ipapi.url}/a%3Ab", {"key": "k"}, 5)
    assert answer.told == {"country_code": "MX"}
    assert answer.headers["x-rl"] == "7"
    assert (ipapi.paths, ipapi.queries) == (["/a%3Ab"], [{"key": ["k"]}])
    assert ipapi.headers[0]["User-Agent"] == "django-cobro-geo"


@pytest.mark.parametrize("status", [301, 302, 400, 403, 404, 500, 503])
def test_another_status(ipapi: WebService, status: int) -> None:
    ipapi.says({"country_code": "MX"}, status, Location="/elsewhere")
    assert _reason(ipapi) == f"http_{status}"
    assert ipapi.calls == 1


@pytest.mark.parametrize(
    ("headers", "retry_after"),
    [
        ({}, 0),
        ({"Retry_After": "90"}, 90),
        ({"X_Rl": "0", "X_Ttl": "33"}, 33),
        ({"Retry_After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0),
        ({"Retry_After": "9999999"}, 86_400),
    ],
)
def test_too_many_requests(ipapi: WebService, headers: dict[str, str], retry_after: int) -> None:
    ipapi.says({}, 429, **headers)
    with pytest.raises(LookupFailed) as caught:
        get_json(ipapi.url, {}, 5)
    assert (caught.value.reason, caught.value.retry_after) == ("rate_limited", retry_after)


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1e9", "\u0661", "9" * 5000, "soon"])
def test_what_is_no_number_of_seconds(text: str) -> None:
    assert seconds_of({"X-Ttl": text}, "X-Ttl") == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"MX",
        b"[]",
        b'"MX"',
        b"null",
        b"\xff\xfe",
        b"[" * 9_000,
        b'{"a":' * 3_000,
        b"9" * 9_000,
    ],
)
def test_what_is_no_json_object(ipapi: WebService, body: bytes) -> None:
    ipapi.says_raw(body)
    assert _reason(ipapi) == "not_json"


def test_an_answer_without_end(ipapi: WebService) -> None:
    ipapi.says_raw(b" " * 1_000_000 + b"{}")
    assert _reason(ipapi) == "too_large"


def test_nobody_listens(ipapi: WebService) -> None:
    with pytest.raises(LookupFailed, match="unreachable"):
        get_json("http://127.0.0.1:9/8.8.8.8", {}, 5)


def test_a_connection_that_ends_early(ipapi: WebService) -> None:
    ipapi.answer = lambda handler: handler.connection.close()
    assert _reason(ipapi) == "unreachable"


@pytest.mark.parametrize("url", ["http://", "nonsense", "http://[::1", "ftp://127.0.0.1/"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(LookupFailed, match="unreachable"):
        get_json(url, {}, 5)


@pytest.mark.parametrize(
    "beginning",
    [b"", b"HTTP/1.1 200 OK\r\nX-Long: ", HEAD + b"\r\n", HEAD + b"Content-Length: 900\r\n\r\n"],
    ids=["status line", "headers", "body", "body of a known length"],
)
def test_a_server_that_drips_is_cut_off(ipapi: WebService, beginning: bytes) -> None:
    ipapi.drips(beginning)
    _is_over_in_time(ipapi)


def test_a_silent_server_is_cut_off(ipapi: WebService) -> None:
    ipapi.is_silent()
    _is_over_in_time(ipapi)


def _is_over_in_time(service: WebService) -> None:
    """For the caller at once, and for the thread soon after."""
    before = time.monotonic()
    assert _reason(service, SECONDS) == "timeout"
    assert time.monotonic() - before < SECONDS + 2
    _all_calls_end()


def _all_calls_end() -> None:
    for thread in threading.enumerate():
        if thread.name == "geo-call":
            thread.join(1)
            assert not thread.is_alive()


def test_a_name_server_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        answered.wait(20)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    before = time.monotonic()
    with pytest.raises(LookupFailed, match="timeout"):
        get_json("http://geo.invalid/", {}, SECONDS)
    assert time.monotonic() - before < SECONDS + 2
    answered.set()
    _all_calls_end()


def test_a_tls_handshake_without_an_end_is_cut_off(ipapi: WebService) -> None:
    """A server whose first bytes promise a record of TLS, and the rest comes slowly."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stopped = threading.Event()
        server = threading.Thread(target=_drip_tls, args=(listener, stopped), daemon=True)
        server.start()
        before = time.monotonic()
        with pytest.raises(LookupFailed, match="timeout"):
            get_json(f"https://127.0.0.1:{listener.getsockname()[1]}/", {}, SECONDS)
        assert time.monotonic() - before < SECONDS + 2
        server.join(2)  # it ends when its peer is gone
        assert not server.is_alive()
        stopped.set()


def _drip_tls(listener: socket.socket, stopped: threading.Event) -> None:
    connection, _ = listener.accept()
    with connection, contextlib.suppress(OSError):
        connection.sendall(b"\x16\x03\x03\x40\x00")
        while not stopped.wait(0.05):
            connection.sendall(b"\x00")
