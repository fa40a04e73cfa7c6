"""Webhook deliveries: what is queued, and how it is posted to a real server."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import time_machine

from billing.errors import InvalidSignature, ProviderObjectMissing
from billing.providers.sandbox import SandboxProvider
from billing.testing import SECRET, key
from billing.tests.providers.sandbox.conftest import Driver, MakeSandbox


class Receiver:
    """A server that keeps what is posted to it and answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.seen: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.seen.append((dict(self.headers), body))
                self.send_response(receiver.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks/sandbox"

    @property
    def ids(self) -> list[str]:
        return [json.loads(body)["id"] for _, body in self.seen]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture
def posting(make_sandbox: MakeSandbox, receiver: Receiver) -> SandboxProvider:
    return make_sandbox(webhook_url=receiver.url)


def later(seconds: float) -> Any:
    """Move wall time on; a delivery's back-off is wall time."""
    return time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds), tick=True)


class TestQueue:
    def test_one_event_per_changed_object_parents_first(self, driver: Driver) -> None:
        driver.start()
        types = [json.loads(body)["type"] for _, body in driver.provider.pending_deliveries()]
        assert types == [
            "customer.created",
            "customer.updated",
            "payment_method.attached",
            "plan.created",
            "subscription.created",
            "invoice.paid",
            "payment.succeeded",
        ]

    def test_the_last_event_holds_the_state_at_the_end(self, driver: Driver) -> None:
        subscription = driver.start("tok_renewal_declined")
        driver.provider.advance_clock(timedelta(days=60))
        last: dict[str, Any] = {}
        for _, body in driver.provider.pending_deliveries():
            event = json.loads(body)
            last[event["data"]["object"]["id"]] = event["data"]["object"]
        assert last[subscription.id] == driver.now(subscription).raw
        invoice = driver.invoice(subscription)
        assert last[invoice.id] == invoice.raw

    def test_the_body_has_the_published_shape(self, driver: Driver) -> None:
        driver.customer()
        [(headers, body)] = driver.provider.pending_deliveries()
        event = json.loads(body)
        assert set(event) == {"id", "type", "created", "api_version", "mode", "data"}
        assert (event["api_version"], event["mode"]) == ("sandbox-1", "sandbox")
        assert headers["webhook-id"] == event["id"]

    def test_taken_deliveries_leave_the_queue(self, driver: Driver) -> None:
        driver.customer()
        assert len(driver.provider.pending_deliveries(take=True)) == 1
        assert driver.provider.pending_deliveries() == []

    def test_a_failed_call_queues_nothing(self, driver: Driver) -> None:
        driver.provider.set_faults(answer_500=1)
        with pytest.raises(Exception, match="answer_500"):
            driver.customer()
        assert driver.provider.pending_deliveries() == []

    def test_stamps_are_billing_time_and_signatures_wall_time(self, driver: Driver) -> None:
        driver.provider.advance_clock(timedelta(days=400))
        driver.customer()
        [(headers, body)] = driver.provider.pending_deliveries()
        driver.provider.verify_webhook_signature(body, headers)
        event = driver.provider.parse_webhook_event(body, headers)
        assert event.occurred_at - datetime.now(UTC) > timedelta(days=399)

    def test_an_event_can_be_asked_for(self, driver: Driver) -> None:
        customer = driver.customer()
        event_id = driver.provider.emit_event("customer.updated", customer.id)
        ping = driver.provider.emit_event("ping", "")
        events = [json.loads(body) for _, body in driver.provider.pending_deliveries()]
        assert [event["id"] for event in events[1:]] == [event_id, ping]
        assert events[1]["data"]["object"] == events[0]["data"]["object"]
        with pytest.raises(ProviderObjectMissing):
            driver.provider.emit_event("customer.updated", "cus_none")

    def test_an_event_is_queued_again_as_it_was(self, driver: Driver) -> None:
        driver.start()
        (_, first), *_ = driver.provider.pending_deliveries(take=True)
        driver.provider.resend_event(json.loads(first)["id"], idempotency_key=key())
        assert [body for _, body in driver.provider.pending_deliveries()] == [first]

    def test_without_a_secret_nothing_is_signed(self, make_sandbox: MakeSandbox) -> None:
        driver = Driver(make_sandbox(secret="", webhook_url="http://127.0.0.1:9/"))
        driver.customer()
        assert driver.provider.deliver_due() == 0
        with pytest.raises(InvalidSignature):
            driver.provider.pending_deliveries()


class TestDeliver:
    def test_signed_bodies_are_posted_once(
        self, posting: SandboxProvider, receiver: Receiver
    ) -> None:
        Driver(posting).start()
        assert posting.deliver_due() == 7
        assert posting.deliver_due() == 0
        assert len(receiver.ids) == len(set(receiver.ids)) == 7
        for headers, body in receiver.seen:
            posting.verify_webhook_signature(body, headers)

    def test_a_limit_is_kept(self, posting: SandboxProvider, receiver: Receiver) -> None:
        Driver(posting).start()
        assert posting.deliver_due(limit=3) == 3
        assert len(receiver.ids) == 3

    def test_without_an_address_they_stay_queued(self, driver: Driver) -> None:
        driver.customer()
        assert driver.provider.deliver_due() == 0
        assert len(driver.provider.pending_deliveries()) == 1

    def test_a_refused_delivery_is_posted_again_later(
        self, posting: SandboxProvider, receiver: Receiver
    ) -> None:
        Driver(posting).customer()
        receiver.status = 500
        assert posting.deliver_due() == 0
        assert posting.deliver_due() == 0
        assert len(receiver.ids) == 1
        receiver.status = 200
        with later(2):
            assert posting.deliver_due() == 1
        assert len(set(receiver.ids)) == 1

    def test_it_is_given_up_after_ten_tries(
        self, posting: SandboxProvider, receiver: Receiver
    ) -> None:
        Driver(posting).customer()
        receiver.status = 302
        for day in range(12):
            with later(day * 86400):
                posting.deliver_due()
        assert len(receiver.ids) == 10
        assert posting.pending_deliveries() == []

    def test_a_closed_port_is_a_failed_try(self, make_sandbox: MakeSandbox) -> None:
        provider = make_sandbox(webhook_url="http://127.0.0.1:9/")
        Driver(provider).customer()
        assert provider.deliver_due() == 0
        assert len(provider.pending_deliveries()) == 1

    def test_two_processes_do_not_post_the_same(
        self, posting: SandboxProvider, receiver: Receiver
    ) -> None:
        driver = Driver(posting)
        for _ in range(20):
            driver.customer()
        threads = [threading.Thread(target=posting.deliver_due) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(receiver.ids) == len(set(receiver.ids)) == 20

    def test_what_fell_due_by_itself_runs_first(
        self, posting: SandboxProvider, receiver: Receiver
    ) -> None:
        Driver(posting).start()
        posting.deliver_due()
        receiver.seen.clear()
        with later(32 * 86400):
            posting.deliver_due()
        types = [json.loads(body)["type"] for _, body in receiver.seen]
        assert types == ["subscription.updated", "invoice.paid", "payment.succeeded"]


class TestFaults:
    def test_duplicate(self, posting: SandboxProvider, receiver: Receiver) -> None:
        posting.set_faults(duplicate=True)
        Driver(posting).customer()
        assert posting.deliver_due() == 2
        assert receiver.ids[0] == receiver.ids[1]

    def test_reorder(self, posting: SandboxProvider, receiver: Receiver) -> None:
        posting.set_faults(reorder=True)
        Driver(posting).start()
        sent = [json.loads(body)["id"] for _, body in posting.pending_deliveries()]
        posting.deliver_due()
        assert receiver.ids == sent[::-1]

    def test_drop_the_next(self, posting: SandboxProvider, receiver: Receiver) -> None:
        posting.set_faults(drop=2)
        Driver(posting).start()
        assert posting.deliver_due() == 5
        assert posting.pending_deliveries() == []

    @pytest.mark.parametrize("drop", [True, 1.0])
    def test_drop_all(self, posting: SandboxProvider, receiver: Receiver, drop: float) -> None:
        posting.set_faults(drop=drop)
        Driver(posting).start()
        assert posting.deliver_due() == 0
        assert receiver.ids == []
        posting.set_faults(drop=False)
        Driver(posting).customer()
        assert posting.deliver_due() == 1

    def test_delay(self, posting: SandboxProvider) -> None:
        posting.set_faults(delay_seconds=5)
        Driver(posting).customer()
        assert posting.deliver_due() == 0
        with later(6):
            assert posting.deliver_due() == 1


def test_the_secret_rotates(make_sandbox: MakeSandbox) -> None:
    new = "whsec_bmV3LXNlY3JldA=="
    old, rotated = make_sandbox(), make_sandbox(secret=[new, SECRET])
    Driver(old).customer()
    [(headers, body)] = old.pending_deliveries()
    rotated.verify_webhook_signature(body, headers)
    [(headers, body)] = rotated.pending_deliveries()
    with pytest.raises(InvalidSignature):
        old.verify_webhook_signature(body, headers)
