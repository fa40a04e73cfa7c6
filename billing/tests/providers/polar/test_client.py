import json
import socket
import traceback
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
from billing.providers.polar.client import PolarClient
from billing.tests.providers.polar.conftest import API

KEY = "polar_oat_fake"
URL = f"{API}/v1/customers/c-1"
DATE = {"Date": "Mon, 02 Nov 2026 09:30:10 GMT"}
CUSTOMER = {"id": "c-1", "email": "ana@x.mx"}
OWNER = "00000000-0000-4000-8000-000000000001"


def client(**changes: Any) -> PolarClient:
    values: dict[str, Any] = {
        "alias": "polar",
        "api_key": KEY,
        "api_base": API,
        "connect_timeout_seconds": 3,
        "read_timeout_seconds": 15,
        "max_retries": 0,
    }
    return PolarClient(**values | changes)


def read(of: PolarClient) -> Any:
    return of.get("customers", "c-1")


def write(of: PolarClient) -> Any:
    return of.patch("customers", "c-1", body={"name": "Ana"})


def refusal(name: str) -> dict[str, Any]:
    """As the specification shows errors; its texts are not for logs."""
    return {"error": name, "detail": f"{KEY} was sent by ana@x.mx"}


class TestGet:
    def test_sends_token_and_version_in_bounded_time(self, wire: responses.RequestsMock) -> None:
        headers = {"Authorization": f"Bearer {KEY}", "Polar-Version": "2026-10"}
        wire.get(URL, json=CUSTOMER, match=[matchers.header_matcher(headers)])
        assert read(client()).body == CUSTOMER
        assert wire.calls[0].request.req_kwargs["timeout"] == (3, 15)  # type: ignore[attr-defined]

    def test_two_organizations_live_side_by_side(self, wire: responses.RequestsMock) -> None:
        for name in ("one", "two"):
            header = matchers.header_matcher({"Authorization": f"Bearer {name}"})
            wire.get(f"https://{name}.example/v1/customers/c-1", json=CUSTOMER, match=[header])
        for name in ("one", "two"):
            read(client(api_key=name, api_base=f"https://{name}.example"))

    def test_an_id_cannot_leave_its_place_in_the_path(self, wire: responses.RequestsMock) -> None:
        wire.get(f"{API}/v1/customers/c%2F..%3Fx", json=CUSTOMER)
        assert client().get("customers", "c/..?x").body == CUSTOMER

    def test_what_is_none_is_not_asked(self, wire: responses.RequestsMock) -> None:
        query = matchers.query_param_matcher({"email": "a+b@x.mx"})
        wire.get(f"{API}/v1/customers/", json={"items": []}, match=[query])
        client().get("customers", "", email="a+b@x.mx", active=None)

    @pytest.mark.parametrize("body", ["[]", "null", "5", "{}", '{"a": NaN}', "", "<html>"])
    def test_an_answer_that_is_no_object_is_an_error(
        self, wire: responses.RequestsMock, body: str
    ) -> None:
        wire.get(URL, body=body)
        with pytest.raises(ProviderError) as caught:
            read(client())
        assert type(caught.value) is ProviderError

    def test_a_missing_token_sends_nothing(self) -> None:
        with responses.RequestsMock(), pytest.raises(CredentialsRejected):
            read(client(api_key=""))

    def test_as_of_is_the_servers_date_less_the_call(self, wire: responses.RequestsMock) -> None:
        wire.get(URL, json=CUSTOMER, headers=DATE)
        as_of = read(client()).as_of
        answered = datetime(2026, 11, 2, 9, 30, 10, tzinfo=UTC)
        assert answered - timedelta(seconds=30) <= as_of < answered

    def test_a_failure_of_the_servers_is_asked_again(self, wire: responses.RequestsMock) -> None:
        wire.get(URL, status=503)
        wire.get(URL, json=CUSTOMER)
        assert read(client(max_retries=1)).body == CUSTOMER


class TestPages:
    URL = f"{API}/v1/orders/"

    def add(self, mock: responses.RequestsMock, number: int, ids: list[str], last: Any) -> None:
        query = {"page": number, "limit": 100, "customer_id": OWNER}
        answer = {"items": [{"id": each} for each in ids], "pagination": {"max_page": last}}
        mock.get(self.URL, json=answer, match=[matchers.query_param_matcher(query)])

    def ids(self) -> list[object]:
        return [each["id"] for each, _ in client().pages("orders", "", customer_id=OWNER)]

    def test_follows_pages_to_the_end(self, wire: responses.RequestsMock) -> None:
        self.add(wire, 1, ["a", "b"], last=2)
        self.add(wire, 2, ["c"], last=2)
        assert self.ids() == ["a", "b", "c"]

    @pytest.mark.parametrize("last", [0, 1, None, "2"])
    def test_one_page(self, wire: responses.RequestsMock, last: Any) -> None:
        self.add(wire, 1, ["a"], last=last)
        assert self.ids() == ["a"]

    def test_an_empty_page_is_the_last(self, wire: responses.RequestsMock) -> None:
        self.add(wire, 1, ["a"], last=9)
        self.add(wire, 2, [], last=9)
        assert self.ids() == ["a"]


class TestWrites:
    def test_a_body_is_sent_as_json(self, wire: responses.RequestsMock) -> None:
        wire.post(f"{API}/v1/customers/", json=CUSTOMER, status=201)
        client().post("customers", "", body={"email": "a@x.mx", "name": "José"})
        sent = wire.calls[0].request
        assert json.loads(str(sent.body, "utf-8")) == {"email": "a@x.mx", "name": "José"}
        assert sent.headers["Content-Type"] == "application/json"

    def test_a_deletion_has_no_answer_to_read(self, wire: responses.RequestsMock) -> None:
        wire.delete(URL, status=204)
        assert client().delete("customers", "c-1").body == {}

    @pytest.mark.parametrize("status", [200, 201])
    @pytest.mark.parametrize("body", ["", "[]", "<html>"])
    def test_a_garbled_answer_leaves_open_what_was_done(
        self, wire: responses.RequestsMock, status: int, body: str
    ) -> None:
        wire.patch(URL, body=body, status=status)
        with pytest.raises(OutcomeUnknown):
            write(client())

    @pytest.mark.parametrize("status", [301, 307, 400, 404, 500, 502, 503])
    def test_so_does_one_that_is_not_polars(
        self, wire: responses.RequestsMock, status: int
    ) -> None:
        wire.patch(URL, body="<html>", status=status, headers={"Location": f"{API}/other"})
        with pytest.raises(OutcomeUnknown):
            write(client(max_retries=2))

    def test_so_does_a_connection_that_broke(self, wire: responses.RequestsMock) -> None:
        wire.patch(URL, body=requests.ConnectionError("broke off"))
        with pytest.raises(OutcomeUnknown):
            write(client(max_retries=2))

    def test_no_connection_means_that_nothing_was_done(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(ProviderUnavailable) as caught:
            write(client(api_base=f"http://127.0.0.1:{port}"))
        assert type(caught.value) is ProviderUnavailable


class TestRate:
    """A write that is refused for its rate was not done, so it may be sent again."""

    @pytest.mark.parametrize("ask", [read, write])
    def test_a_short_wait_is_waited(self, wire: responses.RequestsMock, ask: Any) -> None:
        method = "GET" if ask is read else "PATCH"
        wire.add(method, URL, status=429, headers={"Retry-After": "0"})
        wire.add(method, URL, json=CUSTOMER)
        assert ask(client(max_retries=1)).body == CUSTOMER

    @pytest.mark.parametrize(("headers", "told"), [({"Retry-After": "3"}, 3), ({}, None)])
    def test_a_long_or_unknown_one_is_told(
        self, wire: responses.RequestsMock, headers: Any, told: int | None
    ) -> None:
        wire.patch(URL, json=refusal("RateLimited"), status=429, headers=headers)
        with pytest.raises(RateLimited) as caught:
            write(client(max_retries=2))
        assert caught.value.retry_after == told

    def test_it_is_asked_as_often_as_configured(self, wire: responses.RequestsMock) -> None:
        wire.get(URL, status=429, headers={"Retry-After": "0"})
        with pytest.raises(RateLimited):
            read(client(max_retries=2))
        assert len(wire.calls) == 3


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "name", "expected"),
        [
            (400, "PolarRequestError", InvalidRequest),
            (401, "invalid_token", CredentialsRejected),
            (402, "PaymentFailed", PaymentDeclined),
            (403, "NotPermitted", CredentialsRejected),
            (403, "insufficient_scope", CredentialsRejected),
            (403, "AlreadyCanceledSubscription", InvalidRequest),
            (403, "RefundedAlready", InvalidRequest),
            (404, "ResourceNotFound", ProviderObjectMissing),
            (409, "SubscriptionLocked", RateLimited),
            (409, "OrderNotEligibleForInvoice", InvalidRequest),
            (410, "ExpiredCheckoutError", InvalidRequest),
            (412, "OrderNotDraft", InvalidRequest),
        ],
    )
    @pytest.mark.parametrize("ask", [read, write])
    def test_polars_no_means_that_nothing_was_done(
        self,
        wire: responses.RequestsMock,
        ask: Any,
        status: int,
        name: str,
        expected: type[ProviderError],
    ) -> None:
        wire.add("GET" if ask is read else "PATCH", URL, json=refusal(name), status=status)
        with pytest.raises(expected) as caught:
            ask(client())
        assert type(caught.value) is expected
        assert (caught.value.provider, caught.value.provider_code) == ("polar", name)

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_bare_no_to_the_token(self, wire: responses.RequestsMock, status: int) -> None:
        wire.patch(URL, body="<html>", status=status)
        with pytest.raises(CredentialsRejected):
            write(client())

    @pytest.mark.parametrize(
        ("name", "code"),
        [("PaymentFailed", "card_declined"), ("PaymentActionRequired", "authentication_required")],
    )
    def test_why_a_payment_was_declined(
        self, wire: responses.RequestsMock, name: str, code: str
    ) -> None:
        wire.patch(URL, json=refusal(name), status=402)
        with pytest.raises(PaymentDeclined) as caught:
            write(client())
        assert caught.value.decline_code == code

    @pytest.mark.parametrize(
        ("detail", "param"),
        [
            ([{"loc": ["body", "billing_address", "country"]}], "billing_address.country"),
            ([{"loc": ["body", "prices", 0]}, {"loc": ["body", "name"]}], "prices.0"),
            ([{"loc": ["name"]}], "name"),
            ([{"loc": None}], ""),
            ([{"msg": "no"}], ""),
        ],
    )
    def test_the_place_of_a_wrong_value(
        self, wire: responses.RequestsMock, detail: Any, param: str
    ) -> None:
        wire.patch(URL, json={"detail": detail}, status=422)
        with pytest.raises(InvalidRequest) as caught:
            write(client())
        assert caught.value.param == param

    def test_a_read_of_what_is_lost_says_so(self, wire: responses.RequestsMock) -> None:
        wire.get(URL, status=500)
        with pytest.raises(ProviderUnavailable):
            read(client())

    @pytest.mark.parametrize("status", [401, 403, 404, 409, 422, 500])
    def test_no_secret_in_any_error(self, wire: responses.RequestsMock, status: int) -> None:
        wire.patch(URL, json=refusal("Some"), status=status)
        with pytest.raises(ProviderError) as caught:
            write(client())
        shown = "".join(traceback.format_exception(caught.value))
        assert KEY not in shown
        assert "ana@x.mx" not in shown
