"""What staff can do to rows, in bulk and one by one. Each calls a service."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from billing.admin.panels import Panel
from billing.errors import BillingError
from billing.models import SubscriptionPlan, WebhookEvent
from billing.services import plans, webhooks

M = TypeVar("M", bound=Model)
REPLAY_LIMIT = 1_000


@admin.action(description="Publish to providers", permissions=["change"])
def publish_plans(
    model_admin: "admin.ModelAdmin[SubscriptionPlan]",
    request: HttpRequest,
    queryset: QuerySet[SubscriptionPlan],
) -> None:
    """Queue one message per price and provider of each selected plan."""
    selected = list(queryset)
    count = sum(plans.push(plan) for plan in selected)
    messages.success(request, f"Queued {count} publications of {len(selected)} plans.")


@admin.action(description="Replay", permissions=["replay"])
def replay_events(
    model_admin: "admin.ModelAdmin[WebhookEvent]",
    request: HttpRequest,
    queryset: QuerySet[WebhookEvent],
) -> None:
    """Make the selected events due again; what was applied already does no harm twice."""
    events = list(queryset.order_by("received_at", "id")[:REPLAY_LIMIT])
    count = sum(replay(request, event) for event in events)
    if count:
        messages.success(request, f"{count} events are due again.")


def replay(request: HttpRequest, event: WebhookEvent) -> bool:
    """Make one event due again; tell staff why when its provider is gone or cannot read it."""
    try:
        webhooks.retry(event)
    except BillingError as exc:
        messages.error(request, f"{event}: {exc}")
        return False
    return True


def confirm(
    model_admin: "admin.ModelAdmin[M]",
    request: HttpRequest,
    object_id: str,
    question: str,
    verb: str,
    act: Callable[[HttpRequest, M], HttpResponse | None],
    panels: Callable[[M], list[Panel]] | None = None,
) -> HttpResponse:
    """A page that asks; its POST calls `act` and goes where that says, else back to the object.

    A view of its own, because the change form runs inside a transaction. `panels` are what to read
    before answering; the POST brings `seen_at`, when the object shown had last been changed.
    """
    obj = model_admin.get_object(request, object_id)
    if obj is None:
        raise Http404
    if not model_admin.has_view_permission(request, obj):
        raise PermissionDenied
    meta = model_admin.opts
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[obj.pk])
    if request.method == "POST":
        return act(request, obj) or redirect(url)
    context: dict[str, Any] = {
        **model_admin.admin_site.each_context(request),
        "opts": meta,
        "original": obj,
        "title": f"{verb}: {obj}",
        "question": question,
        "panels": panels(obj) if panels else [],
        "seen_at": getattr(obj, "updated_at", None),
        "verb": verb,
        "back": url,
    }
    return TemplateResponse(request, "admin/billing/confirm.html", context)
