"""Whatever stands in one field of Stripe's objects costs us what we read from it, and no more.

Generated from Stripe's published shapes: each field is taken away, nulled, given a word that nobody
knows and values of wrong types, one after the other. What is mapped may then differ in one field of
ours, or in those that READINGS says hang together.
"""

import importlib
import inspect
import json
import pkgutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from billing.providers import stripe
from billing.providers.stripe import (
    checkouts,
    endpoints,
    mapping,
    meters,
    previews,
    returned,
    setup,
)
from billing.providers.stripe.events import API_VERSION
from billing.providers.stripe.mapping import REFERENCE_KEY
from billing.providers.values import Incomplete
from billing.tests.providers.json_places import GONE, places, where_of, with_value
from billing.tests.providers.stripe.published_shapes import enum_words, require_spec, whole_object

AS_OF = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
FIXTURES = Path(__file__).parent / "fixtures"
_FILE = Path(__file__).parents[2] / "fixtures" / "stripe" / "published.json"
PUBLISHED: dict[str, Any] = json.loads(_FILE.read_text())["resources"]
ODD: tuple[Any, ...] = (
    GONE, None, "a_new_word", 5, -5, 1.5, True, [], {}, ["a"], {"id": 5}
)  # fmt: skip
ALWAYS = {"status": ("status", "provider_status")}
AMOUNTS = frozenset({"amount", "currency"})


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How objects of a kind are read.

    `cases`: values by dotted path that make an example worth looking at. `older`: a fixture of an
    older version. `required`: what no object of the kind is without, beside its id. `together`:
    dotted path -> the fields of ours that hang on it, where it is more than one; a status always
    has the provider's word beside ours. `either`: of these, one must be there. `never`: fields of
    ours that this kind never tells.
    """

    map: Callable[..., Any]
    schema: str
    cases: tuple[Mapping[str, Any], ...] = ({},)
    expanded: tuple[str, ...] = ()
    older: str = ""
    required: frozenset[str] = frozenset()
    either: frozenset[str] = frozenset()
    has_id: bool = True
    together: Mapping[str, str] = field(default_factory=dict)
    never: frozenset[str] = frozenset()

    @property
    def needed(self) -> frozenset[str]:
        return self.required | ({"id"} if self.has_id else set())


_BILLED = {"lines.data.0.parent.type": "subscription_item_details"}
_PAID_BY = "payments.data.0.payment.payment_intent"
READINGS = {
    "customer": Reading(
        map=mapping.customer,
        schema="customer",
        cases=({}, {"deleted": True}),
        older="older_customer",
    ),
    "payment_method": Reading(
        map=mapping.payment_method,
        schema="payment_method",
        cases=tuple({"type": each} for each in ("card", "us_bank_account", "sepa_debit", "link")),
        together={
            "customer": "customer_id is_active",
            "type": "type last4 brand exp_month exp_year",
        },
    ),
    "subscription": Reading(
        map=mapping.subscription,
        schema="subscription",
        cases=({"status": "canceled"}, {"status": "incomplete"}, {"status": "trialing"}),
        expanded=("latest_invoice", "pending_setup_intent"),
        older="older_subscription",
        together={
            "status": "end_reason incomplete_reason next_action",
            "latest_invoice.confirmation_secret.client_secret": "incomplete_reason next_action",
        },
    ),
    "invoice": Reading(
        map=mapping.invoice,
        schema="invoice",
        cases=({"status": "open", **_BILLED}, {"status": "paid", **_BILLED}),
        expanded=("payments.data.payment.payment_intent",),
        older="older_invoice",
        required=frozenset({"currency", "amount_due", "subtotal", "total", "lines.data.0.amount"}),
        together={
            "status": "payment_state",
            "amount_paid": "amount_paid_minor amount_due_minor",
        },
    ),
    "preview": Reading(
        map=previews.preview,
        schema="invoice",
        cases=(_BILLED,),
        has_id=False,
        required=frozenset({"currency", "amount_due", "subtotal", "total", "lines.data.0.amount"}),
        together={"period_end": "billed_at due_now_minor"},
    ),
    "payment_intent": Reading(
        map=mapping.payment,
        schema="payment_intent",
        cases=(
            {"status": "succeeded"},
            {"status": "requires_payment_method"},
            *(
                {"status": "requires_action", "next_action.type": each}
                for each in ("redirect_to_url", "oxxo_display_details", "use_stripe_sdk")
            ),
        ),
        expanded=("latest_charge",),
        older="older_payment_intent",
        required=AMOUNTS,
        together={
            "status": "paid_at decline_code next_action",
            "last_payment_error": "status decline_code",
            "last_payment_error.type": "status decline_code",
            "next_action.type": "next_action",
            "next_action.redirect_to_url.url": "next_action",
        },
    ),
    "charge": Reading(
        map=mapping.payment,
        schema="charge",
        cases=({"status": "succeeded"}, {"status": "failed"}),
        required=AMOUNTS,
        together={
            "status": "paid_at decline_code",
            "object": "status paid_at decline_code",
        },
        never=frozenset({"invoice_id", "next_action"}),
    ),
    "price": Reading(
        map=mapping.plan,
        schema="price",
        cases=({"recurring.interval": "month", "recurring.interval_count": 1},),
        expanded=("product",),
        required=frozenset({"unit_amount", "currency"}),
    ),
    "refund": Reading(
        map=returned.refund,
        schema="refund",
        cases=({"status": "succeeded", "reason": "duplicate"},),
        required=AMOUNTS,
        either=frozenset({"payment_intent", "charge"}),
        never=frozenset({"keeps_reference"}),
    ),
    "dispute": Reading(
        map=returned.dispute,
        schema="dispute",
        cases=({"status": "lost"},),
        required=AMOUNTS,
        either=frozenset({"payment_intent", "charge"}),
    ),
    "checkout": Reading(
        map=checkouts.checkout_data,
        schema="checkout.session",
        cases=({"mode": "payment", "status": "complete", "payment_status": "paid"},),
        together={"status": "is_paid", "currency": "currency total_minor"},
    ),
    "portal_session": Reading(
        map=checkouts.portal_data,
        schema="billing_portal.session",
        required=frozenset({"url"}),
        never=frozenset({"expires_at"}),
    ),
    "meter": Reading(map=meters.meter_data, schema="billing.meter", cases=({"status": "active"},)),
    "endpoint": Reading(
        map=endpoints.endpoint_data,
        schema="webhook_endpoint",
        cases=({"status": "enabled", "api_version": API_VERSION},),
        together={"api_version": "api_version is_pinned"},
    ),
    "setup_session": Reading(
        map=setup.setup_session,
        schema="setup_intent",
        cases=(
            {"status": "requires_action", "next_action.type": "redirect_to_url"},
            {"status": "requires_action", "next_action.type": "use_stripe_sdk"},
            {"status": "requires_payment_method"},
        ),
        expanded=("mandate",),
        together={
            "status": "next_action decline_code",
            "client_secret": "client_secret next_action",
            "last_setup_error": "status decline_code",
            "last_setup_error.type": "status decline_code",
            "next_action.type": "next_action",
            "next_action.redirect_to_url.url": "next_action",
        },
    ),
}


def whole_examples(reading: Reading) -> Iterator[dict[str, Any]]:
    for case in reading.cases:
        source = whole_object(reading.schema, reading.expanded)
        source |= {"currency": "usd", "metadata": {REFERENCE_KEY: "row-1"}}
        for path, value in case.items():
            source = with_value(source, where_of(path), value)
        yield source


def older_examples(reading: Reading) -> Iterator[dict[str, Any]]:
    if reading.older:
        yield json.loads((FIXTURES / f"{reading.older}.json").read_text())


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Data as dotted names of its leaves, but for `raw`."""
    if is_dataclass(value):
        parts = {each.name: getattr(value, each.name) for each in fields(value)}
        parts.pop("raw", None)
    elif isinstance(value, Mapping):
        parts = dict(value)
    elif isinstance(value, tuple):
        parts = {str(index): each for index, each in enumerate(value)}
    else:
        return {name: value}
    found: dict[str, Any] = {}
    for key, each in parts.items():
        found |= flat(each, f"{name}.{key}" if name else key)
    return found


@dataclass(frozen=True)
class Look:
    """Dotted path -> the fields of ours that an odd value there changes; and what raised."""

    touched: dict[str, set[str]]
    raising: set[str]

    def own(self, path: str) -> set[str]:
        """What hangs on the path itself and on nothing in it."""
        inside = (names for each, names in self.touched.items() if each.startswith(f"{path}."))
        return self.touched[path] - set().union(*inside)


def look(reading: Reading, source: dict[str, Any]) -> Look:
    expected = reading.map(source, as_of=AS_OF)
    found = Look(defaultdict(set), set())
    for where in places(source):
        path = ".".join(map(str, where))
        for value in ODD:
            try:
                data = reading.map(with_value(source, where, value), as_of=AS_OF)
            except Incomplete:
                found.raising.add(path)
            else:
                found.touched[path] |= differences(expected, data)
    return found


def differences(one: Any, other: Any) -> set[str]:
    names = [each.name for each in fields(one) if each.name != "raw"]
    if all(getattr(one, name) == getattr(other, name) for name in names):
        return set()
    ours, theirs = flat(one), flat(other)
    names = [*ours, *theirs]
    return {each for each in names if ours.get(each, GONE) != theirs.get(each, GONE)}


def check(reading: Reading, sources: Iterable[dict[str, Any]]) -> set[str]:
    """Look at each source; return the fields of ours that were seen to hang on something."""
    seen = set()
    for source in sources:
        found = look(reading, source)
        needed = reading.needed | reading.either
        around = {path for path in found.raising if any(f"{path}." in each for each in needed)}
        assert found.raising - around <= needed
        for path in found.touched:
            names = found.own(path)
            together = [*reading.together.get(path, "").split(), *ALWAYS.get(path, ())]
            loose = {each for each in names if not any(is_part(each, name) for name in together)}
            assert len(loose) <= 1, f"{path} costs {sorted(names)}"
            seen |= {each.split(".")[0] for each in names}
        seen |= {_FIELD_OF.get(each, each) for each in found.raising}
    return seen


_FIELD_OF = {"amount": "amount_minor"}


def is_part(name: str, whole: str) -> bool:
    return name == whole or name.startswith(f"{whole}.")


@pytest.mark.parametrize("kind", READINGS)
def test_published_and_older_examples(kind: str) -> None:
    reading = READINGS[kind]
    found: dict[str, Any] = PUBLISHED[reading.schema]
    check(reading, [found, *older_examples(reading)])


@pytest.mark.parametrize("kind", READINGS)
def test_whole_objects_and_every_field_of_ours(kind: str) -> None:
    require_spec()
    reading = READINGS[kind]
    sources = [*whole_examples(reading), *older_examples(reading)]
    seen = check(reading, sources)
    ours = {each.name for each in fields(reading.map(sources[0], as_of=AS_OF))}
    assert ours - seen == {"as_of", "raw"} | reading.never


@pytest.mark.parametrize("kind", READINGS)
def test_nothing_is_mapped_without_what_every_object_has(kind: str) -> None:
    require_spec()
    reading = READINGS[kind]
    source = next(whole_examples(reading))
    for path in reading.needed:
        for value in (GONE, None, "a new word", [], True):
            if path in ("id", "url") and value == "a new word":
                continue
            with pytest.raises(Incomplete):
                reading.map(with_value(source, where_of(path), value), as_of=AS_OF)


class TestPaymentMethodTypes:
    def mapped(self, kind: str, renamed: str = "") -> Any:
        source = whole_object("payment_method")
        types = enum_words("payment_method", "type")
        details = source[kind]
        for each in types:
            source.pop(each, None)
        name = renamed or kind
        return details, mapping.payment_method(source | {"type": name, name: details}, as_of=AS_OF)

    def test_each_that_is_published(self) -> None:
        require_spec()
        types = enum_words("payment_method", "type")
        assert len(types) > 50
        for kind in types:
            details, data = self.mapped(kind)
            expected = "bank_account" if kind == "us_bank_account" else kind
            assert (data.type, data.last4) == (expected, details.get("last4", ""))
            assert data.is_active

    @pytest.mark.parametrize("kind", ["card", "us_bank_account", "sepa_debit"])
    def test_a_type_that_nobody_knows_keeps_its_details(self, kind: str) -> None:
        require_spec()
        details, data = self.mapped(kind, renamed="moon_debit")
        assert (data.type, data.last4) == ("moon_debit", details["last4"])


def test_every_mapper_is_looked_at() -> None:
    """A mapper takes an object and its time: `def refund(source, *, as_of)`."""
    found = set()
    for each in pkgutil.iter_modules(stripe.__path__):
        module = importlib.import_module(f"{stripe.__name__}.{each.name}")
        functions = inspect.getmembers(module, inspect.isfunction)
        found |= {function for name, function in functions if is_mapper(module, name, function)}
    missing = {each.__qualname__ for each in found - {reading.map for reading in READINGS.values()}}
    assert not missing, f"READINGS needs a line for each of {missing}: map=..., schema=..."


def is_mapper(module: ModuleType, name: str, function: Callable[..., Any]) -> bool:
    is_own = function.__module__ == module.__name__ and not name.startswith("_")
    return is_own and list(inspect.signature(function).parameters) == ["source", "as_of"]
