"""Staff see why an event failed and do it again."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from billing.models import Customer, WebhookEvent
from billing.providers.base import Simulates
from billing.registry import providers
from billing.services import customers, webhooks

LIST = "admin:billing_webhookevent_changelist"
Rows = Callable[[int], dict[type, Any]]


@pytest.fixture
def dead_event(sandbox: Any, organization_de: Any) -> WebhookEvent:
    """A genuine event that was given up."""
    customers.ensure(organization_de, "stripe")
    simulator: Any = providers.get("stripe", Simulates)
    for headers, body in simulator.pending_deliveries(take=True):
        webhooks.receive("stripe", body, headers)
    event = WebhookEvent.objects.get()
    event.state, event.attempts, event.error_message = "dead", 8, "Traceback: it broke"
    event.save()
    return event


def page_of(event: WebhookEvent, name: str = "change") -> str:
    address = reverse("admin:billing_webhookevent_change", args=[event.pk])
    return address.replace("/change/", f"/{name}/")


class TestPage:
    def test_shows_payload_headers_error_and_what_it_changed(
        self, rows: Rows, admin_client: Client
    ) -> None:
        event = rows(1)[WebhookEvent]
        page = admin_client.get(page_of(event)).content.decode()
        assert "thing.changed" in page
        assert "Traceback\n" in page
        assert "Content-Type" in page
        assert "a\ufffdb" in page
        assert "incomplete → active" in page

    def test_a_body_that_nothing_reads_is_shown_as_it_is(
        self, rows: Rows, admin_client: Client
    ) -> None:
        event = rows(1)[WebhookEvent]
        WebhookEvent.objects.update(body="{not json <b>")
        assert "{not json &lt;b&gt;" in admin_client.get(page_of(event)).content.decode()


class TestReplay:
    def test_the_button_asks_first_and_then_makes_it_due(
        self, dead_event: WebhookEvent, admin_client: Client
    ) -> None:
        assert (
            page_of(dead_event, "replay") in admin_client.get(page_of(dead_event)).content.decode()
        )
        assert admin_client.get(page_of(dead_event, "replay")).status_code == 200
        dead_event.refresh_from_db()
        assert dead_event.state == "dead"
        answer = admin_client.post(page_of(dead_event, "replay"), follow=True)
        assert "is due again" in answer.content.decode()
        dead_event.refresh_from_db()
        assert (dead_event.state, dead_event.attempts) == ("pending", 0)
        webhooks.drain()
        dead_event.refresh_from_db()
        assert dead_event.state == "processed"
        assert Customer.objects.count() == 1

    def test_in_bulk(self, dead_event: WebhookEvent, admin_client: Client) -> None:
        data = {"action": "replay_events", "_selected_action": [str(dead_event.pk)]}
        page = admin_client.post(reverse(LIST), data, follow=True).content.decode()
        assert "1 events are due again" in page
        dead_event.refresh_from_db()
        assert dead_event.state == "pending"

    def test_needs_the_change_permission(
        self, dead_event: WebhookEvent, staff_with: Callable[..., Client]
    ) -> None:
        viewer = staff_with("view_webhookevent")
        assert viewer.post(page_of(dead_event, "replay")).status_code == 403
        assert page_of(dead_event, "replay") not in viewer.get(page_of(dead_event)).content.decode()
        data = {"action": "replay_events", "_selected_action": [str(dead_event.pk)]}
        viewer.post(reverse(LIST), data)
        dead_event.refresh_from_db()
        assert dead_event.state == "dead"

    def test_an_operator_needs_nothing_else(
        self, dead_event: WebhookEvent, staff_with: Callable[..., Client]
    ) -> None:
        operator = staff_with("change_webhookevent")
        assert operator.get(page_of(dead_event)).status_code == 200
        assert operator.post(page_of(dead_event, "replay")).status_code == 302
        dead_event.refresh_from_db()
        assert dead_event.state == "pending"

    def test_says_why_when_the_provider_is_gone(
        self, rows: Rows, settings: Any, admin_client: Client
    ) -> None:
        event = rows(1)[WebhookEvent]
        settings.BILLING_PROVIDERS = {}
        page = admin_client.post(page_of(event, "replay"), follow=True).content.decode()
        assert "no provider is configured" in page
        event.refresh_from_db()
        assert event.state == "dead"

    def test_an_unknown_event_is_not_found(self, db: Any, admin_client: Client) -> None:
        address = "/admin/billing/webhookevent/00000000-0000-4000-8000-000000000000/replay/"
        assert admin_client.post(address).status_code == 404


class TestCards:
    def test_count_what_needs_a_person(self, rows: Rows, admin_client: Client) -> None:
        rows(1)
        cards = {card.title: card for card in admin_client.get(reverse(LIST)).context["cards"]}
        assert cards["Events dead"].text == "1"
        assert cards["Events dead"].is_alarming
        assert not cards["Events failed"].is_alarming
        assert admin_client.get(cards["Events dead"].url).context["cl"].result_count == 1
