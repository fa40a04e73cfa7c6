"""A Mexican organization from its first card to its end, over our API and our webhook address.

Webhooks arrive as sent, reversed, doubled, by kind, or not at all; then `billing_sync` finds out.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from billing.models import Invoice, Organization, Payment, SubscriptionPlan, WebhookEvent
from billing.services import resync, webhooks
from billing.tests.api.conftest import PREFIX, client_of
from billing.tests.conekta_account import ConektaAccount, cards, cycles
from billing.tests.conekta_account.journal import Journal
from billing.tests.conekta_account.signing import digest
from billing.tests.integration.test_conekta_writes import ORDERS

pytestmark = pytest.mark.django_db(transaction=True)
LOST = "lost"


class Buyer:
    """The organization's owner, and how news of Conekta reaches us: `order` is one of ORDERS."""

    def __init__(self, client: APIClient, journal: Journal, order: str) -> None:
        self._client = client
        self._journal = journal
        self._order = order

    def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self._client.generic(
            method,
            f"{PREFIX}{path}",
            json.dumps(body or {}),
            content_type="application/json",
        )
        assert answer.status_code == status, answer.content
        return answer.json()

    def hear(self) -> None:
        """Let what has happened at Conekta reach us."""
        events = self._journal.take()
        if self._order == LOST:
            list(resync.repair("conekta"))
            return
        for event in ORDERS[self._order](events):
            body = json.dumps(event).encode()
            headers = {"DIGEST": digest(body)}
            answer = Client().generic("POST", "/webhooks/conekta", body, headers=headers)
            assert answer.status_code == 200, answer.content
        webhooks.drain()


@pytest.fixture(params=[*ORDERS, LOST])
def buyer(
    request: Any,
    conekta_journal: Journal,
    organization_mx: Organization,
    member_of: Callable[..., Any],
) -> Buyer:
    client = client_of(member_of(organization_mx, "owner"))
    return Buyer(client, conekta_journal, request.param)


def test_from_the_first_card_to_the_end(
    conekta: ConektaAccount, conekta_plan: SubscriptionPlan, buyer: Buyer
) -> None:
    card = buyer.ask("POST", "/payment-methods", {"token": "tok_once"}, 201)
    wish = {"plan": "pro", "interval": "monthly", "currency": "MXN", "payment_method": card["id"]}
    sold = buyer.ask("POST", "/subscriptions", wish, 201)
    assert (sold["status"], sold["price"]["amount_minor"]) == ("active", 54900)
    buyer.hear()
    own = f"/subscriptions/{sold['id']}"
    (remote,) = conekta.all("subscription")

    cards.refuse(conekta, remote["card_id"])
    cycles.renew(conekta, remote["id"])
    buyer.hear()
    assert buyer.ask("GET", own)["status"] == "past_due"

    other = {"token": "tok_test_mastercard_4444", "is_default": True}
    buyer.ask("POST", "/payment-methods", other, 201)
    buyer.hear()
    assert buyer.ask("GET", own)["status"] == "active"
    assert remote["card_id"] == conekta.all("payment_source")[0]["id"]

    changed = buyer.ask("PATCH", own, {"interval": "yearly"})
    assert changed["price"]["amount_minor"] == 549000
    cycles.renew(conekta, remote["id"])
    buyer.hear()
    shown = buyer.ask("GET", "/invoices")["results"]
    assert [(each["status"], each["total"]["amount_minor"]) for each in shown] == [
        ("paid", 549000),
        ("paid", 54900),
        ("paid", 54900),
    ]

    buyer.ask("DELETE", f"{own}?at_period_end=false")
    buyer.hear()
    assert (buyer.ask("GET", own)["status"], remote["status"]) == ("canceled", "canceled")
    statuses = Payment.objects.values_list("status", flat=True)
    assert sorted(statuses) == ["failed", "succeeded", "succeeded", "succeeded"]
    assert Invoice.objects.filter(subscription=sold["id"]).count() == 3
    left = WebhookEvent.objects.exclude(state__in=["processed", "ignored"])
    assert list(left.values_list("event_type", "state")) == []
