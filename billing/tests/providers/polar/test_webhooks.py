import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from standardwebhooks import Webhook

from billing.enums import EventKind, PaymentStatus, SubscriptionStatus
from billing.errors import InvalidSignature
from billing.providers.polar import PolarProvider, events
from billing.providers.types import (
    CustomerData,
    InvoiceData,
    ObjectData,
    PaymentData,
    RefundData,
    SubscriptionData,
)
from billing.testing import check_data
from billing.tests.providers.polar.conftest import SECRET, example
from billing.tests.providers.polar.published_shapes import (
    delivery,
    require_spec,
    with_the_unknown,
)

ID = "2f1d5a5e-8f0e-4a52-8a7e-1b2c3d4e5f60"
SENT_AT = datetime(2026, 1, 20, 8, 30, 0, 123456, UTC)
ALL = sorted([*events.KINDS, *events.IGNORED])
EXPECTED: dict[EventKind, type[ObjectData]] = {
    EventKind.CUSTOMER: CustomerData,
    EventKind.SUBSCRIPTION: SubscriptionData,
    EventKind.INVOICE: InvoiceData,
    EventKind.PAYMENT: PaymentData,
    EventKind.REFUND: RefundData,
}


def told(polar: PolarProvider, payload: dict[str, Any]) -> Any:
    """What becomes of a delivery: its object, None where nothing is done with it."""
    event = polar.parse_webhook_event(json.dumps(payload).encode(), {"webhook-id": ID})
    assert (event.id, event.mode) == (ID, "test")
    if event.kind is None:
        assert event.ignored_because != events.UNKNOWN_TYPE
        return None
    return polar.map_webhook_object(event.kind, payload, event)


def sent(event_type: str, source: dict[str, Any]) -> dict[str, Any]:
    stamp = SENT_AT.isoformat()
    return {"type": event_type, "timestamp": stamp, "api_version": "2026-10", "data": source}


class TestEveryPublishedPayload:
    @pytest.mark.parametrize("event_type", ALL)
    def test_is_taken(self, polar: PolarProvider, event_type: str) -> None:
        require_spec()
        data = told(polar, delivery(event_type))
        self.check(event_type, data)

    @pytest.mark.parametrize("event_type", ALL)
    def test_is_taken_with_keys_that_are_new(self, polar: PolarProvider, event_type: str) -> None:
        require_spec()
        self.check(event_type, told(polar, with_the_unknown(delivery(event_type))))

    @pytest.mark.parametrize("event_type", ALL)
    def test_is_taken_with_words_that_are_new(self, polar: PolarProvider, event_type: str) -> None:
        require_spec()
        data = told(polar, delivery(event_type, word="brand_new"))
        self.check(event_type, data)
        if data is not None and not isinstance(data, CustomerData):
            assert (data.status, data.provider_status) == (None, "brand_new")

    def check(self, event_type: str, data: Any) -> None:
        if event_type in events.IGNORED:
            assert data is None
            return
        assert type(data) is EXPECTED[events.KINDS[event_type]]
        check_data(data)


class TestMapWebhookObject:
    def test_a_planned_end_is_not_the_end(self, polar: PolarProvider) -> None:
        data = told(polar, sent("subscription.canceled", example("subscription")))
        assert (data.status, data.cancel_at_period_end) == (SubscriptionStatus.ACTIVE, True)
        assert data.ended_at is None

    def test_a_revoked_one_has_ended(self, polar: PolarProvider) -> None:
        source = example("subscription", status="canceled", ended_at="2026-02-01T00:00:00Z")
        data = told(polar, sent("subscription.revoked", source))
        assert data.status is SubscriptionStatus.CANCELED
        assert data.ended_at == datetime(2026, 2, 1, tzinfo=UTC)

    def test_an_order_that_is_paid_is_an_invoice_and_a_payment(self, polar: PolarProvider) -> None:
        invoice = told(polar, sent("order.updated", example("order")))
        payment = told(polar, sent("order.paid", example("order")))
        assert (invoice.id, invoice.payment_id) == (payment.invoice_id, payment.id)
        assert (payment.status, payment.paid_at) == (PaymentStatus.SUCCEEDED, SENT_AT)
        assert invoice.as_of == payment.as_of == SENT_AT

    def test_a_refund_names_the_payment_of_its_order(self, polar: PolarProvider) -> None:
        payment = told(polar, sent("order.paid", example("order")))
        refund = told(polar, sent("refund.created", example("refund")))
        assert refund.payment_id == payment.id

    @pytest.mark.parametrize(
        ("event_type", "is_deleted"), [("customer.deleted", True), ("customer.updated", False)]
    )
    def test_a_deleted_customer(
        self, polar: PolarProvider, event_type: str, is_deleted: bool
    ) -> None:
        data = told(polar, sent(event_type, example("subscription")["customer"]))
        assert data.is_deleted is is_deleted

    def test_one_that_does_not_tell_all_is_fetched(self, polar: PolarProvider) -> None:
        assert told(polar, sent("order.paid", example("order", currency=None))) is None

    def test_a_kind_that_polar_does_not_tell_is_fetched(self, polar: PolarProvider) -> None:
        payload = sent("order.paid", example("order"))
        event = polar.parse_webhook_event(json.dumps(payload).encode(), {"webhook-id": ID})
        assert polar.map_webhook_object(EventKind.DISPUTE, payload, event) is None


class TestVerifyWebhookSignature:
    BODY = b'{"type": "order.paid"}'

    def headers(self, key: bytes) -> dict[str, str]:
        return {
            "webhook-id": ID,
            "webhook-timestamp": str(int(SENT_AT.timestamp())),
            "webhook-signature": Webhook(key).sign(ID, SENT_AT, self.BODY.decode()),
        }

    def verify(self, polar: PolarProvider, key: bytes) -> None:
        with time_machine.travel(SENT_AT, tick=False):
            polar.verify_webhook_signature(self.BODY, self.headers(key))

    def test_by_the_configured_secret(self, polar: PolarProvider) -> None:
        self.verify(polar, SECRET.encode())
        with pytest.raises(InvalidSignature):
            self.verify(polar, b"another")

    def test_by_one_of_several_of_either_scheme(self) -> None:
        encoded = base64.b64encode(b"standard").decode()
        options = {"webhook_secret": f"{SECRET}, whsec_{encoded}"}
        both = PolarProvider(alias="polar", mode="test", options=options)
        self.verify(both, SECRET.encode())
        self.verify(both, b"standard")
        self.verify(both, f"whsec_{encoded}".encode())

    @pytest.mark.parametrize("secret", ["", None, [], " , "])
    def test_without_a_secret_nothing_passes(self, secret: object) -> None:
        bare = PolarProvider(alias="polar", mode="test", options={"webhook_secret": secret})
        with pytest.raises(InvalidSignature):
            self.verify(bare, b"x")
