"""One life, told by endpoints of four API versions, ends in the same rows, column by column."""

import re
from collections.abc import Hashable, Iterator
from typing import Any

import pytest

from billing.models import (
    Customer,
    Dispute,
    Invoice,
    Payment,
    PaymentMethod,
    Refund,
    Subscription,
    WebhookEvent,
)
from billing.models.base import ProviderOwned
from billing.tests.integration.life_rows import prepare
from billing.tests.integration.stripe_api import StripeApi
from billing.tests.integration.stripe_door import deliver, stripe_at_the_door
from billing.tests.stripe_life import STEPS, StripeLife
from billing.tests.stripe_versions import OLDER, PINNED

pytestmark = pytest.mark.django_db(transaction=True)
MODELS: tuple[type[ProviderOwned], ...] = (Customer, PaymentMethod, Subscription, Invoice, Payment)
GONE_BACK: tuple[type[ProviderOwned], ...] = (Refund, Dispute)
# When a row was written, and from what: these differ by the life and by its version.
APART = {"created_at", "updated_at", "deleted_at", "provider_data", "provider_version", "sync_seq"}


@pytest.fixture
def api(settings: Any) -> Iterator[StripeApi]:
    with stripe_at_the_door(settings) as found:
        yield found


def rows(customer_id: str) -> dict[str, list[dict[str, Any]]]:
    """All columns of a life's rows but those APART; links as the remote ids that they lead to."""
    owner = Customer.objects.get(pk=customer_id)
    keys = {owner.pk: "customer", owner.organization_id: "organization"}
    listed: dict[str, list[ProviderOwned]] = {"Customer": [owner]}
    for model in MODELS[1:]:
        found = model._default_manager.filter(customer=owner).order_by("created_at")
        listed[model.__name__] = list(found)
    for model in GONE_BACK:
        found = model._default_manager.filter(payment__customer=owner).order_by("created_at")
        listed[model.__name__] = list(found)
    for name, each in listed.items():
        keys |= {row.pk: f"{name} {number}" for number, row in enumerate(each)}
    return {name: [_columns(row, keys) for row in each] for name, each in listed.items()}


def _columns(row: ProviderOwned, keys: dict[Any, str]) -> dict[str, Any]:
    found = {each.attname: getattr(row, each.attname) for each in row._meta.concrete_fields}
    return {
        name: re.sub(r"(?i)life\d+", "life", str(keys.get(value, value)))
        if isinstance(value, Hashable)
        else value
        for name, value in found.items()
        if name not in APART
    }


def untold(
    ours: dict[str, list[dict[str, Any]]], theirs: dict[str, list[dict[str, Any]]]
) -> set[str]:
    """Where our row is silent and theirs is not; any other difference fails."""
    found = set()
    for name, each in ours.items():
        for our_row, their_row in zip(each, theirs[name], strict=True):
            for column, value in our_row.items():
                if value != their_row[column]:
                    assert value in ("", "None"), (name, column, value, their_row[column])
                    found.add(f"{name}.{column}")
    return found


@pytest.mark.parametrize("story", STEPS)
def test_every_version_ends_in_the_same_rows(api: StripeApi, story: str) -> None:
    versions = (PINNED, *OLDER)
    references = prepare(len(versions))
    lives = [
        StripeLife(customer_reference=reference, number=number, api_version=version)
        for number, (reference, version) in enumerate(zip(references, versions, strict=True), 1)
    ]
    steps = STEPS[story].split()
    for step in steps:
        told = [getattr(life, step)() for life in lives]
        api.tell(lives)
        for events in told:
            deliver(*(event.body for event in events))
    left = WebhookEvent.objects.exclude(state="processed").exclude(state="ignored")
    assert list(left.values("event_type", "state", "outcome", "error_message")) == []
    ours, *theirs = [rows(reference) for reference in references]
    assert len(ours["Invoice"]) == len(ours["Payment"]) > 0
    assert len(ours["Refund"]) == sum(step.startswith("refund") for step in steps)
    assert len(ours["Dispute"]) == steps.count("dispute")
    # Our payloads do not say whose payment an open invoice waits for; a read invoice does.
    is_open = ours["Invoice"][-1]["status"] == "open"
    links = {"Invoice.payment_intent_id", "Payment.invoice_id"} if is_open else set()
    for found in theirs:
        assert untold(ours, found) == links
