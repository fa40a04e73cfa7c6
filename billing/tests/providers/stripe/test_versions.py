"""What an endpoint of an older API version sends is read as what ours would send.

An older payload may tell more (an invoice named its payment, a payment its invoice), never less.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.providers.stripe import StripeProvider, mapping
from billing.providers.types import InvoiceData, ObjectData, PaymentData, ProviderEvent
from billing.tests.providers.json_places import GONE, where_of, with_value
from billing.tests.stripe_life import STEPS, StripeLife, live
from billing.tests.stripe_versions import OLDER, PINNED, is_known

MORE = {InvoiceData: "payment_id", PaymentData: "invoice_id"}


@pytest.fixture
def provider() -> StripeProvider:
    return StripeProvider(alias="stripe", mode="test", options={})


def lived(story: str, version: str) -> StripeLife:
    return live([(story, version)], ["cus-row"])[0]


def read(provider: StripeProvider, life: StripeLife) -> Iterator[tuple[ProviderEvent, ObjectData]]:
    for each in life.events:
        event = provider.parse_webhook_event(each.body, {})
        assert event.kind is not None
        data = provider.map_webhook_object(event.kind, json.loads(each.body), event)
        if is_known(each.type, OLDER[0]):
            assert data is not None
            yield event, data


def told(data: ObjectData) -> dict[str, Any]:
    return {each.name: getattr(data, each.name) for each in fields(data) if each.name != "raw"}


@pytest.mark.parametrize("version", OLDER)
@pytest.mark.parametrize("story", STEPS)
def test_an_older_life_is_read_as_ours(provider: StripeProvider, story: str, version: str) -> None:
    ours = list(read(provider, lived(story, PINNED)))
    theirs = list(read(provider, lived(story, version)))
    assert len(ours) == len(theirs) > 10
    for (our_event, our_data), (event, data) in zip(ours, theirs, strict=True):
        assert our_event.is_pinned
        assert (event.is_pinned, event.api_version) == (False, version)
        names = ("kind", "object_id", "customer_id", "parent_id", "occurred_at", "mode", "type")
        for name in names:
            assert getattr(event, name) == getattr(our_event, name)
        more = MORE.get(type(data), "")
        is_silent = more and getattr(our_data, more) is None
        extra = {more: getattr(data, more)} if is_silent else {}
        assert told(data) == told(our_data) | extra


@pytest.mark.parametrize("version", OLDER)
def test_the_shapes_differ(version: str) -> None:
    """Otherwise the test above would compare ours with ours."""
    older = {each.type: each.object for each in lived("upgraded", version).events}
    invoice, intent = older["invoice.paid"], older["payment_intent.succeeded"]
    is_before_basil = version != OLDER[-1]
    item = older["customer.subscription.updated"]["items"]["data"][0]
    assert ("current_period_end" in item) != is_before_basil
    assert {"parent", "subscription"} & set(invoice) == (
        {"subscription"} if is_before_basil else {"parent", "subscription"}
    )
    assert ("invoice" in intent) == is_before_basil
    assert ("charges" in intent) == (version == OLDER[0])
    assert ("type" in invoice["lines"]["data"][0]) == is_before_basil


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def amount(value: int) -> list[dict[str, int]]:
    return [{"amount": value}]


# Object, our field, and the places that tell it, today's first: (dotted path, value, what we read).
MOVED: tuple[tuple[str, str, tuple[tuple[str, Any, Any], ...]], ...] = (
    (
        "subscription",
        "current_period_start",
        (
            ("items.data.0.current_period_start", 1_800_000_001, at(1_800_000_001)),
            ("current_period_start", 1_800_000_002, at(1_800_000_002)),
        ),
    ),
    (
        "subscription",
        "current_period_end",
        (
            ("items.data.0.current_period_end", 1_800_000_001, at(1_800_000_001)),
            ("current_period_end", 1_800_000_002, at(1_800_000_002)),
        ),
    ),
    (
        "subscription",
        "price_id",
        (
            ("items.data.0.price", {"id": "price_1"}, "price_1"),
            ("items.data.0.plan", {"id": "plan_2"}, "plan_2"),
            ("plan", {"id": "plan_3"}, "plan_3"),
        ),
    ),
    (
        "subscription",
        "quantity",
        (("items.data.0.quantity", 4, 4), ("quantity", 5, 5)),
    ),
    (
        "invoice",
        "subscription_id",
        (
            ("parent", {"subscription_details": {"subscription": "sub_1"}}, "sub_1"),
            ("subscription", "sub_2", "sub_2"),
        ),
    ),
    (
        "invoice",
        "payment_id",
        (
            ("payments", {"data": [{"payment": {"payment_intent": "pi_1"}}]}, "pi_1"),
            ("payment_intent", "pi_2", "pi_2"),
            ("charge", "ch_3", "ch_3"),
        ),
    ),
    (
        "invoice",
        "status",
        (("status", "void", "void"), ("paid", True, "paid"), ("forgiven", True, "uncollectible")),
    ),
    (
        "invoice",
        "tax_minor",
        (
            ("total_taxes", amount(1), 1),
            ("total_tax_amounts", amount(2), 2),
            ("tax", 3, 3),
        ),
    ),
    (
        "invoice",
        "lines.0.unit_rate",
        (
            ("lines.data.0.pricing", {"unit_amount_decimal": "1"}, Decimal(1)),
            ("lines.data.0.price", {"unit_amount_decimal": "2"}, Decimal(2)),
            ("lines.data.0.plan", {"amount": 3}, Decimal(3)),
        ),
    ),
    (
        "payment_intent",
        "paid_at",
        (
            ("latest_charge", {"created": 1_800_000_001}, at(1_800_000_001)),
            ("charges", {"data": [{"created": 1_800_000_002}]}, at(1_800_000_002)),
        ),
    ),
)
MAPPERS: dict[str, Callable[..., Any]] = {
    "subscription": mapping.subscription,
    "invoice": mapping.invoice,
    "payment_intent": mapping.payment,
}


@pytest.mark.parametrize(
    ("kind", "name", "places"), MOVED, ids=[f"{kind}-{name}" for kind, name, _ in MOVED]
)
def test_each_place_is_read_and_todays_first(
    kind: str, name: str, places: tuple[tuple[str, Any, Any], ...]
) -> None:
    life = lived("upgraded", PINNED)
    source: Any = next(found for (each, _), found in life.objects.items() if each == kind)
    for path, value, _ in places:
        source = with_value(source, where_of(path), value)
    for path, _, expected in places:
        data = MAPPERS[kind](source, as_of=at(1_800_000_009))
        found = data.lines[0].unit_rate if "." in name else getattr(data, name)
        assert found == expected
        source = with_value(source, where_of(path), GONE)
