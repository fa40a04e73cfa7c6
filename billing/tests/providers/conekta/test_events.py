import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from billing.enums import EventKind
from billing.errors import InvalidPayload
from billing.providers.conekta import events
from billing.testing import HOSTILE_BODIES
from billing.tests.providers.conekta.conftest import example

SPECIFICATION = Path(__file__).parents[5] / "shared" / "specs" / "conekta.openapi.json"
SENT_AT = 1661445644


def event(event_type: str = "subscription.updated", **changes: Any) -> dict[str, Any]:
    return {
        "id": "6307a60c41de27127515a575",
        "object": "event",
        "type": event_type,
        "created_at": SENT_AT,
        "livemode": False,
        "data": {"object": example("subscription"), "previous_attributes": {}},
    } | changes


def parse(payload: dict[str, Any]) -> Any:
    return events.parse(json.dumps(payload).encode())


class TestTable:
    def test_no_name_is_both(self) -> None:
        assert not events.KINDS.keys() & events.IGNORED.keys()

    def test_every_name_that_is_documented_is_in_it(self) -> None:
        """providers.md 5.2 and the specification's enum and examples."""
        documented = """order.created order.pending_payment order.paid order.expired order.canceled
            order.declined order.refunded order.partially_refunded order.charged_back
            order.fraudulent order.under_fraud_review order.pre_authorized order.voided
            order.updated charge.created charge.paid charge.pending_confirmation charge.declined
            charge.canceled charge.reversed charge.refunded charge.preauthorized charge.fraudulent
            charge.under_fraud_review subscription.created subscription.paid subscription.paused
            subscription.resumed subscription.canceled subscription.payment_failed
            subscription.expired subscription.updated customer.created customer.updated
            customer.deleted plan.created plan.updated plan.deleted webhook_ping webhook.ping"""
        assert set(documented.split()) <= events.KINDS.keys() | events.IGNORED.keys()

    @pytest.mark.skipif(not SPECIFICATION.exists(), reason="the specification is not beside us")
    def test_every_name_in_the_specification_is_in_it(self) -> None:
        found = json.loads(SPECIFICATION.read_text())
        kinds = set(found["components"]["schemas"]["event_types"]["enum"])
        webhook = found["components"]["schemas"]["webhook_response"]["properties"]
        kinds |= set(webhook["subscribed_events"]["example"])
        kinds |= {each["type"] for each in _events_in(found)}
        assert len(kinds) > 10
        assert kinds <= events.KINDS.keys() | events.IGNORED.keys()


def _events_in(value: Any) -> list[dict[str, Any]]:
    """Every example of an event in the specification."""
    if isinstance(value, list):
        return [found for each in value for found in _events_in(each)]
    if not isinstance(value, dict):
        return []
    inside = [found for each in value.values() for found in _events_in(each)]
    is_event = value.get("object") == "event" and isinstance(value.get("type"), str)
    return [value, *inside] if is_event else inside


class TestParse:
    def test_reads_what_intake_keeps(self) -> None:
        found = parse(event())
        assert (found.id, found.type) == ("6307a60c41de27127515a575", "subscription.updated")
        assert found.occurred_at == datetime.fromtimestamp(SENT_AT, UTC)
        assert (found.mode, found.kind) == ("test", EventKind.SUBSCRIPTION)
        assert found.object_id == "sub_2tKcHxhTz7xU5SymG"
        assert found.customer_id == found.parent_id == "cus_2tKcHxhTz7xU5SymF"
        assert found.is_pinned
        assert not found.ignored_because

    @pytest.mark.parametrize(
        ("livemode", "mode"), [(True, "live"), (False, "test"), (None, "test")]
    )
    def test_mode(self, livemode: Any, mode: str) -> None:
        assert parse(event(livemode=livemode)).mode == mode

    def test_the_ids_of_each_kind(self) -> None:
        customer, source, order = (
            example(name) for name in ("customer", "payment_source", "order")
        )
        charge = order["charges"]["data"][0]
        for event_type, told, ids in (
            ("customer.updated", customer, (customer["id"], customer["id"], "")),
            (
                "customer.payment_source.card.blocked",
                source,
                (source["id"], source["parent_id"], source["parent_id"]),
            ),
            ("order.paid", order, (order["id"], "cus_23874283647", "cus_23874283647")),
            ("charge.paid", charge, (charge["id"], "cus_23874283647", "cus_23874283647")),
        ):
            found = parse(event(event_type, data={"object": told}))
            assert (found.object_id, found.customer_id, found.parent_id) == ids
            assert found.kind == events.KINDS[event_type]

    def test_an_order_without_a_customer_is_nobodys(self) -> None:
        order = example("order", customer_info={"name": "Ana"})
        found = parse(event("order.paid", data={"object": order}))
        assert (found.kind, found.ignored_because) == (None, events.NOBODYS)

    @pytest.mark.parametrize("event_type", ["webhook_ping", "plan.updated", "payout.created"])
    def test_what_is_not_used_says_why(self, event_type: str) -> None:
        found = parse(event(event_type, data={"action": "ping"}))
        assert (found.kind, found.ignored_because) == (None, events.IGNORED[event_type])

    def test_an_unknown_type_is_kept(self) -> None:
        found = parse(event("order.brand_new"))
        assert (found.kind, found.ignored_because) == (None, events.UNKNOWN_TYPE)

    @pytest.mark.parametrize("changes", [{"created_at": None}, {}])
    def test_without_a_time_the_object_is_fetched(self, changes: dict[str, Any]) -> None:
        payload = event()
        del payload["created_at"]
        found = parse(payload | changes)
        assert (found.is_pinned, found.occurred_at) == (False, events.NO_TIME)
        assert found.kind is EventKind.SUBSCRIPTION

    @pytest.mark.parametrize(
        "changes",
        [
            {"id": None}, {"id": ""}, {"id": 5}, {"id": "x" * 300}, {"id": "a\x00"},
            {"type": None}, {"type": []}, {"created_at": "1661445644"}, {"created_at": -1},
            {"created_at": 10**20}, {"created_at": True}, {"data": None}, {"data": []},
            {"data": {"object": None}}, {"data": {"object": {}}}, {"data": {"object": {"id": 5}}},
            {"data": {"object": {"id": "sub_1", "customer_id": 5}}},
            {"data": {"object": {"id": "4242424242424242", "customer_id": "cus_1"}}},
        ],
    )  # fmt: skip
    def test_what_conekta_never_sends_is_refused(self, changes: dict[str, Any]) -> None:
        with pytest.raises(InvalidPayload):
            parse(event(**changes))

    @pytest.mark.parametrize("name", HOSTILE_BODIES)
    def test_hostile_bodies(self, name: str) -> None:
        with pytest.raises(InvalidPayload):
            events.parse(HOSTILE_BODIES[name])
