"""What is wrong, before anything else. Counts are capped: none reads a big table."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from billing.admin.base import capped_count
from billing.enums import OperationOutcome, SubscriptionStatus, WebhookState
from billing.models import Operation, Subscription, WebhookEvent

LIMIT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A number with the list behind it; `is_bad` when anything but zero needs a person."""

    title: str
    count: int
    url: str
    is_bad: bool = False

    @property
    def text(self) -> str:
        return f"{LIMIT:,}+" if self.count > LIMIT else str(self.count)

    @property
    def is_alarming(self) -> bool:
        return self.is_bad and self.count > 0


def dashboard_callback(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """UNFOLD["DASHBOARD_CALLBACK"]: the numbers that this member of staff may see."""
    cards: list[Card] = []
    if request.user.has_perms(["billing.view_webhookevent"]):
        cards += event_cards()
    if request.user.has_perms(["billing.view_subscription"]):
        cards += subscription_cards()
    if request.user.has_perms(["billing.view_operation"]):
        cards.append(_unsettled_card())
    context["cards"] = cards
    return context


def event_cards() -> list[Card]:
    """Events per state that is not final, worst first."""
    states = (
        (WebhookState.DEAD, True),
        (WebhookState.FAILED, True),
        (WebhookState.WAITING, False),
        (WebhookState.PENDING, False),
    )
    return [
        _card(
            f"Events {state.value}",
            WebhookEvent.objects.filter(state=state.value),
            f"state__exact={state.value}",
            is_bad=is_bad,
        )
        for state, is_bad in states
    ]


def subscription_cards() -> list[Card]:
    """Subscriptions whose payment failed."""
    statuses = (SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID)
    return [
        _card(
            f"Subscriptions {status.value.replace('_', ' ')}",
            Subscription.objects.filter(status=status.value),
            f"status__exact={status.value}",
            is_bad=True,
        )
        for status in statuses
    ]


def _unsettled_card() -> Card:
    unsettled = [OperationOutcome.PENDING.value, OperationOutcome.UNKNOWN.value]
    return _card(
        "Calls unsettled",
        Operation.objects.filter(outcome__in=unsettled),
        "outcome_is=unsettled",
        is_bad=False,
    )


def _card(title: str, queryset: QuerySet[Any], query: str, *, is_bad: bool) -> Card:
    meta = queryset.model._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    return Card(
        title=title, count=capped_count(queryset, LIMIT), url=f"{url}?{query}", is_bad=is_bad
    )
