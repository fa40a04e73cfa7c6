"""Intake: verified or nothing, one insert, and an answer that says which."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from billing.errors import InvalidPayload, InvalidSignature, UnknownProvider, UnsupportedOperation
from billing.models import WebhookEvent
from billing.providers.sandbox import SandboxProvider
from billing.providers.sandbox.signatures import sign
from billing.registry import providers
from billing.services import webhooks
from billing.tests.conftest import SECRET
from billing.tests.services import sandbox_objects as objects
from billing.tests.services.sandbox_objects import ALIAS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def delivery(sandbox: Any) -> tuple[dict[str, str], bytes]:
    return objects.delivery("evt_1", "subscription.updated", objects.subscription("001"))


def test_a_delivery_is_kept_as_it_came(delivery: Any) -> None:
    headers, body = delivery
    headers |= {"Content-Type": "application/json", "Authorization": "secret", "Cookie": "secret"}
    assert webhooks.receive(ALIAS, body, headers) == "accepted"
    row = WebhookEvent.objects.get()
    assert row.body.encode() == body
    assert set(row.headers) - {"x-request-id"} == {
        "content-type",
        "webhook-id",
        "webhook-timestamp",
    }
    assert (row.provider, row.mode, row.provider_event_id) == (ALIAS, "sandbox", "evt_1")
    assert (row.kind, row.object_id, row.customer_id, row.parent_id) == (
        "subscription",
        "sub_001",
        "cus_001",
        "cus_001",
    )
    assert (row.state, row.attempts, row.processed, row.processed_at) == ("pending", 0, False, None)


def test_it_costs_one_statement_and_a_duplicate_one_more(delivery: Any) -> None:
    headers, body = delivery
    with CaptureQueriesContext(connection) as first:
        assert webhooks.receive(ALIAS, body, headers) == "accepted"
    with CaptureQueriesContext(connection) as second:
        assert webhooks.receive(ALIAS, body, headers) == "already_received"
    assert (len(first), len(second)) == (1, 2)


class TestLostConnection:
    """PostgreSQL was restarted, or a firewall forgot the connection, since the last delivery."""

    pytestmark = pytest.mark.postgres

    @pytest.fixture
    def other(self, delivery: Any) -> Iterator[Any]:
        """A second connection; the first is open."""
        if connection.vendor != "postgresql":
            pytest.fail("needs DATABASE_URL on PostgreSQL; deselect with -m 'not postgres'")
        connection.ensure_connection()
        with closing(connection.copy()) as other, other.cursor() as cursor:
            yield cursor
        connection.close()

    def test_is_replaced_and_costs_no_delivery(self, delivery: Any, other: Any) -> None:
        headers, body = delivery
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [_backend()])
        assert webhooks.receive(ALIAS, body, headers) == "accepted"
        assert webhooks.receive(ALIAS, body, headers) == "already_received"

    def test_is_told_inside_a_transaction(self, delivery: Any, other: Any) -> None:
        headers, body = delivery

        def receive_on_a_lost_one() -> None:
            with transaction.atomic():
                other.execute("SELECT pg_terminate_backend(%s, 5000)", [_backend()])
                webhooks.receive(ALIAS, body, headers)

        with pytest.raises(OperationalError):
            receive_on_a_lost_one()
        assert not WebhookEvent.objects.exists()

    def test_is_not_what_another_trouble_looks_like(self, delivery: Any, other: Any) -> None:
        headers, body = delivery
        before = _backend()
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = 1")
        other.execute("BEGIN")
        other.execute("LOCK TABLE billing_webhookevent")
        with pytest.raises(OperationalError):
            webhooks.receive(ALIAS, body, headers)
        other.execute("ROLLBACK")
        assert _backend() == before


def _backend() -> int:
    pid: int = connection.connection.info.backend_pid
    return pid


def test_the_same_id_from_another_provider_is_another_event(delivery: Any) -> None:
    headers, body = delivery
    assert webhooks.receive(ALIAS, body, headers) == "accepted"
    assert webhooks.receive("conekta", body, headers) == "accepted"
    assert WebhookEvent.objects.count() == 2


def test_the_same_id_with_another_body_changes_nothing(delivery: Any) -> None:
    headers, body = delivery
    webhooks.receive(ALIAS, body, headers)
    assert (
        objects.deliver("evt_1", "subscription.updated", objects.subscription("002"))
        == "already_received"
    )
    assert WebhookEvent.objects.get().object_id == "sub_001"


@pytest.mark.parametrize("change", ["body", "signature", "id", "no headers"])
def test_what_was_not_signed_so_leaves_no_row(delivery: Any, change: str) -> None:
    headers, body = delivery
    if change == "body":
        body = body.replace(b"sub_001", b"sub_002")
    elif change == "signature":
        headers["webhook-signature"] = "v1,AAAA"
    elif change == "id":
        headers["webhook-id"] = "evt_2"
    else:
        headers = {}
    with pytest.raises(InvalidSignature):
        webhooks.receive(ALIAS, body, headers)
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b'{"id": 7, "type": "ping", "created": 1, "mode": "sandbox", "api_version": "1"}',
        b'{"id": "a\\u0000", "type": "ping", "created": 1, "mode": "s", "api_version": "1"}',
        b'{"id": "a", "type": "\\ud800", "created": 1, "mode": "s", "api_version": "1"}',
        b'{"id": "a", "type": "ping", "created": 1e999, "mode": "s", "api_version": "1"}',
        b"\xff",
    ],
)
def test_signed_nonsense_is_refused_without_a_row(sandbox: Any, body: bytes) -> None:
    try:
        headers = sign(SECRET, "evt_1", body)
    except UnicodeDecodeError:
        headers = sign(SECRET, "evt_1", b"{}")
    with pytest.raises((InvalidPayload, InvalidSignature)):
        webhooks.receive(ALIAS, body, headers)
    assert not WebhookEvent.objects.exists()


def test_whatever_an_sdk_raises_is_a_refusal(
    delivery: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(self: Any, body: bytes, headers: Any) -> Any:
        raise MemoryError("hostile")

    monkeypatch.setattr(SandboxProvider, "parse_webhook_event", explode)
    headers, body = delivery
    with pytest.raises(InvalidSignature):
        webhooks.receive(ALIAS, body, headers)
    assert not WebhookEvent.objects.exists()


def test_an_alias_that_takes_no_deliveries(delivery: Any, settings: Any) -> None:
    headers, body = delivery
    with pytest.raises(UnknownProvider):
        webhooks.receive("nobody", body, headers)
    options = settings.BILLING_PROVIDERS[ALIAS]["OPTIONS"]
    options["like"] = {"capabilities": ["PaymentProvider"]}
    providers.reset()
    with pytest.raises(UnsupportedOperation):
        webhooks.receive(ALIAS, body, headers)


def test_a_card_number_is_masked_before_it_is_stored(sandbox: Any) -> None:
    number = "4242424242424242"
    body = objects.customer(
        "001", name=f"Ada {number}", metadata={"note": "4242\n4242\n4242\n4242"}
    )
    headers, raw = objects.delivery("evt_1", "customer.updated", body)
    headers["User-Agent"] = f"curl {number}"
    assert webhooks.receive(ALIAS, raw, headers) == "accepted"
    row = WebhookEvent.objects.get()
    assert row.payload["data"]["object"]["name"] == "Ada ************4242"
    assert row.payload["data"]["object"]["metadata"]["note"] == "****\n****\n****\n4242"
    assert row.headers["user-agent"] == "curl ************4242"


@pytest.mark.parametrize("place", ["event", "type", "object"])
def test_an_id_that_is_a_card_number_is_refused(sandbox: Any, place: str) -> None:
    ids = {"event": "evt_1", "type": "customer.updated", "object": "001"}
    ids[place] += "_4242424242424242"
    delivered = objects.delivery(ids["event"], ids["type"], objects.customer(ids["object"]))
    headers, raw = delivered
    with pytest.raises(InvalidPayload):
        webhooks.receive(ALIAS, raw, headers)
    assert not WebhookEvent.objects.exists()


def test_a_replay_reads_the_event_anew(delivery: Any) -> None:
    """A release that has learnt the type finds kind, object, customer and parent."""
    headers, body = delivery
    webhooks.receive(ALIAS, body, headers)
    WebhookEvent.objects.update(
        kind="", object_id="", customer_id="", parent_id="", state="ignored", outcome="not used"
    )
    webhooks.retry(WebhookEvent.objects.get())
    row = WebhookEvent.objects.get()
    assert (row.kind, row.object_id, row.customer_id, row.parent_id) == (
        "subscription",
        "sub_001",
        "cus_001",
        "cus_001",
    )
    assert (row.state, row.outcome) == ("pending", "")
