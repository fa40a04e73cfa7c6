import json
from datetime import UTC, datetime
from typing import Any

import pytest

from billing.enums import EndReason, SubscriptionStatus
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
