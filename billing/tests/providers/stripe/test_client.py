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
