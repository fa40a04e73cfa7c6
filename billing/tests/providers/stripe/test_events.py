import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st
from stripe.params._webhook_endpoint_create_params import WebhookEndpointCreateParams

from billing.enums import EventKind
from billing.errors import InvalidPayload
from billing.providers.stripe import events
from billing.tests.stripe_life import published

FIXTURES = Path(__file__).parent / "fixtures"


def body(event_type: str = "customer.updated", source: object = None, **changes: Any) -> bytes:
    payload = published("event") | {
        "id": "evt_1",
        "type": event_type,
        "created": 1_800_000_000,
        "api_version": events.API_VERSION,
        "data": {"object": {"id": "cus_1", "object": "customer"} if source is None else source},
    }
    return json.dumps(payload | changes).encode()


def names_in(hint: object) -> set[str]:
    found = {each for each in get_args(hint) if isinstance(each, str)}
    return found.union(*(names_in(each) for each in get_args(hint) if not isinstance(each, str)))


class TestTable:
    """Against the SDK's own lists: what an endpoint may be sent, and what an event may be."""

    def test_every_type_of_the_sdk_is_named(self) -> None:
        hint = WebhookEndpointCreateParams.__annotations__["enabled_events"]
        published_names = names_in(hint) - {"*"}
        assert len(published_names) == 275
        assert names_in(stripe.Event.__annotations__["type"]) == published_names
        assert set(events.KINDS) | set(events.IGNORED) == published_names

    def test_no_type_stands_twice(self) -> None:
        lists = [*events._USED.values(), *events._UNUSED.values()]
        names = [name for each in lists for name in each.split()]
        assert len(names) == len(set(names)) == 275
        assert all(events._UNUSED)

    @pytest.mark.parametrize("event_type", [*events.KINDS, *events.IGNORED])
    def test_each_type_has_a_kind_or_a_reason(self, event_type: str) -> None:
        source = {"id": "x_1", "customer": "cus_1", "invoice": "in_1", "payment_intent": "pi_1"}
        event = events.parse(body(event_type, source))
        assert bool(event.kind) != bool(event.ignored_because)
        assert event.ignored_because != events.UNKNOWN_TYPE

    def test_the_pinned_version_is_the_sdks(self) -> None:
        assert stripe.api_version == events.API_VERSION


class TestParse:
    def test_a_customer(self) -> None:
        event = events.parse(body())
        assert (event.id, event.type) == ("evt_1", "customer.updated")
        assert event.occurred_at == datetime.fromtimestamp(1_800_000_000, UTC)
        assert event.kind is EventKind.CUSTOMER
        assert (event.object_id, event.customer_id, event.parent_id) == ("cus_1", "cus_1", "")
        assert event.is_pinned
        assert event.mode == "test"
        assert event.ignored_because == ""

    @pytest.mark.parametrize(
        ("event_type", "source", "expected"),
        [
            (
                "customer.subscription.trial_will_end",
                {"id": "sub_1", "customer": "cus_1"},
                (EventKind.SUBSCRIPTION, "sub_1", "cus_1", "cus_1"),
            ),
            (
                "customer.subscription.updated",
                {"id": "sub_1", "customer": {"id": "cus_1", "object": "customer"}},
                (EventKind.SUBSCRIPTION, "sub_1", "cus_1", "cus_1"),
            ),
            (
                "invoice.paid",
                {
                    "id": "in_1",
                    "customer": "cus_1",
                    "parent": {"subscription_details": {"subscription": "sub_1"}},
                },
                (EventKind.INVOICE, "in_1", "cus_1", "sub_1"),
            ),
            (
                "invoice.paid",
                {"id": "in_1", "customer": "cus_1", "subscription": "sub_1"},
                (EventKind.INVOICE, "in_1", "cus_1", "sub_1"),
            ),
            (
                "invoice.paid",
                {"id": "in_1", "customer": "cus_1", "parent": None},
                (EventKind.INVOICE, "in_1", "cus_1", "cus_1"),
            ),
            (
                "invoice_payment.paid",
                {"id": "inpay_1", "invoice": "in_1"},
                (EventKind.INVOICE, "in_1", "", "in_1"),
            ),
            (
                "payment_method.detached",
                {"id": "pm_1", "customer": None},
                (EventKind.PAYMENT_METHOD, "pm_1", "", ""),
            ),
            (
                "payment_method.attached",
                {"id": "pm_1", "customer": "cus_1"},
                (EventKind.PAYMENT_METHOD, "pm_1", "cus_1", "cus_1"),
            ),
            (
                "payment_intent.succeeded",
                {"id": "pi_1", "customer": "cus_1"},
                (EventKind.PAYMENT, "pi_1", "cus_1", "cus_1"),
            ),
            (
                "charge.refund.updated",
                {"id": "re_1", "payment_intent": "pi_1", "charge": "ch_1"},
                (EventKind.REFUND, "re_1", "", "pi_1"),
            ),
            (
                "refund.failed",
                {"id": "re_1", "payment_intent": None, "charge": {"id": "ch_1"}},
                (EventKind.REFUND, "re_1", "", "ch_1"),
            ),
            (
                "charge.dispute.funds_withdrawn",
                {"id": "dp_1", "payment_intent": "pi_1", "charge": "ch_1"},
                (EventKind.DISPUTE, "dp_1", "", "pi_1"),
            ),
        ],
    )
    def test_ids_of_each_kind(
        self, event_type: str, source: dict[str, Any], expected: tuple[object, ...]
    ) -> None:
        event = events.parse(body(event_type, source))
        assert (event.kind, event.object_id, event.customer_id, event.parent_id) == expected

    def test_a_detached_method_names_whom_it_was_taken_from(self) -> None:
        source = {"id": "pm_1", "object": "payment_method", "customer": None}
        before = {"customer": "cus_1"}
        payload = json.loads(body("payment_method.detached", source))
        payload["data"]["previous_attributes"] = before
        event = events.parse(json.dumps(payload).encode())
        assert (event.customer_id, event.parent_id) == ("cus_1", "cus_1")

    def test_a_guests_payment_is_ignored(self) -> None:
        source = {"id": "pi_1", "object": "payment_intent", "customer": None}
        event = events.parse(body("payment_intent.succeeded", source))
        assert (event.kind, event.ignored_because) == (None, events.NOBODYS)

    def test_a_refund_of_no_payment_is_ignored(self) -> None:
        """Stripe: cash of a customer's balance can be refunded too."""
        source = {"id": "re_1", "object": "refund", "payment_intent": None, "customer": "cus_1"}
        event = events.parse(body("refund.created", source))
        assert (event.kind, event.ignored_because) == (None, events.OF_NO_PAYMENT)

    def test_live_mode_and_another_version(self) -> None:
        event = events.parse(body(livemode=True, api_version="2024-06-20"))
        assert event.mode == "live"
        assert event.api_version == "2024-06-20"
        assert not event.is_pinned

    def test_no_version_is_not_the_pinned_one(self) -> None:
        assert not events.parse(body(api_version=None)).is_pinned

    @pytest.mark.parametrize(
        "event_type", ["invoice.upcoming", "charge.refunded", "checkout.session.completed"]
    )
    def test_unused_types_are_ignored_with_their_reason(self, event_type: str) -> None:
        event = events.parse(body(event_type, {"object": "invoice"}))
        assert event.kind is None
        assert event.ignored_because == events.IGNORED[event_type]

    def test_an_unknown_type_is_ignored(self) -> None:
        event = events.parse(body("customer.moon_landed", {}))
        assert (event.kind, event.ignored_because) == (None, events.UNKNOWN_TYPE)

    def test_a_thin_event_is_genuine_and_ignored(self) -> None:
        event = events.parse((FIXTURES / "thin_event.json").read_bytes())
        assert (event.kind, event.ignored_because) == (None, events.THIN_EVENT)
        assert event.occurred_at == datetime(2026, 11, 2, 9, 30, 0, 123000, UTC)


class TestHostileBodies:
    @pytest.mark.parametrize(
        "value",
        [
            b"",
            b"null",
            b"[]",
            b'"text"',
            b"1",
            b"{",
            b"\xff",
            b"\xef\xbb\xbf{}",
            "{}".encode("utf-16"),
            b'{"a": NaN}',
            b'{"a": -Infinity}',
            b'{"a": ' + b"9" * 5000 + b"}",
            b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}",
            b"[" * 100_000,
            b"{}",
        ],
        ids=lambda value: repr(value[:20]),
    )
    def test_is_refused(self, value: bytes) -> None:
        with pytest.raises(InvalidPayload):
            events.parse(value)

    @pytest.mark.parametrize(
        "changes",
        [
            {"id": None},
            {"id": 5},
            {"id": ""},
            {"id": "evt\x00"},
            {"id": "evt\ud800"},
            {"id": "e" * 300},
            {"type": None},
            {"type": ["customer.updated"]},
            {"type": "a\x00"},
            {"created": None},
            {"created": True},
            {"created": "1800000000"},
            {"created": 1.5},
            {"created": -1},
            {"created": 10**18},
            {"created": 10**30},
            {"data": None},
            {"data": []},
            {"data": {"object": None}},
            {"data": {"object": []}},
            {"data": {"object": {"id": {"id": []}}}},
            {"data": {"object": {"id": "cus\x00"}}},
            {"api_version": {"a": 1}},
            {"object": "v2.core.event", "created": 5},
            {"object": "v2.core.event", "created": "yesterday"},
            {"object": "v2.core.event", "created": "0001-01-01T00:00:00+23:59"},
        ],
        ids=repr,
    )
    def test_odd_fields_are_refused(self, changes: dict[str, Any]) -> None:
        with pytest.raises(InvalidPayload):
            events.parse(body(**changes))

    @pytest.mark.parametrize("value", [5, ["cus_1"], {"id": 5}, "cus\x00", "c" * 300], ids=repr)
    def test_an_odd_customer_or_subscription_is_refused(self, value: object) -> None:
        for name in ("customer", "subscription"):
            with pytest.raises(InvalidPayload):
                events.parse(body("invoice.paid", {"id": "in_1", name: value}))

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ),
        st.sampled_from(["id", "type", "created", "data", "object", "livemode", "api_version"]),
        st.sampled_from(sorted(events.KINDS)),
    )
    def test_any_value_in_any_field(self, value: Any, name: str, event_type: str) -> None:
        try:
            event = events.parse(body(**({"event_type": event_type} | {name: value})))
        except InvalidPayload:
            return
        assert event.id
