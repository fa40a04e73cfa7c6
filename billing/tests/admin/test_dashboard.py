"""The index shows each member of staff what is wrong with what they may see."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model
from django.test import RequestFactory

from billing.admin.dashboard import LIMIT, Card, dashboard_callback


class TestDashboardCallback:
    def test_counts_for_a_superuser(self, rows: Callable[[int], Any], admin_user: Any) -> None:
        rows(1)
        titles = {card.title: card.text for card in self._cards(admin_user)}
        assert titles["Events dead"] == "1"
        assert titles["Subscriptions past due"] == "0"
        assert titles["Calls unsettled"] == "1"

    def test_shows_nothing_without_permission(self, db: Any) -> None:
        assert self._cards(get_user_model().objects.create_user("nobody", is_staff=True)) == []

    def _cards(self, user: Any) -> list[Card]:
        request = RequestFactory().get("/admin/")
        request.user = user
        cards: list[Card] = dashboard_callback(request, {})["cards"]
        return cards


class TestCard:
    def test_says_when_the_count_stopped(self) -> None:
        assert Card(title="x", count=LIMIT + 1, url="").text == "1,000+"
