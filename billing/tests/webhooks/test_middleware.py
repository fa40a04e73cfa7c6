"""The short way for deliveries: the same answers as by the URL, under the same protection."""

from typing import Any

import pytest
from django.conf import settings as configured
from django.test import Client

from billing.models import WebhookEvent
from billing.tests.services import sandbox_objects as objects

pytestmark = pytest.mark.django_db
NAME = "billing.webhooks.middleware.WebhookMiddleware"
# What the browsers' middleware would add.
OF_BROWSERS = {"Content-Language", "Vary"}
REQUEST_ID = "test-request-1"


def send(method: str, path: str, body: bytes, headers: dict[str, str]) -> Any:
    client = Client(enforce_csrf_checks=True)
    headers = headers | {"X-Request-ID": REQUEST_ID}
    return client.generic(method, path, body, content_type="application/json", headers=headers)


@pytest.mark.parametrize("method", ["POST", "GET", "HEAD", "PUT", "OPTIONS"])
@pytest.mark.parametrize("alias", ["stripe", "stripe/", "nobody", "x" * 41, "stripe/x", "", "%0a"])
@pytest.mark.parametrize("is_genuine", [True, False])
def test_the_answer_is_that_of_the_url(
    method: str, alias: str, is_genuine: bool, sandbox: Any, settings: Any
) -> None:
    headers, body = objects.delivery(
        "evt_1", "subscription.updated", objects.subscription("001"), mode="sandbox"
    )
    body = body if is_genuine else body + b" "
    answers = []
    for middleware in (configured.MIDDLEWARE, [n for n in configured.MIDDLEWARE if n != NAME]):
        settings.MIDDLEWARE = middleware
        WebhookEvent.objects.all().delete()
        answer = send(method, f"/webhooks/{alias}", body, headers)
        kept = {name: text for name, text in answer.items() if name not in OF_BROWSERS}
        answers.append((answer.status_code, answer.content, kept, WebhookEvent.objects.count()))
    assert answers[0] == answers[1]


def test_it_is_protected_as_any_other_path(sandbox: Any) -> None:
    headers, body = objects.delivery("evt_1", "subscription.updated", objects.subscription("001"))
    answer = send("POST", "/webhooks/stripe", body, headers)
    assert (answer.status_code, answer["X-Request-ID"]) == (200, REQUEST_ID)
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Content-Length"] == str(len(answer.content))
    assert send("POST", "/webhooks/stripe", body, headers | {"Host": "evil"}).status_code == 400


def test_what_browsers_need_is_not_asked(sandbox: Any, settings: Any) -> None:
    headers, body = objects.delivery("evt_1", "subscription.updated", objects.subscription("001"))
    at = configured.MIDDLEWARE.index(NAME)
    settings.MIDDLEWARE = [*configured.MIDDLEWARE[: at + 1], f"{__name__}.Broken"]
    assert send("POST", "/webhooks/stripe", body, headers).status_code == 200
    with pytest.raises(RuntimeError, match="asked"):
        send("GET", "/healthz", b"", {})


class Broken:
    def __init__(self, get_response: Any) -> None:
        pass

    def __call__(self, request: Any) -> Any:
        raise RuntimeError("asked")
