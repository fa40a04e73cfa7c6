"""Ids that no provider gives: refused, or told apart and stored."""

import itertools
import json
from typing import Any

import pytest

from billing.models import WebhookEvent
from billing.services import webhooks
from billing.tests.attacks.conftest import each_backend, post
from billing.tests.integration.hostile import Door

pytestmark = pytest.mark.django_db
drained = pytest.mark.django_db(transaction=True)  # no provider is asked within a transaction
TAKEN = {
    "255 characters": "x" * 255,
    "255 characters of four bytes": "\U0001f4b8" * 255,
    "not ASCII": "evt_\u00e9\u4e2d\u0661",
    "a blank": " ",
    "blanks around": " evt_1 ",
    "quotes": "'\"; DROP TABLE billing_webhookevent; --",
    "percent": "%s%(x)s%",
    "braces": "{0}{{7*7}}${x}",
    "a path": "../../etc/passwd",
    "HTML": "<script>alert(1)</script>",
    "a line break": "evt\r\nX: y",
    "written backwards": "\u202eevt",
    "digits": "12345",
    "capitals": "EVT_1",
    "small letters": "evt_1",
    "composed": "\u00e9",
    "decomposed": "e\u0301",
}
REFUSED: dict[str, Any] = {
    "empty": "",
    "256 characters": "x" * 256,
    "a million characters": "x" * 1_000_000,
    "NUL": "evt_\x00",
    "only NUL": "\x00",
    "a surrogate": "evt_\ud800",
    "a card number": "4242424242424242",
    "a number": 7,
    "zero": 0,
    "a large number": 10**30,
    "a float": 1.5,
    "true": True,
    "false": False,
    "null": None,
    "a list": ["evt_1"],
    "an object": {"id": "evt_1"},
}
VALUES = [*TAKEN.values(), *REFUSED.values()]


def event_with(door: Door, event_id: Any, object_id: Any = "cus_target") -> bytes:
    event = door.event("1") | {"id": event_id}
    event["data"]["object"]["id"] = object_id
    return json.dumps(event).encode()


@each_backend
def test_each_id_is_another_event(door: Door) -> None:
    for name, event_id in TAKEN.items():
        body = event_with(door, event_id)
        assert post(door, body).json() == {"status": "accepted"}, name
        assert post(door, body).json() == {"status": "already_received"}, name
    stored = WebhookEvent.objects.values_list("provider_event_id", flat=True)
    assert sorted(stored) == sorted(TAKEN.values())


@drained
@each_backend
def test_ids_of_objects_settle(door: Door) -> None:
    """Those of the object itself, and those that it names: refused, or taken without an error."""
    for number, object_id in enumerate(TAKEN.values()):
        assert post(door, event_with(door, f"evt_{number}", object_id)).status_code == 200
    named = itertools.product(("customer", "subscription", "invoice"), VALUES)
    answers = [post(door, naming(door, number, *each)) for number, each in enumerate(named)]
    assert {answer.status_code for answer in answers} == {200, 400}
    webhooks.drain()
    for event in WebhookEvent.objects.all():
        assert event.state in ("processed", "ignored", "waiting"), event.error_message[-2000:]
        assert event.outcome


def naming(door: Door, number: int, name: str, value: Any) -> bytes:
    """An invoice that names `value` as its customer or the like."""
    event = door.event(f"naming{number}") | {"type": "invoice.created"}
    told = {"object": "invoice", "id": f"in_{number}", "customer": "cus_1", name: value}
    return json.dumps(event | {"data": {"object": told}}).encode()


@each_backend
def test_no_id_of_an_event_or_an_object(door: Door, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        for name, given in REFUSED.items():
            for body in (event_with(door, given), event_with(door, "evt_1", given)):
                assert post(door, body).status_code == 400, name
        for path in (("id",), ("data",), ("data", "object"), ("data", "object", "id")):
            event: Any = door.event("1")
            inner = event
            for key in path[:-1]:
                inner = inner[key]
            del inner[path[-1]]
            assert post(door, json.dumps(event).encode()).status_code == 400, path


@drained
def test_the_same_id_at_every_provider_is_an_event_each(doors: dict[str, Door]) -> None:
    for door in doors.values():
        for expected in ("accepted", "already_received"):
            body = event_with(door, "evt_shared", "cus_shared")
            assert post(door, body).json() == {"status": expected}
    rows = WebhookEvent.objects.filter(provider_event_id="evt_shared")
    assert sorted(rows.values_list("provider", flat=True)) == sorted(doors)
    webhooks.drain()
    assert rows.exclude(state="pending").count() == len(doors)
