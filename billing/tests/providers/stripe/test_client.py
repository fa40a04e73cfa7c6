import socket
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
import responses
from responses import matchers

from billing.errors import (
    CredentialsRejected,
    InvalidRequest,
    OutcomeUnknown,
    PaymentDeclined,
    ProviderError,
    ProviderKeyConflict,
    ProviderObjectMissing,
    ProviderUnavailable,
    RateLimited,
)
from billing.providers.stripe.client import StripeClient
from billing.providers.stripe.events import API_VERSION

BASE = "https://api.stripe.com"
KEY = "sk_test_51secret"
URL = f"{BASE}/v1/customers/cus_1"
DATE = {"Date": "Mon, 02 Nov 2026 09:30:10 GMT"}
CUSTOMER = {"id": "cus_1", "object": "customer"}


def client(**changes: Any) -> StripeClient:
    values: dict[str, Any] = {
        "alias": "stripe",
        "api_key": KEY,
        "api_base": BASE,
        "connect_timeout_seconds": 3,
        "read_timeout_seconds": 20,
        "max_retries": 0,
    }
    return StripeClient(**values | changes)


def refusal(error_type: str, **fields: str) -> dict[str, Any]:
    return {"error": {"type": error_type, "message": f"{KEY} was sent by ana@x.mx", **fields}}


@pytest.mark.parametrize("name", ["usage", "base"])
def test_what_the_sdk_would_not_send_is_an_error(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        client().post("setup_intents", idempotency_key="k", params={name: "off_session"})


class TestGet:
    def test_sends_key_and_pinned_version(self) -> None:
        headers = {"Authorization": f"Bearer {KEY}", "Stripe-Version": API_VERSION}
        with responses.RequestsMock() as mock:
            mock.get(URL, json=CUSTOMER, match=[matchers.header_matcher(headers)])
            assert client().get("customers", "cus_1").body == CUSTOMER
            assert mock.calls[0].request.req_kwargs["timeout"] == (3, 20)

    def test_two_accounts_live_side_by_side(self) -> None:
        with responses.RequestsMock() as mock:
            for name in ("one", "two"):
                header = matchers.header_matcher({"Authorization": f"Bearer sk_test_{name}"})
                mock.get(f"https://{name}.example/v1/balance", json={}, match=[header])
            for name in ("one", "two"):
                client(api_key=f"sk_test_{name}", api_base=f"https://{name}.example").get("balance")

    def test_an_id_cannot_leave_its_place_in_the_path(self) -> None:
        with responses.RequestsMock() as mock:
            mock.get(f"{BASE}/v1/customers/cus%2F..%3Fx", json=CUSTOMER)
            client().get("customers", "cus/..?x")

    def test_expands(self) -> None:
        query = matchers.query_param_matcher({"expand[0]": "a.b", "expand[1]": "c"})
        with responses.RequestsMock() as mock:
            mock.get(URL, json=CUSTOMER, match=[query])
            client().get("customers", "cus_1", expand=("a.b", "c"))

    def test_a_refused_expansion_is_left_out(self) -> None:
        with responses.RequestsMock() as mock:
            expanded = matchers.query_param_matcher({"expand[0]": "payments"})
            error = refusal("invalid_request_error")
            mock.get(URL, status=400, json=error, match=[expanded])
            mock.get(URL, json=CUSTOMER, match=[matchers.query_param_matcher({})])
            assert client().get("customers", "cus_1", expand=("payments",)).body == CUSTOMER

    @pytest.mark.parametrize("text", ["[]", "null", "5"])
    def test_an_answer_that_is_no_object_is_an_error(self, text: str) -> None:
        with responses.RequestsMock() as mock:
            mock.get(URL, body=text)
            with pytest.raises(ProviderError):
                client().get("customers", "cus_1")

    def test_a_missing_key_sends_nothing(self) -> None:
        with responses.RequestsMock(), pytest.raises(CredentialsRejected):
            client(api_key="").get("balance")


class TestAsOf:
    def test_is_the_servers_date_less_the_call(self) -> None:
        with responses.RequestsMock() as mock:
            mock.get(URL, json=CUSTOMER, headers=DATE)
            as_of = client().get("customers", "cus_1").as_of
        answered = datetime(2026, 11, 2, 9, 30, 10, tzinfo=UTC)
        assert as_of.microsecond == 0
        assert answered - timedelta(seconds=3) <= as_of < answered

    @pytest.mark.parametrize("headers", [{}, {"Date": "soon"}, {"Date": ""}])
    def test_our_clock_stands_in(self, headers: dict[str, str]) -> None:
        before = datetime.now(UTC).replace(microsecond=0)
        with responses.RequestsMock() as mock:
            mock.get(URL, json=CUSTOMER, headers=headers)
            as_of = client().get("customers", "cus_1").as_of
        assert before <= as_of <= datetime.now(UTC)


class TestPages:
    def page(self, ids: list[str], has_more: bool) -> dict[str, Any]:
        return {"object": "list", "data": [{"id": each} for each in ids], "has_more": has_more}

    def test_follows_pages_to_the_end(self) -> None:
        url = f"{BASE}/v1/invoices"
        with responses.RequestsMock() as mock:
            first = {"customer": "cus_1", "limit": "100"}
            second = {**first, "starting_after": "in_2"}
            answer = self.page(["in_1", "in_2"], True)
            mock.get(url, json=answer, match=[matchers.query_param_matcher(first)])
            answer = self.page(["in_3"], False)
            mock.get(url, json=answer, match=[matchers.query_param_matcher(second)])
            found = [each["id"] for each, _ in client().pages("invoices", customer="cus_1")]
        assert found == ["in_1", "in_2", "in_3"]

    def test_asks_for_no_more_than_the_limit(self) -> None:
        with responses.RequestsMock() as mock:
            query = matchers.query_param_matcher({"limit": "2"})
            answer = self.page(["in_1", "in_2"], True)
            mock.get(f"{BASE}/v1/invoices", json=answer, match=[query])
            assert len(list(client().pages("invoices", limit=2))) == 2

    def test_a_page_that_cannot_be_left_is_not_asked_for_again(self) -> None:
        with responses.RequestsMock() as mock:
            answer = self.page(["in_1"], True)
            answer["data"].append({"object": "invoice"})
            mock.get(f"{BASE}/v1/invoices", json=answer)
            listed = client().pages("invoices")
            assert next(listed)[0] == {"id": "in_1"}
            next(listed)
            with pytest.raises(ProviderError):
                next(listed)

    def test_an_empty_page_ends_it(self) -> None:
        with responses.RequestsMock() as mock:
            mock.get(f"{BASE}/v1/invoices", json=self.page([], True))
            assert list(client().pages("invoices")) == []


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "body", "expected"),
        [
            (400, refusal("invalid_request_error", param="limit"), InvalidRequest),
            (404, refusal("invalid_request_error", code="resource_missing"), ProviderObjectMissing),
            (400, refusal("invalid_request_error", code="resource_missing"), ProviderObjectMissing),
            (400, refusal("idempotency_error"), ProviderKeyConflict),
            (401, refusal("invalid_request_error"), CredentialsRejected),
            (402, refusal("card_error", code="card_declined"), PaymentDeclined),
            (403, refusal("invalid_request_error"), CredentialsRejected),
            (409, refusal("api_error"), ProviderError),
            (429, refusal("invalid_request_error", code="rate_limit"), RateLimited),
            (500, refusal("api_error"), ProviderUnavailable),
            (503, "<html>", ProviderUnavailable),
            (200, "<html>", ProviderError),
        ],
    )
    def test_each_answer(self, status: int, body: Any, expected: type[ProviderError]) -> None:
        given = {"body": body} if isinstance(body, str) else {"json": body}
        headers = {"Request-Id": "req_9", "Retry-After": "7"}
        with responses.RequestsMock() as mock:
            mock.get(URL, status=status, headers=headers, **given)
            with pytest.raises(ProviderError) as caught:
                client().get("customers", "cus_1")
        assert type(caught.value) is expected
        assert caught.value.provider == "stripe"
        assert caught.value.request_id == ("" if isinstance(body, str) else "req_9")
        shown = "".join(traceback.format_exception(caught.value))
        for private in (KEY, "ana@x.mx", "<html>"):
            assert private not in shown

    @pytest.mark.parametrize(
        ("decline", "code"),
        [
            ("insufficient_funds", "insufficient_funds"),
            ("authentication_required", "authentication_required"),
            ("lost_card", "card_declined"),
        ],
    )
    def test_a_decline_has_our_code(self, decline: str, code: str) -> None:
        body = refusal("card_error", code="card_declined", decline_code=decline)
        with responses.RequestsMock() as mock:
            mock.get(URL, status=402, json=body)
            with pytest.raises(PaymentDeclined) as caught:
                client().get("customers", "cus_1")
        assert caught.value.decline_code == code

    def test_param_and_retry_after(self) -> None:
        with responses.RequestsMock() as mock:
            mock.get(URL, status=400, json=refusal("invalid_request_error", param="limit"))
            with pytest.raises(InvalidRequest) as refused:
                client().get("customers", "cus_1")
        with responses.RequestsMock() as mock:
            mock.get(URL, status=429, json=refusal("api_error"), headers={"Retry-After": "7"})
            with pytest.raises(RateLimited) as limited:
                client().get("customers", "cus_1")
        assert refused.value.param == "limit"
        assert limited.value.retry_after == 7

    @pytest.mark.parametrize(
        "failure", [requests.ConnectionError(), requests.Timeout(), requests.TooManyRedirects()]
    )
    def test_no_answer_is_unavailable(self, failure: Exception) -> None:
        with responses.RequestsMock() as mock:
            mock.get(URL, body=failure)
            with pytest.raises(ProviderUnavailable):
                client().get("customers", "cus_1")


def write(**changes: Any) -> None:
    client(**changes).post("customers", "cus_1", idempotency_key="op-1", params={"name": "Ana"})


class TestWrites:
    def test_sends_form_key_and_version(self) -> None:
        params = {
            "default_payment_method": "",
            "description": None,
            "cancel_at_period_end": False,
            "items": [{"price": "p", "quantity": 2}],
        }
        with responses.RequestsMock() as mock:
            mock.post(f"{BASE}/v1/subscriptions/sub_1", json=CUSTOMER, headers=DATE)
            answer = client().post(
                "subscriptions", "sub_1", idempotency_key="op-1", params=params, expand=("a.b",)
            )
            sent = mock.calls[0].request
        assert answer.body == CUSTOMER
        assert dict(parse_qsl(str(sent.body), keep_blank_values=True)) == {
            "default_payment_method": "",
            "cancel_at_period_end": "false",
            "items[0][price]": "p",
            "items[0][quantity]": "2",
            "expand[0]": "a.b",
        }
        assert sent.headers["Idempotency-Key"] == "op-1"
        assert sent.headers["Stripe-Version"] == API_VERSION
        assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert sent.req_kwargs["timeout"] == (3, 20)  # type: ignore[attr-defined]

    def test_delete(self) -> None:
        with responses.RequestsMock() as mock:
            mock.delete(URL, json=CUSTOMER | {"deleted": True})
            client().delete("customers", "cus_1", idempotency_key="op-1")
            assert mock.calls[0].request.headers["Idempotency-Key"] == "op-1"

    @pytest.mark.parametrize(
        ("status", "body", "expected"),
        [
            (400, refusal("invalid_request_error", param="name"), InvalidRequest),
            (400, refusal("idempotency_error"), ProviderKeyConflict),
            (401, refusal("invalid_request_error"), CredentialsRejected),
            (402, refusal("card_error", code="card_declined"), PaymentDeclined),
            (403, refusal("invalid_request_error"), CredentialsRejected),
            (404, refusal("invalid_request_error", code="resource_missing"), ProviderObjectMissing),
            (404, "<html>", OutcomeUnknown),
            (409, refusal("idempotency_error", code="idempotency_key_in_use"), OutcomeUnknown),
            (429, refusal("invalid_request_error", code="rate_limit"), RateLimited),
            (500, refusal("api_error"), OutcomeUnknown),
            (503, "<html>", OutcomeUnknown),
            (200, "<html>", OutcomeUnknown),
            (200, '{"id": "cus_', OutcomeUnknown),
            (200, "[]", OutcomeUnknown),
        ],
    )
    def test_each_answer(self, status: int, body: Any, expected: type[ProviderError]) -> None:
        given = {"body": body} if isinstance(body, str) else {"json": body}
        with responses.RequestsMock() as mock:
            mock.post(URL, status=status, headers={"Retry-After": "7"}, **given)
            with pytest.raises(ProviderError) as caught:
                write()
        assert type(caught.value) is expected
        assert caught.value.provider == "stripe"
        assert caught.value.retry_after == (7 if status == 429 else None)
        shown = "".join(traceback.format_exception(caught.value))
        for private in (KEY, "ana@x.mx", "<html>"):
            assert private not in shown

    @pytest.mark.parametrize(
        "failure",
        [
            requests.ConnectionError("broke off"),
            requests.ReadTimeout(),
            requests.exceptions.ChunkedEncodingError(),
            requests.TooManyRedirects(),
        ],
    )
    def test_a_lost_answer_is_unknown(self, failure: Exception) -> None:
        with responses.RequestsMock() as mock:
            mock.post(URL, body=failure)
            with pytest.raises(OutcomeUnknown):
                write()

    def test_no_connection_in_time_is_unavailable(self) -> None:
        with responses.RequestsMock() as mock:
            mock.post(URL, body=requests.ConnectTimeout())
            with pytest.raises(ProviderUnavailable):
                write()


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    import stripe

    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0)
    monkeypatch.setattr(stripe.HTTPClient, "MAX_DELAY", 0)


@pytest.mark.usefixtures("no_pause")
class TestRepeatedWrites:
    """The SDK repeats by itself and tells of the last sending only."""

    def answers(self, mock: responses.RequestsMock, *given: Any) -> None:
        for each in given:
            if isinstance(each, Exception):
                mock.post(URL, body=each)
            else:
                mock.post(URL, status=each, json=CUSTOMER if each == 200 else refusal("api_error"))

    def test_keep_their_key(self) -> None:
        with responses.RequestsMock() as mock:
            self.answers(mock, requests.ReadTimeout(), 500, 200)
            write(max_retries=2)
            keys = [call.request.headers["Idempotency-Key"] for call in mock.calls]
        assert keys == ["op-1"] * 3

    @pytest.mark.parametrize("last", [requests.ConnectTimeout(), 401, 429])
    @pytest.mark.parametrize("first", [requests.ReadTimeout(), 500, 409])
    def test_after_a_lost_answer_the_last_word_decides_nothing(self, first: Any, last: Any) -> None:
        with responses.RequestsMock() as mock:
            self.answers(mock, first, last)
            with pytest.raises(OutcomeUnknown):
                write(max_retries=1)

    def test_after_a_lost_answer_a_decline_is_one(self) -> None:
        with responses.RequestsMock() as mock:
            self.answers(mock, requests.ReadTimeout(), 402)
            with pytest.raises(PaymentDeclined):
                write(max_retries=1)

    def test_never_connected_is_unavailable(self) -> None:
        with responses.RequestsMock() as mock:
            self.answers(mock, *[requests.ConnectTimeout()] * 3)
            with pytest.raises(ProviderUnavailable):
                write(max_retries=2)

    def test_one_write_says_nothing_of_the_next(self) -> None:
        one = client(max_retries=0)
        with responses.RequestsMock() as mock:
            self.answers(mock, requests.ReadTimeout(), 429)
            with pytest.raises(OutcomeUnknown):
                one.post("customers", "cus_1", idempotency_key="op-1")
            with pytest.raises(RateLimited):
                one.post("customers", "cus_1", idempotency_key="op-2")


class TestRealSockets:
    @pytest.fixture
    def listener(self) -> Iterator[socket.socket]:
        with socket.create_server(("127.0.0.1", 0)) as found:
            yield found

    def base(self, listener: socket.socket) -> str:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    def test_a_refused_connection_is_unavailable(self, listener: socket.socket) -> None:
        base = self.base(listener)
        listener.close()
        with pytest.raises(ProviderUnavailable):
            write(api_base=base)

    def test_a_silent_server_is_unknown(self, listener: socket.socket) -> None:
        with pytest.raises(OutcomeUnknown):
            write(api_base=self.base(listener), read_timeout_seconds=0.2)

    @pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"])
    def test_a_broken_answer_is_unknown(self, listener: socket.socket, answer: bytes) -> None:
        def break_off() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        with ThreadPoolExecutor(1) as pool:
            served = pool.submit(break_off)
            with pytest.raises(OutcomeUnknown):
                write(api_base=self.base(listener))
            served.result(5)
