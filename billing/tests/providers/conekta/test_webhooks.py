import json
from datetime import UTC, datetime
from typing import Any

import pytest

from billing.enums import EndReason, EventKind, SubscriptionStatus
from billing.errors import InvalidSignature
from billing.providers.conekta import ConektaProvider
from billing.providers.types import CustomerData, PaymentMethodData, SubscriptionData
from billing.tests.conekta_account.signing import public_key, signed
from billing.tests.providers.conekta.conftest import example
from billing.tests.providers.conekta.test_events import SENT_AT, event

AT = datetime.fromtimestamp(SENT_AT, UTC)


def told(conekta: ConektaProvider, event_type: str, source: dict[str, Any]) -> Any:
    payload = event(event_type, data={"object": source})
    parsed = conekta.parse_webhook_event(json.dumps(payload).encode(), {})
    assert parsed.kind is not None
    return conekta.map_webhook_object(parsed.kind, payload, parsed)


class TestMapWebhookObject:
    def test_the_object_of_each_kind_at_the_events_time(self, conekta: ConektaProvider) -> None:
        for event_type, name, expected in (
            ("customer.updated", "customer", CustomerData),
            ("customer.payment_source.card.blocked", "payment_source", PaymentMethodData),
            ("subscription.paid", "subscription", SubscriptionData),
        ):
            data = told(conekta, event_type, example(name))
            assert isinstance(data, expected)
            assert data.as_of == AT

    def test_an_order_is_an_invoice_and_its_charge_a_payment(
        self, conekta: ConektaProvider
    ) -> None:
        order = example("order")
        invoice = told(conekta, "order.paid", order)
        payment = told(conekta, "charge.paid", order["charges"]["data"][0])
        assert (invoice.id, invoice.payment_id, payment.invoice_id) == (
            order["id"],
            payment.id,
            order["id"],
        )
        assert invoice.as_of == payment.as_of == AT

    @pytest.mark.parametrize("changes", [{"processing_mode": "recurrent"}, {"currency": None}])
    def test_an_order_that_does_not_tell_all_is_fetched(
        self, conekta: ConektaProvider, changes: dict[str, Any]
    ) -> None:
        assert told(conekta, "order.paid", example("order", **changes)) is None

    @pytest.mark.parametrize("method", [{"object": "card_payment"}, None])
    def test_a_charge_that_waits_for_the_customer_is_fetched(
        self, conekta: ConektaProvider, method: object
    ) -> None:
        """Where to send the customer stands in the order."""
        (charge,) = example("order")["charges"]["data"]
        source = charge | {"status": "pending_payment", "payment_method": method}
        assert told(conekta, "charge.created", source) is None

    def test_the_newest_refund_of_a_charge(self, conekta: ConektaProvider) -> None:
        (charge,) = example("order")["charges"]["data"]
        given = [{"id": f"refund_{at}", "amount": -at, "created_at": at} for at in (7, 5)]
        payload = event("charge.refunded", data={"object": charge | {"refunds": given}})
        parsed = conekta.parse_webhook_event(json.dumps(payload).encode(), {})
        assert (parsed.kind, parsed.object_id) == (EventKind.REFUND, "refund_7")
        assert parsed.parent_id == charge["id"]
        data = told(conekta, "charge.refunded", charge | {"refunds": given})
        assert (data.id, data.amount_minor, data.payment_id) == ("refund_7", 7, charge["id"])

    def test_a_charge_that_does_not_show_its_refund_is_a_payment(
        self, conekta: ConektaProvider
    ) -> None:
        (charge,) = example("order")["charges"]["data"]
        payload = event("charge.refunded", data={"object": charge})
        parsed = conekta.parse_webhook_event(json.dumps(payload).encode(), {})
        assert (parsed.kind, parsed.object_id) == (EventKind.PAYMENT, charge["id"])
        assert told(conekta, "charge.refunded", charge).id == charge["id"]

    def test_a_deleted_customer(self, conekta: ConektaProvider) -> None:
        assert told(conekta, "customer.deleted", example("customer")).is_deleted

    def test_a_term_that_is_over(self, conekta: ConektaProvider) -> None:
        source = example("subscription", status="active", canceled_at=None)
        data = told(conekta, "subscription.expired", source)
        assert (data.status, data.ended_at) == (SubscriptionStatus.CANCELED, AT)
        assert data.end_reason is EndReason.TERM_COMPLETED

    def test_an_unknown_status_is_none(self, conekta: ConektaProvider) -> None:
        data = told(conekta, "subscription.updated", example("subscription", status="brand_new"))
        assert (data.status, data.provider_status) == (None, "brand_new")

    def test_what_does_not_hold_its_object_is_fetched(self, conekta: ConektaProvider) -> None:
        source = example("subscription")
        assert told(conekta, "subscription.paid", source | {"object": "charge"}) is None
        payload = event(data={"object": source})
        parsed = conekta.parse_webhook_event(json.dumps(payload).encode(), {})
        assert parsed.kind is not None
        assert conekta.map_webhook_object(parsed.kind, {}, parsed) is None
        odd = event(data={"object": source | {"id": None}})
        assert conekta.map_webhook_object(parsed.kind, odd, parsed) is None


class TestVerify:
    def provider(self, **options: str) -> ConektaProvider:
        return ConektaProvider(alias="conekta", mode="test", options=options)

    def test_a_key_with_written_out_line_ends(self) -> None:
        provider = self.provider(webhook_public_key=public_key().replace("\n", "\\n"))
        provider.verify_webhook_signature(b"{}", signed()(b"{}"))

    @pytest.mark.parametrize(
        "options", [{}, {"webhook_public_key": public_key(), "webhook_secret": "x" * 20}]
    )
    def test_no_mode_and_both_modes_verify_nothing(self, options: dict[str, str]) -> None:
        provider = self.provider(**options)
        with pytest.raises(InvalidSignature):
            provider.verify_webhook_signature(b"{}", signed()(b"{}"))

    def test_what_is_wrong_with_the_options_is_told(self) -> None:
        found = ConektaProvider.option_problems({"webhook_secret": public_key()})
        assert list(found) == ["webhook_secret"]
