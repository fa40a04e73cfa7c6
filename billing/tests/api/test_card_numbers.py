"""A card number is refused wherever it stands, and is found nowhere afterwards."""

import json
import logging
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings

from billing.cards import contains_card_number
from billing.logs import JsonFormatter, MaskCardNumbers
from billing.tests.api.conftest import PREFIX, client_of

NUMBER = "4242424242424242"
ARABIC = "".join(chr(0x660 + int(digit)) for digit in NUMBER)
FULLWIDTH = "".join(chr(0xFF10 + int(digit)) for digit in NUMBER)
PATH = f"{PREFIX}/subscriptions"
BODY = {"plan": "startup", "interval": "monthly"}


def body(**changes: Any) -> dict[str, Any]:
    return {
        "method": "POST",
        "path": PATH,
        "data": json.dumps({**BODY, **changes}),
        "content_type": "application/json",
    }


def raw(data: bytes | str, content_type: str = "application/json") -> dict[str, Any]:
    return {"method": "POST", "path": PATH, "data": data, "content_type": content_type}


def get(path: str, **headers: str) -> dict[str, Any]:
    return {"method": "GET", "path": path, "headers": headers}


DISGUISES = {
    "plain": body(payment_method_token=NUMBER),
    "spaced": body(payment_method_token="4242 4242 4242 4242"),
    "dashed": body(payment_method_token="4242-4242-4242-4242"),
    "other dashes": body(payment_method_token="4242\u20134242\u20144242\u22124242"),
    "arabic digits": body(payment_method_token=ARABIC),
    "fullwidth digits": body(payment_method_token=FULLWIDTH),
    "invisible separators": body(payment_method_token="\u200b".join(NUMBER)),
    "within a token": body(payment_method_token=f"tok_{NUMBER}"),
    "url-encoded text": body(payment_method_token="".join(f"%3{digit}" for digit in NUMBER)),
    "nested": body(metadata={"a": [{"b": {"c": f"my card {NUMBER} 12/30 123"}}]}),
    "as a key": body(metadata={NUMBER: "x"}),
    "a JSON number": body(quantity=int(NUMBER)),
    "a float": raw(f'{{"quantity": {NUMBER}.0}}'),
    "in exponents": raw('{"quantity": 4.242424242424242e15}'),
    "escaped": raw('{"plan": "' + "".join(f"\\u003{digit}" for digit in NUMBER) + '"}'),
    "a key that comes twice": raw(f'{{"plan": "{NUMBER}", "plan": "startup"}}'),
    "not JSON": raw(f'{{"plan": "{NUMBER}"'),
    "another type": raw(NUMBER, "text/plain"),
    "UTF-16": raw(json.dumps({"plan": NUMBER}).encode("utf-16")),
    "a form": raw("plan=4242+4242+4242+4242", "application/x-www-form-urlencoded"),
    "multipart": raw(
        f'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n{NUMBER}\r\n--x--\r\n',
        "multipart/form-data; boundary=x",
    ),
    "query": get(f"{PATH}?status={NUMBER}"),
    "query key": get(f"{PATH}?{NUMBER}"),
    "query, encoded": get(f"{PATH}?a=" + "".join(f"%3{digit}" for digit in NUMBER)),
    "query, encoded twice": get(f"{PATH}?a=" + "".join(f"%253{digit}" for digit in NUMBER)),
    "path": get(f"{PATH}/{NUMBER}"),
    "path of a public page": get(f"{PREFIX}/plans/4242-4242-4242-4242"),
    "a path of nothing": get(f"/nothing/{NUMBER}"),
    "admin": raw(f"q={NUMBER}", "application/x-www-form-urlencoded") | {"path": "/admin/login/"},
    "header": get(PATH, **{"X-Anything": NUMBER}),
    "organization": get(PATH, **{"X-Organization": NUMBER}),
    "idempotency key": body() | {"headers": {"Idempotency-Key": f"order {NUMBER}"}},
    "request id": get(PATH, **{"X-Request-ID": NUMBER}),
    "authorization": get(PATH, **{"Authorization": f"Token {NUMBER}"}),
    "user agent": get(PATH, **{"User-Agent": "4242 4242 4242 4242"}),
    "cookie": get(PATH, Cookie=f"card={NUMBER}"),
    "quoted cookie": get(PATH, Cookie='card="4242 4242 4242 4242"'),
}


class Lines(logging.Handler):
    """Every line that any logger writes, as it comes."""

    def __init__(self) -> None:
        super().__init__(level=0)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.getMessage()} {record.__dict__}")


@pytest.fixture
def lines() -> Any:
    handler = Lines()
    logging.getLogger().addHandler(handler)
    yield handler.lines
    logging.getLogger().removeHandler(handler)


def stored() -> str:
    """All rows of all tables, as one text."""
    return "\n".join(
        repr(row) for model in apps.get_models() for row in model._default_manager.values_list()
    )


def send(client: Any, request: dict[str, Any]) -> Any:
    request = dict(request)
    headers = request.pop("headers", {})
    return client.generic(request.pop("method"), request.pop("path"), **request, headers=headers)


@pytest.mark.django_db
def test_refused_and_found_nowhere(
    client: Any, published: Any, lines: list[str], monkeypatch: Any
) -> None:
    published_tasks: list[Any] = []
    monkeypatch.setattr("billing.queue._publish", lambda *task: published_tasks.append(task))
    for name, request in DISGUISES.items():
        answer = send(client, request)
        assert answer.status_code == 400, name
        assert answer.json()["code"] == "card_number_refused", name
        echoed = answer.content.decode() + str(dict(answer.items()))
        assert not contains_card_number(echoed), name
    everything = f"{stored()}\n{lines}\n{published_tasks}"
    for digits in (NUMBER, ARABIC, FULLWIDTH, "4242 4242", "4242-4242"):
        assert digits not in everything
    assert not any(contains_card_number(line.partition(" {")[0]) for line in lines)


@pytest.mark.django_db
def test_what_only_looks_like_one_passes(client: Any, published: Any) -> None:
    answer = client.get(
        f"{PREFIX}/plans",
        headers={
            "X-Forwarded-For": "45.33.128.7, 203.0.113.195, 150.172.238.178, 42.42.42.42",
            "If-None-Match": '"4242424242424242abcdef4242424242"',
            "Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-4242424242424242-01",
            "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0.7444.176 Safari/537.36",
            "Cookie": f"{settings.SESSION_COOKIE_NAME}={NUMBER}; a=1",
        },
    )
    assert answer.status_code == 200
    split = client.post(PATH, {"list": ["4242", "4242", "4242", "4242"]}, format="json")
    assert split.json()["code"] == "validation_error"


@pytest.mark.django_db
def test_in_spanish(sandbox: Any) -> None:
    answer = client_of().get(f"{PREFIX}/plans/{NUMBER}", headers={"Accept-Language": "es"})
    assert "tarjeta" in answer.json()["detail"]


@pytest.mark.django_db
def test_webhooks_are_not_looked_into(sandbox: Any) -> None:
    answer = client_of().generic("POST", "/webhooks/stripe", NUMBER, content_type="text/plain")
    assert answer.json() == {"status": "refused"}


@pytest.mark.django_db
def test_a_library_that_logs_one_is_masked(capsys: Any) -> None:
    handler = logging.StreamHandler()
    handler.addFilter(MaskCardNumbers())
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("library")
    logger.addHandler(handler)
    try:
        logger.error("charged %s", NUMBER, extra={"card": NUMBER})
    finally:
        logger.removeHandler(handler)
    assert NUMBER not in capsys.readouterr().err
