import json
import socket
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

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
    ProviderObjectMissing,
    ProviderUnavailable,
    RateLimited,
)
from billing.providers.conekta.client import ConektaClient
from billing.tests.providers.conekta.conftest import API, example, listed, sent

KEY = "key_fake_secret"
URL = f"{API}/customers/cus_1"
DATE = {"Date": "Mon, 02 Nov 2026 09:30:10 GMT"}
CUSTOMER = {"id": "cus_1", "object": "customer", "livemode": False}
ACCEPT = "application/vnd.conekta-v2.3.0+json"


def client(**changes: Any) -> ConektaClient:
    values: dict[str, Any] = {
        "alias": "conekta",
        "api_key": KEY,
        "api_base": API,
        "is_live": False,
        "connect_timeout_seconds": 3,
        "read_timeout_seconds": 20,
        "max_retries": 0,
    }
    return ConektaClient(**values | changes)


def read(of: ConektaClient, customer_id: str = "cus_1") -> Any:
    return of.read("CustomersApi", "get_customer_by_id", id=customer_id)


def write(of: ConektaClient, **values: object) -> Any:
    return of.write(
        "CustomersApi", "update_customer", id="cus_1", update_customer={"name": "Ana", **values}
    )


def refusal(code: str = "", **fields: Any) -> dict[str, Any]:
    """As the specification shows errors; its texts are not for logs."""
    detail = {"code": code, "message": f"{KEY} was sent by ana@x.mx", **fields}
    return {"object": "error", "type": "some_error", "log_id": "log_9", "details": [detail]}


class TestRead:
    def test_sends_key_and_version_in_bounded_time(self, wire: responses.RequestsMock) -> None:
        headers = {"Authorization": f"Bearer {KEY}", "Accept": ACCEPT}
        wire.get(URL, json=CUSTOMER, match=[matchers.header_matcher(headers)])
        assert read(client()).body == CUSTOMER
        assert wire.calls[0].request.req_kwargs["timeout"] == (3, 20)  # type: ignore[attr-defined]

    def test_two_accounts_live_side_by_side(self) -> None:
        with responses.RequestsMock() as mock:
            for name in ("one", "two"):
                header = matchers.header_matcher({"Authorization": f"Bearer key_{name}"})
                mock.get(f"https://{name}.example/customers/cus_1", json=CUSTOMER, match=[header])
            for name in ("one", "two"):
                read(client(api_key=f"key_{name}", api_base=f"https://{name}.example"))

    def test_an_id_cannot_leave_its_place_in_the_path(self, wire: responses.RequestsMock) -> None:
        wire.get(f"{API}/customers/cus%2F..%3Fx", json=CUSTOMER)
        assert read(client(), "cus/..?x").body == CUSTOMER

    def test_keys_that_the_sdk_does_not_know_or_misses_are_kept(
        self, wire: responses.RequestsMock
    ) -> None:
        odd = {"id": "cus_1", "brand_new": {"x": 1}}
        wire.get(URL, json=odd)
        assert read(client()).body == odd

    @pytest.mark.parametrize("body", ["[]", "null", "5", "{}", '{"a": NaN}', ""])
    def test_an_answer_that_is_no_object_is_an_error(
        self, wire: responses.RequestsMock, body: str
    ) -> None:
        wire.get(URL, body=body)
        with pytest.raises(ProviderError) as caught:
            read(client())
        assert type(caught.value) is ProviderError

    def test_a_missing_key_sends_nothing(self) -> None:
        with responses.RequestsMock(), pytest.raises(CredentialsRejected):
            read(client(api_key=""))

    def test_as_of_is_the_servers_date_less_the_call(self, wire: responses.RequestsMock) -> None:
        wire.get(URL, json=CUSTOMER, headers=DATE)
        as_of = read(client()).as_of
        answered = datetime(2026, 11, 2, 9, 30, 10, tzinfo=UTC)
        assert answered - timedelta(seconds=30) <= as_of < answered


class TestPages:
    URL = f"{API}/plans"

    def page(self, *ids: str, **changes: Any) -> dict[str, Any]:
        return listed(*({"id": each} for each in ids), **changes)

    def ids(self, of: ConektaClient) -> list[object]:
        return [each["id"] for each, _ in of.pages("PlansApi", "get_plans")]

    @pytest.mark.parametrize("url", [None, f"{API}/plans?limit=2&next=b", f"{API}/plans"])
    def test_follows_pages_to_the_end(self, url: str | None) -> None:
        with responses.RequestsMock() as mock:
            first = {"limit": "250"}
            answer = self.page("a", "b", has_more=True, next_page_url=url)
            mock.get(self.URL, json=answer, match=[matchers.query_param_matcher(first)])
            second = matchers.query_param_matcher({**first, "next": "b"})
            mock.get(self.URL, json=self.page("c"), match=[second])
            assert self.ids(client()) == ["a", "b", "c"]

    def test_the_url_of_the_next_page_goes_before_the_last_id(self) -> None:
        with responses.RequestsMock() as mock:
            url = f"{API}/plans?next=token%2F1"
            mock.get(self.URL, json=self.page("a", has_more=True, next_page_url=url))
            query = {"limit": "250", "next": "token/1"}
            match = [matchers.query_param_matcher(query)]
            mock.get(self.URL, json=self.page("b"), match=match)
            assert self.ids(client()) == ["a", "b"]

    @pytest.mark.parametrize(
        "changes",
        [{"has_more": "false,"}, {"has_more": None}, {"next_page_url": "https://x?next=a"}],
    )
    def test_ends_where_it_says(self, changes: dict[str, Any]) -> None:
        with responses.RequestsMock() as mock:
            mock.get(self.URL, json=self.page("a", **changes))
            assert self.ids(client()) == ["a"]

    def test_a_list_that_goes_in_circles_is_left(self) -> None:
        with responses.RequestsMock() as mock:
            mock.get(self.URL, json=self.page("a", has_more=True))
            with pytest.raises(ProviderError):
                self.ids(client())
            assert len(mock.calls) == 2

    def test_a_page_that_cannot_be_left_is_not_asked_for_again(self) -> None:
        with responses.RequestsMock() as mock:
            mock.get(self.URL, json=listed({"object": "plan"}, has_more=True))
            with pytest.raises(ProviderError):
                client().page("PlansApi", "get_plans")

    @pytest.mark.parametrize(
        ("body", "count"), [(listed(), 0), ({"object": "list", "data": None}, 0), (CUSTOMER, 1)]
    )
    def test_a_list_may_be_empty_or_its_only_object(self, body: Any, count: int) -> None:
        with responses.RequestsMock() as mock:
            mock.get(self.URL, json=body)
            assert len(client().page("PlansApi", "get_plans").found) == count


ANSWERS: list[tuple[int, Any, type[ProviderError], type[ProviderError]]] = [
    # status, body, what it is to a read, what it is to a write
    (400, refusal(), InvalidRequest, InvalidRequest),
    (401, refusal("conekta.errors.authentication.missing_key"),
     CredentialsRejected, CredentialsRejected),
    (402, refusal("conekta.errors.processing.bank.declined"), PaymentDeclined, PaymentDeclined),
    (402, refusal("conekta.errors.processing.tokenization.used"), InvalidRequest, InvalidRequest),
    (403, "<html>", CredentialsRejected, CredentialsRejected),
    (404, refusal(), ProviderObjectMissing, ProviderObjectMissing),
    (404, "<html>", ProviderError, OutcomeUnknown),
    (409, refusal(), InvalidRequest, InvalidRequest),
    (422, refusal(), InvalidRequest, InvalidRequest),
    (422, "{}", ProviderError, OutcomeUnknown),
    (428, refusal(), InvalidRequest, InvalidRequest),
    (429, "slowly", RateLimited, RateLimited),
    (302, "", ProviderError, OutcomeUnknown),
    (500, refusal("conekta.errors.api.system.general_failure"),
     ProviderUnavailable, OutcomeUnknown),
    (503, "<html>", ProviderUnavailable, OutcomeUnknown),
    (200, '{"id": "cus_', ProviderError, OutcomeUnknown),
    (200, "[]", ProviderError, OutcomeUnknown),
]  # fmt: skip


class TestErrors:
    @pytest.mark.parametrize(("status", "body", "to_read", "to_write"), ANSWERS)
    def test_each_answer(
        self,
        wire: responses.RequestsMock,
        status: int,
        body: Any,
        to_read: type[ProviderError],
        to_write: type[ProviderError],
    ) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        headers = {"Retry-After": "7"}
        for method in ("GET", "PUT"):
            wire.add(method, URL, status=status, body=text, headers=headers)
        for call, expected in ((read, to_read), (write, to_write)):
            with pytest.raises(expected) as caught:
                call(client())
            error = caught.value
            assert error.code == expected.code
            assert error.provider == "conekta"
            assert error.retry_after == (7 if status == 429 else None)
            assert error.request_id == ("" if isinstance(body, str) else "log_9")
            shown = "".join(traceback.format_exception(error))
            for private in (KEY, "ana@x.mx", "<html>"):
                assert private not in shown

    @pytest.mark.parametrize(
        ("word", "code"),
        [
            ("bank.insufficient_funds", "insufficient_funds"),
            ("bank_bindings.insufficient_funds", "insufficient_funds"),
            ("bank.expired_card", "expired_card"),
            ("charge.card_payment.suspicious_behaviour", "card_declined"),
        ],
    )
    def test_a_decline_has_our_code(
        self, wire: responses.RequestsMock, word: str, code: str
    ) -> None:
        wire.put(URL, status=402, json=refusal(f"conekta.errors.processing.{word}"))
        with pytest.raises(PaymentDeclined) as caught:
            write(client())
        assert caught.value.decline_code == code
        assert caught.value.provider_code.endswith(word)

    @pytest.mark.parametrize("details", [None, [], [None], ["text"], {}, [{"code": 5, "param": 6}]])
    def test_odd_details_end_in_the_same_error(
        self, wire: responses.RequestsMock, details: Any
    ) -> None:
        wire.get(URL, status=422, json=refusal() | {"details": details})
        with pytest.raises(InvalidRequest) as caught:
            read(client())
        assert (caught.value.param, caught.value.provider_code) == ("", "some_error")

    def test_the_field_is_named(self, wire: responses.RequestsMock) -> None:
        wire.get(URL, status=422, json=refusal(param="phone"))
        with pytest.raises(InvalidRequest) as caught:
            read(client())
        assert caught.value.param == "phone"

    @pytest.mark.parametrize(
        "failure",
        [
            requests.ConnectionError("broke off"),
            requests.ReadTimeout(),
            requests.exceptions.ChunkedEncodingError(),
            requests.exceptions.InvalidJSONError(),
        ],
    )
    def test_a_lost_answer(self, wire: responses.RequestsMock, failure: Exception) -> None:
        wire.get(URL, body=failure)
        wire.put(URL, body=failure)
        with pytest.raises(ProviderUnavailable):
            read(client())
        with pytest.raises(OutcomeUnknown):
            write(client())

    def test_no_connection_in_time_is_unavailable(self, wire: responses.RequestsMock) -> None:
        wire.put(URL, body=requests.ConnectTimeout())
        with pytest.raises(ProviderUnavailable):
            write(client())


class TestRequests:
    def test_only_what_is_given_is_sent(self, wire: responses.RequestsMock) -> None:
        """The SDK would add `corporate: false`, and so change what is there."""
        wire.put(URL, json=CUSTOMER)
        write(client(), phone=None)
        assert sent(wire) == {"name": "Ana"}
        assert wire.calls[-1].request.headers["Content-Type"] == "application/json"

    def test_what_the_sdk_would_drop_is_an_error_of_ours(
        self, wire: responses.RequestsMock
    ) -> None:
        with pytest.raises(TypeError, match="UpdateCustomer"):
            write(client(), brand_new="x")

    def test_what_the_sdk_refuses_is_an_invalid_request(self, wire: responses.RequestsMock) -> None:
        values = {"name": "ana@x.mx", "email": "ana@x.mx"}
        with pytest.raises(InvalidRequest) as caught:
            client().write("CustomersApi", "create_customer", customer=values)
        assert caught.value.param == "phone"
        assert "ana@x.mx" not in "".join(traceback.format_exception(caught.value))
        assert [call.request.method for call in wire.calls] == ["GET"]

    def test_a_body_of_no_known_kind_is_an_invalid_request(
        self, wire: responses.RequestsMock
    ) -> None:
        with pytest.raises(InvalidRequest):
            client().write(
                "PaymentMethodsApi",
                "create_customer_payment_methods",
                id="cus_1",
                create_customer_payment_methods_request={"type": 5},
            )

    def test_a_write_is_sent_once(self, wire: responses.RequestsMock) -> None:
        wire.put(URL, status=503)
        with pytest.raises(OutcomeUnknown):
            write(client(max_retries=3))
        assert [call.request.method for call in wire.calls] == ["GET", "PUT"]


class TestMode:
    """Conekta's keys look the same in both modes."""

    @pytest.mark.parametrize("is_live", [True, False])
    def test_a_key_of_the_other_mode_writes_nothing(self, is_live: bool) -> None:
        with responses.RequestsMock() as mock:
            mock.get(f"{API}/plans", json=listed(example("plan", livemode=not is_live)))
            with pytest.raises(CredentialsRejected):
                write(client(is_live=is_live))

    def test_it_is_looked_at_once(self, wire: responses.RequestsMock) -> None:
        wire.put(URL, json=CUSTOMER)
        one = client()
        write(one)
        write(one)
        assert [call.request.method for call in wire.calls] == ["GET", "PUT", "PUT"]

    def test_any_answer_proves_it(self, wire: responses.RequestsMock) -> None:
        wire.get(URL, json=CUSTOMER)
        wire.put(URL, json=CUSTOMER)
        one = client()
        read(one)
        write(one)
        assert [call.request.method for call in wire.calls] == ["GET", "PUT"]
        assert wire.calls[0].request.url == URL

    def test_an_empty_account_proves_nothing(self) -> None:
        with responses.RequestsMock() as mock:
            mock.get(f"{API}/plans", json=listed())
            mock.put(URL, json={"id": "cus_1"})
            one = client()
            write(one)
            write(one)
            assert len(mock.calls) == 4

    def test_a_read_of_the_other_mode_is_refused(self, wire: responses.RequestsMock) -> None:
        wire.get(URL, json=CUSTOMER | {"livemode": True})
        with pytest.raises(CredentialsRejected):
            read(client())


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
            write(client(api_base=base))

    @pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"])
    def test_a_broken_answer_is_unknown(self, listener: socket.socket, answer: bytes) -> None:
        proof = json.dumps(listed(example("plan"))).encode()
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(proof)

        def serve() -> None:
            for each in (head + proof, answer):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(each)

        with ThreadPoolExecutor(1) as pool:
            served = pool.submit(serve)
            with pytest.raises(OutcomeUnknown):
                write(client(api_base=self.base(listener)))
            served.result(5)
