import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.enums import EventKind
from billing.errors import InvalidPayload
from billing.providers.polar import events
from billing.providers.types import ProviderEvent
from billing.tests.providers.polar.published_shapes import event_types, require_spec

ID = "2f1d5a5e-8f0e-4a52-8a7e-1b2c3d4e5f60"
HEADERS = {"Webhook-Id": ID}


def body(event_type: str = "customer.updated", **changes: Any) -> bytes:
    payload = {
        "type": event_type,
        "timestamp": "2026-01-20T08:30:00.123456Z",
        "api_version": events.API_VERSION,
        "data": {"id": "c-1", "customer_id": "c-1"},
    }
    return json.dumps(payload | changes).encode()


def parse(sent: bytes, headers: dict[str, str] | None = None) -> ProviderEvent:
    return events.parse(sent, HEADERS if headers is None else headers, mode="test")


class TestTable:
    def test_every_type_of_the_specification_is_named(self) -> None:
        require_spec()
        assert len(event_types()) == 42
        assert set(events.KINDS) | set(events.IGNORED) == set(event_types())

    def test_no_type_stands_twice(self) -> None:
        lists = [*events._USED.values(), *events._UNUSED.values()]
        names = [name for each in lists for name in each.split()]
        assert len(names) == len(set(names)) == 42
        assert all(events._UNUSED)

    @pytest.mark.parametrize("event_type", [*events.KINDS, *events.IGNORED])
    def test_each_type_has_a_kind_or_a_reason(self, event_type: str) -> None:
        data = {"id": "x-1", "customer_id": "c-1", "order_id": "o-1"}
        event = parse(body(event_type, data=data))
        assert bool(event.kind) != bool(event.ignored_because)
        assert event.ignored_because != events.UNKNOWN_TYPE


class TestParse:
    def test_a_customer(self) -> None:
        event = parse(body())
        assert (event.id, event.type, event.mode) == (ID, "customer.updated", "test")
        assert event.occurred_at == datetime(2026, 1, 20, 8, 30, 0, 123456, UTC)
        assert event.kind is EventKind.CUSTOMER
        assert (event.object_id, event.customer_id, event.parent_id) == ("c-1", "c-1", "")
        assert event.is_pinned
        assert event.ignored_because == ""

    @pytest.mark.parametrize(
        ("event_type", "data", "expected"),
        [
            (
                "subscription.revoked",
                {"id": "s-1", "customer_id": "c-1"},
                (EventKind.SUBSCRIPTION, "s-1", "c-1", "c-1"),
            ),
            (
                "order.created",
                {"id": "o-1", "customer_id": "c-1", "subscription_id": "s-1"},
                (EventKind.INVOICE, "o-1", "c-1", "s-1"),
            ),
            (
                "order.updated",
                {"id": "o-1", "customer_id": "c-1", "subscription_id": None},
                (EventKind.INVOICE, "o-1", "c-1", "c-1"),
            ),
            (
                "order.paid",
                {"id": "o-1", "customer_id": "c-1", "subscription_id": "s-1"},
                (EventKind.PAYMENT, "o-1", "c-1", "c-1"),
            ),
            (
                "refund.created",
                {"id": "r-1", "customer_id": "c-1", "order_id": "o-1"},
                (EventKind.REFUND, "r-1", "c-1", "o-1"),
            ),
        ],
    )
    def test_ids_of_each_kind(
        self, event_type: str, data: dict[str, Any], expected: tuple[object, ...]
    ) -> None:
        event = parse(body(event_type, data=data))
        assert (event.kind, event.object_id, event.customer_id, event.parent_id) == expected

    def test_one_body_under_two_ids_is_two_events(self) -> None:
        """Two endpoints are told of one happening."""
        one, other = parse(body()), parse(body(), {"WEBHOOK-ID": "another"})
        assert (one.id, other.id) == (ID, "another")

    @pytest.mark.parametrize("version", ["2026-04", None, ""])
    def test_another_or_no_version_is_not_pinned(self, version: str | None) -> None:
        event = parse(body(api_version=version))
        assert event.api_version == (version or "")
        assert not event.is_pinned

    def test_a_confirmed_checkout_is_not_a_payment(self) -> None:
        event = parse(body("checkout.updated", data={"id": "k-1", "status": "confirmed"}))
        assert event.kind is None
        assert event.ignored_because == events.IGNORED["checkout.updated"]

    def test_an_order_of_nobody_is_ignored(self) -> None:
        event = parse(body("order.paid", data={"id": "o-1", "customer_id": None}))
        assert (event.kind, event.ignored_because) == (None, events.NOBODYS)

    def test_an_unknown_type_is_ignored(self) -> None:
        event = parse(body("customer.moon_landed", data={}))
        assert (event.kind, event.ignored_because) == (None, events.UNKNOWN_TYPE)


class TestHostileDeliveries:
    @pytest.mark.parametrize(
        "sent", [b"", b"null", b"[]", b"{", b"{}", b"\xff", b'{"a": NaN}', b"[" * 100_000]
    )
    def test_a_body_that_is_no_event_is_refused(self, sent: bytes) -> None:
        with pytest.raises(InvalidPayload):
            parse(sent)

    @pytest.mark.parametrize("value", ["", "i" * 256, "\x00", "\ud800"])
    def test_an_odd_id_is_refused(self, value: str) -> None:
        with pytest.raises(InvalidPayload):
            parse(body(), {"webhook-id": value})

    def test_a_missing_id_is_refused(self) -> None:
        with pytest.raises(InvalidPayload):
            parse(body(), {})

    @pytest.mark.parametrize(
        "changes",
        [
            {"type": None},
            {"type": "a\x00"},
            {"timestamp": None},
            {"timestamp": 1_800_000_000},
            {"timestamp": "yesterday"},
            {"timestamp": "2026-01-20T08:30:00"},
            {"timestamp": "0001-01-01T00:00:00+23:59"},
            {"data": None},
            {"data": []},
            {"data": {"id": None}},
            {"data": {"id": {"id": "c-1"}}},
            {"api_version": 5},
        ],
        ids=repr,
    )
    def test_odd_fields_are_refused(self, changes: dict[str, Any]) -> None:
        with pytest.raises(InvalidPayload):
            parse(body(**changes))

    @pytest.mark.parametrize("name", ["customer_id", "subscription_id"])
    @pytest.mark.parametrize("value", [5, ["c-1"], {"id": 5}, "c\x00", "c" * 300], ids=repr)
    def test_an_odd_relative_is_refused(self, name: str, value: object) -> None:
        with pytest.raises(InvalidPayload):
            parse(body("order.updated", data={"id": "o-1", "customer_id": "c-1", name: value}))

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ),
        st.sampled_from(["type", "timestamp", "data", "api_version"]),
        st.sampled_from(sorted(events.KINDS)),
    )
    def test_any_value_in_any_field(self, value: Any, name: str, event_type: str) -> None:
        try:
            event = parse(body(**({"event_type": event_type, name: value})))
        except InvalidPayload:
            return
        assert event.id
