"""What the clients of all providers stand on. The rest is tested through them."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
import responses

from billing.errors import InvalidRequest, OutcomeUnknown, ProviderError, ProviderUnavailable
from billing.providers.http import (
    Lost,
    Transport,
    as_of,
    begun,
    header,
    never_connected,
    retry_after,
    writing,
)

URL = "https://api.example.com/things"
WALL = datetime(2026, 11, 2, 9, 30, 10, 999, tzinfo=UTC)


def transport(*, read_timeout_seconds: float = 20, max_retries: int = 0) -> Transport:
    return Transport(
        connect_timeout_seconds=3,
        read_timeout_seconds=read_timeout_seconds,
        max_retries=max_retries,
    )


def send(to: Transport, method: str = "GET", url: str = URL) -> requests.Response:
    return to.send(method, url, headers={"Authorization": "Bearer fake"}, body=None)


class TestTransport:
    def test_is_bounded_in_time(self) -> None:
        with responses.RequestsMock() as mock:
            mock.get(URL)
            send(transport())
            assert mock.calls[0].request.req_kwargs["timeout"] == (3, 20)  # type: ignore[attr-defined]

    def test_a_body_is_sent_as_utf8(self) -> None:
        with responses.RequestsMock() as mock:
            mock.post(URL)
            transport().send("POST", URL, headers={}, body='"José"')
            assert mock.calls[0].request.body == b'"Jos\xc3\xa9"'

    def test_a_redirect_is_not_followed(self) -> None:
        with responses.RequestsMock() as mock:
            mock.get(URL, status=302, headers={"Location": "https://evil.example/"})
            assert send(transport()).status_code == 302

    def test_a_read_is_tried_again(self) -> None:
        with responses.RequestsMock() as mock:
            mock.get(URL, status=503)
            mock.get(URL, status=200)
            assert send(transport(max_retries=1)).status_code == 200

    def test_a_write_is_sent_once(self) -> None:
        with responses.RequestsMock() as mock:
            mock.post(URL, status=503)
            assert send(transport(max_retries=3), "POST").status_code == 503
            assert len(mock.calls) == 1

    def test_a_netrc_does_not_replace_our_key(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine api.example.com login somebody password else")
        monkeypatch.setenv("NETRC", str(netrc))
        with responses.RequestsMock() as mock:
            mock.get(URL)
            send(transport())
            assert mock.calls[0].request.headers["Authorization"] == "Bearer fake"

    def test_each_thread_has_its_session(self) -> None:
        one = transport()
        with ThreadPoolExecutor(1) as other:
            assert one._session() is one._session()
            assert other.submit(one._session).result() is not one._session()


def address(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}/"


def failure(url: str) -> requests.RequestException:
    with pytest.raises(requests.RequestException) as caught:
        send(transport(read_timeout_seconds=0.2), url=url)
    return caught.value


class TestNeverConnected:
    @pytest.fixture
    def listener(self) -> Iterator[socket.socket]:
        with socket.create_server(("127.0.0.1", 0)) as found:
            yield found

    def test_a_refused_connection(self, listener: socket.socket) -> None:
        url = address(listener)
        listener.close()
        assert never_connected(failure(url))

    def test_a_silent_server(self, listener: socket.socket) -> None:
        assert not never_connected(failure(address(listener)))

    def test_no_connection_in_time(self) -> None:
        assert never_connected(requests.ConnectTimeout())

    @pytest.mark.parametrize("error", [requests.ConnectionError("broke off"), OSError(), None])
    def test_anything_else_may_have_arrived(self, error: Exception | None) -> None:
        assert not never_connected(error)


class TestHeaders:
    @pytest.mark.parametrize("name", ["Digest", "DIGEST", "digest"])
    def test_a_header_in_any_case(self, name: str) -> None:
        assert header({"Other": "1", name: "x"}, "Digest") == "x"
        assert header({"Other": "1"}, name) is None

    @pytest.mark.parametrize(
        ("value", "seconds"), [("7", 7), ("", None), ("soon", None), ("-1", None), ("٧", None)]
    )
    def test_retry_after(self, value: str, seconds: int | None) -> None:
        assert retry_after({"retry-after": value}) == seconds
        assert retry_after(None) is None


class TestAsOf:
    def test_is_the_servers_date_less_the_call(self) -> None:
        headers = {"Date": "Mon, 02 Nov 2026 09:30:10 GMT"}
        found = as_of(headers, WALL, timedelta(seconds=1.5))
        assert found == datetime(2026, 11, 2, 9, 30, 8, tzinfo=UTC)

    @pytest.mark.parametrize("headers", [{}, {"Date": "soon"}, {"Date": ""}])
    def test_our_clock_stands_in(self, headers: dict[str, str]) -> None:
        assert as_of(headers, WALL, timedelta(seconds=1)) == WALL.replace(microsecond=0)


class TestWriting:
    @pytest.mark.parametrize("kind", [Lost, ProviderError])
    def test_what_leaves_it_open_says_so(self, kind: type[ProviderError]) -> None:
        with pytest.raises(OutcomeUnknown) as caught, writing():
            raise kind("gone", provider="one", provider_code="x")
        assert (caught.value.provider, caught.value.provider_code) == ("one", "x")

    @pytest.mark.parametrize("kind", [InvalidRequest, ProviderUnavailable])
    def test_a_no_is_one(self, kind: type[ProviderError]) -> None:
        with pytest.raises(kind), writing():
            raise kind("no")


class TestBegun:
    def test_a_later_refusal_leaves_the_whole_open(self) -> None:
        with pytest.raises(OutcomeUnknown) as caught, begun():
            raise InvalidRequest("no", provider="one", provider_code="x")
        assert (caught.value.provider, caught.value.provider_code) == ("one", "x")

    def test_a_first_refusal_is_one(self) -> None:
        with pytest.raises(InvalidRequest), begun(is_begun=False):
            raise InvalidRequest("no")
