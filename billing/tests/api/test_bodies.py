"""Requests that are not what they should be, and the answers' shape."""

import json
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import resolve

from billing.api import middleware
from billing.api.exceptions import handler404, handler500
from billing.tests.api.conftest import PREFIX, client_of

pytestmark = pytest.mark.django_db
PATH = f"{PREFIX}/payment-methods"


def send(client: Any, body: bytes, content_type: str = "application/json", **more: Any) -> Any:
    return client.generic("POST", PATH, body, content_type=content_type, **more)


@pytest.fixture
def client(client: Any, plans: Any) -> Any:
    return client


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b"\xff\xfe\x00",
        b'{"token": NaN}',
        b'{"token": 1' + b"0" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        '{"token": "tok_visa"}'.encode("utf-16"),
        b"\xef\xbb\xbf{}",
    ],
)
def test_malformed_json(body: bytes, client: Any) -> None:
    answer = send(client, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"1", b"null", b"true", b'[{"token": "x"}]'])
def test_json_that_is_no_object(body: bytes, client: Any) -> None:
    answer = send(client, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-7",
        "application/json; charset=hex",
        "application/json; charset=cp037",
        "nonsense",
        "",
    ],
)
def test_wrong_content_type(content_type: str, client: Any) -> None:
    answer = send(client, b'{"token": "tok_visa"}', content_type)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_lone_surrogates_come_back_harmless(client: Any) -> None:
    answer = send(client, b'{"token": "tok_visa", "\\ud800": 1, "is_default": "\\udfff"}')
    assert answer.status_code == 400
    assert "\ud800" not in answer.content.decode()


def test_an_empty_body(client: Any) -> None:
    assert send(client, b"").json()["errors"][0]["code"] == "required"


def test_too_large(client: Any) -> None:
    answer = send(client, b'"' + b"x" * middleware.MAX_API_BODY + b'"')
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")


def test_the_problem_document(client: Any) -> None:
    answer = send(client, b"{}", headers={"X-Request-ID": "request-0001"})
    assert answer.json() == {
        "type": "urn:cobro:problem:validation_error",
        "title": "Bad Request",
        "status": 400,
        "detail": "Some fields are not right. See the errors and send it again.",
        "code": "validation_error",
        "errors": [{"field": "token", "code": "required", "detail": "This field is required."}],
        "request_id": "request-0001",
    }
    assert answer["X-Request-ID"] == "request-0001"
    assert answer["Content-Type"] == "application/problem+json"


def test_in_spanish(client: Any) -> None:
    english = send(client, b"{").json()
    spanish = send(client, b"{", headers={"Accept-Language": "es-MX,es;q=0.9"}).json()
    assert english["code"] == spanish["code"]
    assert spanish["detail"].startswith("El cuerpo")


@pytest.mark.parametrize(
    "value", ["short", "with space 00", "line\nbreak00", "x" * 65, "4" * 15 + "8"]
)
def test_an_odd_request_id_is_replaced(value: str, client: Any) -> None:
    answer = client.get(f"{PREFIX}/plans", headers={"X-Request-ID": value})
    assert len(answer["X-Request-ID"]) == 32


def test_another_accept(client: Any) -> None:
    answer = client.get(f"{PREFIX}/plans", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


def test_an_unexpected_exception_is_a_bare_500(client: Any, monkeypatch: Any, caplog: Any) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError("internal detail")

    monkeypatch.setattr("billing.services.payment_methods.add", broken)
    answer = send(client, b'{"token": "tok_visa"}')
    assert (answer.status_code, answer.json()["code"]) == (500, "server_error")
    assert "internal" not in answer.content.decode()
    assert any(record.msg == "api.failed" and record.exc_info for record in caplog.records)


def test_a_lost_database_is_503(client: Any, monkeypatch: Any) -> None:
    def lost(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("the connection is gone")

    monkeypatch.setattr("billing.services.payment_methods.add", lost)
    answer = send(client, b'{"token": "tok_visa"}')
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer["Retry-After"]


def test_djangos_own_pages_under_the_api(rf: Any) -> None:
    for path, is_problem in (("/api/nothing", True), ("/nothing", False)):
        request = rf.get(path)
        missing, broken = handler404(request, Exception("x")), handler500(request)
        assert (missing.status_code, broken.status_code) == (404, 500)
        assert (missing["Content-Type"] == "application/problem+json") is is_problem
        assert (broken["Content-Type"] == "application/problem+json") is is_problem
    assert json.loads(handler404(rf.get("/api/x"), Exception()).content)["code"] == "not_found"


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path(method: str) -> None:
    for path in ("/", "/nothing", "/plans/a/b", "/subscriptions//timeline"):
        answer = client_of().generic(method, f"{PREFIX}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_an_unknown_path_asked_by_a_browser(method: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    for path in ("/nothing", "/subscriptions/manage.py"):
        answer = browser.generic(method, f"{PREFIX}{path}", "\0", "application/json")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path


def test_pages_that_the_door_is_not_for(sandbox: Any) -> None:
    assert resolve("/healthz").func.__name__ == "healthz"
    assert Client().get("/healthz").json() == {"status": "ok"}
