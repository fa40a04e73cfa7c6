"""Genuine events with fields dropped, replaced and multiplied at random, rightly signed.

Intake takes or refuses them, the drain settles what was taken, and whoever is in their batch is
settled as if alone.
"""

import copy
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.models import WebhookEvent
from billing.services import webhooks
from billing.tests.attacks.conftest import post
from billing.tests.integration.hostile import ODD, Door
from billing.tests.integration.life_rows import prepare
from billing.tests.integration.test_hostile_values import ABSURD
from billing.tests.services import sandbox_objects as objects
from billing.tests.soak import IS_LONG, long_or_short
from billing.tests.stripe_life import StripeLife

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.soak(block="attacks")]
EXAMPLES = long_or_short(120, 25)
DROP, REPEAT, WRAP = object(), object(), object()
HOSTILE: list[Any] = [
    *ODD, *ABSURD, DROP, DROP, DROP, REPEAT, WRAP, 10**400, 1e300, 253402300799, -(2**31), 0.1,
    float("inf"), "4242424242424242", "ZZZ", "usd\x00", "2026-02-30", "1e5", "\udfff", "active",
    "void", "deleted", [[[]]], {"object": "list", "data": None, "has_more": True},
]  # fmt: skip
FREELY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
CHANGES = st.lists(
    st.tuples(st.integers(0, 2**16), st.sampled_from(HOSTILE) | FREELY), min_size=1, max_size=4
)
BATCHES = st.lists(st.tuples(st.integers(0, 2**16), CHANGES), min_size=2, max_size=6)
# Their payloads prove the state by themselves: the provider here knows nobody, if asked.
BYSTANDING = frozenset(
    {"customer.subscription.updated", "subscription.updated", "invoice.paid", "payment.succeeded"}
)
_numbers = itertools.count()


def places(source: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys: Any = range(len(source)) if isinstance(source, list) else source
    for key in keys:
        yield (*path, key)
        if isinstance(source[key], dict | list):
            yield from places(source[key], (*path, key))


def mutate(event: dict[str, Any], changes: list[tuple[int, Any]]) -> dict[str, Any]:
    changed = copy.deepcopy(event)
    for where, value in changes:
        if found := list(places(changed)):
            _change(changed, found[where % len(found)], value)
    return changed


def _change(inner: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        inner = inner[key]
    key = path[-1]
    if value is DROP:
        del inner[key]
    elif value is REPEAT:
        inner[key] = [copy.deepcopy(inner[key]) for _ in range(60)]
    elif value is WRAP:
        inner[key] = {"id": inner[key], "data": [inner[key]]}
    else:
        inner[key] = copy.deepcopy(value)


def fresh(event: dict[str, Any]) -> dict[str, Any]:
    """The same event, later and under an id of its own."""
    number = next(_numbers)
    return event | {"id": f"evt_fresh{number}", "created": event["created"] + 86_400 + number}


Stories = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def stripe_stories() -> Stories:
    lives = [
        StripeLife(customer_reference=reference, number=number)
        for number, reference in enumerate(prepare(2), start=1)
    ]
    told = [[*life.sign_up(), *life.subscribe(), *life.pay(), *life.renew()] for life in lives]
    mutated, bystander = ([json.loads(event.body) for event in events] for events in told)
    return mutated, bystander


def sandbox_stories() -> Stories:
    objects.make_price(alias="conekta")
    made = []
    for token in ("001", "002"):
        objects.make_customer(token, alias="conekta")
        told = {
            "customer.updated": objects.customer(token),
            "payment_method.attached": objects.payment_method(token),
            "subscription.updated": objects.subscription(token),
            "invoice.paid": objects.paid_invoice(token),
            "payment.succeeded": objects.payment(token),
        }
        made.append(
            [
                json.loads(objects.delivery(f"evt_{token}", event_type, body)[1])
                for event_type, body in told.items()
            ]
        )
    return made[0], made[1]


@pytest.mark.parametrize(
    ("alias", "stories"), [("stripe", stripe_stories), ("conekta", sandbox_stories)]
)
def test_whatever_was_changed_settles_alone(
    doors: dict[str, Door], alias: str, stories: Callable[[], Stories]
) -> None:
    door = doors[alias]
    mutated, bystanders = stories()
    for event in [*mutated, *bystanders]:
        assert post(door, json.dumps(fresh(event)).encode()).status_code == 200
    webhooks.drain()
    tally: dict[str, int] = {}

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=not IS_LONG,
        suppress_health_check=list(HealthCheck),
    )
    @given(BATCHES)
    def run(batch: list[tuple[int, list[tuple[int, Any]]]]) -> None:
        WebhookEvent.objects.all().delete()
        innocent = [fresh(event) for event in bystanders if event["type"] in BYSTANDING]
        bodies = [
            json.dumps(mutate(fresh(mutated[which % len(mutated)]), changes)).encode()
            for which, changes in batch
        ]
        answers = [post(door, body).status_code for body in bodies]
        assert set(answers) <= {200, 400, 413}
        for event in innocent:
            assert post(door, json.dumps(event).encode()).status_code == 200
        webhooks.drain()
        for row in WebhookEvent.objects.all():
            tally[row.state] = tally.get(row.state, 0) + 1
            if row.provider_event_id in {event["id"] for event in innocent}:
                assert row.state == "processed", (row.outcome, row.error_message)
            assert row.state in ("processed", "ignored", "waiting", "failed"), row.error_message
            assert row.outcome or row.error_message
            assert row.claimed_until is None

    run()
    assert tally["processed"] > 2 * EXAMPLES, tally
