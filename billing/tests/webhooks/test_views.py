"""The door for deliveries: what it takes, what it refuses, what it costs."""

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from billing.models import WebhookEvent
from billing.providers.base import Simulates
from billing.registry import providers

pytestmark = pytest.mark.django_db


@pytest.fixture
def delivery(sandbox: Any) -> tuple[dict[str, str], bytes]:
    """One signed delivery of the sandbox."""
    simulator: Any = providers.get("stripe", Simulates)
    simulator.emit_event("ping", "")
    [(headers, body)] = simulator.pending_deliveries(take=True)
    return dict(headers), body


def post(body: bytes, path: str = "/webhooks/stripe", **headers: str) -> Any:
    return Client(enforce_csrf_checks=True).generic(
        "POST", path, body, content_type="application/json", headers=headers
    )


@pytest.mark.parametrize("slash", ["", "/"])
def test_accepted_and_then_a_duplicate(
    slash: str, delivery: Any, django_assert_num_queries: Any
) -> None:
    headers, body = delivery
    path = f"/webhooks/stripe{slash}"
    with django_assert_num_queries(1):
        first = post(body, path, **headers)
    assert (first.status_code, first.json()) == (200, {"status": "accepted"})
    with django_assert_num_queries(2):
        again = post(body, path, **headers)
    assert again.status_code == 200
    assert again.json()["status"] in ("already_received", "already_processed")
    assert WebhookEvent.objects.count() == 1


def test_nothing_but_the_event_is_asked_for(
    delivery: Any, member_of: Any, organization_mx: Any, django_assert_num_queries: Any
) -> None:
    headers, body = delivery
    client = Client()
    client.force_login(member_of(organization_mx))
    with django_assert_num_queries(1):
        answer = client.generic(
            "POST", "/webhooks/stripe", body, content_type="text/plain", headers=headers
        )
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert not answer.cookies


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_only_post(method: str, delivery: Any) -> None:
    headers, body = delivery
    answer = Client().generic(method, "/webhooks/stripe", body, headers=headers)
    assert answer.status_code == 405
    assert answer["Allow"] == "POST"
    assert not WebhookEvent.objects.exists()


def test_forged_traffic_makes_no_row_and_no_query(
    delivery: Any, django_assert_num_queries: Any
) -> None:
    headers, body = delivery
    forged = [
        (body + b" ", headers),
        (body, {}),
        (b"", headers),
        (b"{}", headers),
        (b"\xff\x00", headers),
        (body, {**headers, "webhook-signature": "v1,AAAA"}),
        (body, {**headers, "webhook-signature": "\xff,%,="}),
        (body, {**headers, "webhook-timestamp": "0"}),
        (body, {**headers, "webhook-timestamp": "nonsense"}),
        (body, {**headers, "webhook-id": "another"}),
    ]
    with django_assert_num_queries(0):
        answers = [post(bytes_, **sent) for bytes_, sent in forged]
    assert {answer.status_code for answer in answers} == {400}
    assert {answer.content for answer in answers} == {b'{"status": "refused"}'}
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("alias", ["nobody", "stripe.x", "a" * 41, "..%2f", "%00"])
def test_unknown_providers(alias: str, sandbox: Any) -> None:
    assert post(b"{}", f"/webhooks/{alias}").status_code == 404


class TestSize:
    def test_the_announced_length_is_enough(self, delivery: Any, settings: Any) -> None:
        headers, body = delivery
        settings.BILLING_WEBHOOK_MAX_BYTES = len(body) - 1
        assert post(body, **headers).status_code == 413
        settings.BILLING_WEBHOOK_MAX_BYTES = len(body)
        assert post(body, **headers).status_code == 200

    def test_it_is_not_read_on(self, delivery: Any, settings: Any) -> None:
        settings.BILLING_WEBHOOK_MAX_BYTES = 10
        answer = Client().generic("POST", "/webhooks/stripe", b"", CONTENT_LENGTH="99999999999999")
        assert answer.status_code == 413

    @pytest.mark.parametrize("length", ["nonsense", "-1", "1e3", "\u0664", "1 2"])
    def test_an_odd_length(self, length: str, delivery: Any) -> None:
        answer = Client().generic("POST", "/webhooks/stripe", b"{}", CONTENT_LENGTH=length)
        assert answer.status_code == 400

    def test_a_mebibyte_by_default(self, sandbox: Any) -> None:
        assert post(b"x" * (1024 * 1024)).status_code == 400
        assert post(b"x" * (1024 * 1024 + 1)).status_code == 413


def test_what_cannot_be_stored_is_503(delivery: Any, monkeypatch: Any) -> None:
    def lost(*args: Any) -> bool:
        raise OperationalError("the connection is gone")

    headers, body = delivery
    monkeypatch.setattr("billing.services.webhooks.intake._insert", lost)
    answer = post(body, **headers)
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable"})
    assert answer["Retry-After"]
