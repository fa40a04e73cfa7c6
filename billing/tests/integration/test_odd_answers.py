"""Stripe says something new: what we know stays, what it says is recorded, nothing else is lost."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from billing.models import (
    Customer,
    Dispute,
    Invoice,
    Payment,
    PaymentMethod,
    Refund,
    StateChange,
    Subscription,
    WebhookEvent,
)
from billing.models.base import ProviderOwned
from billing.tests.integration.life_rows import prepare
from billing.tests.integration.stripe_api import StripeApi
from billing.tests.integration.stripe_door import deliver, stripe_at_the_door
from billing.tests.stripe_life import StripeLife

pytestmark = pytest.mark.django_db(transaction=True)
WRITTEN = {"updated_at", "provider_data", "provider_version", "sync_seq"}
UPDATED = {
    "customer": "customer.updated",
    "payment_method": "payment_method.updated",
    "subscription": "customer.subscription.updated",
    "invoice": "invoice.updated",
    "payment_intent": "payment_intent.processing",
    "refund": "refund.updated",
    "dispute": "charge.dispute.updated",
}
WITH_STATUS = ("subscription", "invoice", "payment_intent", "refund", "dispute")
ROWS: dict[str, type[ProviderOwned]] = {
    "customer": Customer,
    "payment_method": PaymentMethod,
    "subscription": Subscription,
    "invoice": Invoice,
    "payment_intent": Payment,
    "refund": Refund,
    "dispute": Dispute,
}
# What our rows are told by, and no more: everything else may be gone from an object.
NEEDED = {
    "customer": "id object email name invoice_settings metadata",
    "payment_method": "id object customer type card billing_details",
    "subscription": """id object customer status items default_payment_method canceled_at
        cancel_at_period_end latest_invoice""",
    "invoice": """id object customer status currency subtotal total amount_due amount_paid
        amount_remaining number parent lines status_transitions hosted_invoice_url invoice_pdf
        total_taxes total_discount_amounts""",
    "payment_intent": "id object customer status amount currency payment_method",
    "refund": "id object payment_intent status amount currency",
    "dispute": "id object payment_intent status amount currency reason evidence_details",
}


@pytest.fixture
def api(settings: Any) -> Iterator[StripeApi]:
    with stripe_at_the_door(settings) as found:
        yield found


@pytest.fixture
def life(api: StripeApi) -> StripeLife:
    life = StripeLife(customer_reference=prepare(1)[0])
    for step in (life.sign_up, life.subscribe, life.pay, life.refund_part, life.dispute):
        step()
    api.tell([life])
    deliver(*(event.body for event in life.events))
    return life


def columns(kind: str) -> dict[str, Any]:
    row = ROWS[kind]._default_manager.get()
    found = {each.attname: getattr(row, each.attname) for each in row._meta.concrete_fields}
    return {name: value for name, value in found.items() if name not in WRITTEN}


def current(life: StripeLife, kind: str) -> dict[str, Any]:
    found = next(each for (name, _), each in life.objects.items() if name == kind)
    return copy.deepcopy(found)


def tell(life: StripeLife, kind: str, source: dict[str, Any]) -> WebhookEvent:
    """Deliver an event of a day later that holds `source`; return its row."""
    life.now = life.now.replace(day=life.now.day + 1)
    event = life.event(UPDATED[kind], source)
    deliver(event.body)
    return WebhookEvent.objects.get(provider_event_id=event.id)


@pytest.mark.parametrize("kind", WITH_STATUS)
def test_a_status_that_nobody_knows(life: StripeLife, kind: str) -> None:
    before = columns(kind)
    event = tell(life, kind, current(life, kind) | {"status": "hibernating"})
    assert (event.state, event.error_message) == ("processed", "")
    assert columns(kind) == before | {"provider_status": "hibernating"}
    change = StateChange.objects.get(event_id=event.pk)
    assert (change.cause, change.code, change.outcome) == ("drift", "unknown_status", "applied")
    assert change.detail == {"provider_status": "hibernating"}
    assert change.from_state == change.to_state == before["status"]


@pytest.mark.parametrize("kind", WITH_STATUS)
def test_a_word_that_we_know_again(life: StripeLife, kind: str) -> None:
    before = columns(kind)
    tell(life, kind, current(life, kind) | {"status": "hibernating"})
    event = tell(life, kind, current(life, kind))
    assert event.state == "processed"
    assert columns(kind) == before


def test_a_payment_method_of_a_new_type(life: StripeLife) -> None:
    before = columns("payment_method")
    source = current(life, "payment_method") | {"type": "moon_debit"}
    source["moon_debit"] = source.pop("card")
    assert tell(life, "payment_method", source).state == "processed"
    assert columns("payment_method") == before | {"type": "moon_debit"}


@pytest.mark.parametrize("kind", UPDATED)
def test_only_what_our_rows_are_told_by(life: StripeLife, kind: str) -> None:
    before = columns(kind)
    source = current(life, kind)
    bare = {name: source[name] for name in NEEDED[kind].split()}
    assert len(bare) < len(source)
    event = tell(life, kind, bare)
    assert (event.state, event.outcome) == ("processed", "unchanged")
    assert columns(kind) == before


@pytest.mark.parametrize("kind", UPDATED)
def test_new_fields_of_every_type(life: StripeLife, kind: str) -> None:
    before = columns(kind)
    new = {"new_text": "x", "new_list": [1], "new_object": {"a": {}}, "new_flag": True, "n": None}
    assert tell(life, kind, current(life, kind) | new).state == "processed"
    assert columns(kind) == before


def test_an_object_without_what_it_must_have_is_read(life: StripeLife) -> None:
    """An invoice without its total maps to nothing, so it is fetched."""
    before = columns("invoice")
    source = current(life, "invoice")
    del source["total"]
    assert tell(life, "invoice", source).state == "processed"
    assert columns("invoice") == before


def test_what_cannot_be_read_either_fails_alone(life: StripeLife, api: StripeApi) -> None:
    """It stays due, with the reason; what came with it is settled."""
    invoice = current(life, "invoice")
    del life.objects["invoice", life.invoice_id]["total"]
    del invoice["total"]
    api.tell([life])
    life.now = life.now.replace(day=life.now.day + 1)
    method = current(life, "payment_method")
    method["card"]["exp_year"] = 2031
    events = [
        life.event(UPDATED["invoice"], invoice),
        life.event(UPDATED["payment_method"], method),
    ]
    deliver(*(event.body for event in events))
    failed, settled = (WebhookEvent.objects.get(provider_event_id=each.id) for each in events)
    assert (failed.state, settled.state) == ("failed", "processed")
    assert "has no total" in failed.error_message
    assert failed.next_attempt_at is not None
    assert columns("payment_method")["exp_year"] == 2031


def test_an_event_type_that_nobody_knows(life: StripeLife) -> None:
    event = life.event("customer.subscription.hibernated", current(life, "subscription"))
    deliver(event.body)
    row = WebhookEvent.objects.get(provider_event_id=event.id)
    assert (row.state, row.outcome) == ("ignored", "unknown event type")
    assert json.loads(row.body)["id"] == event.id
