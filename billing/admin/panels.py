"""How the admin shows rows of other tables, links, money and JSON."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timezone import localtime

from billing.models import Invoice, Operation, StateChange, WebhookEvent
from billing.money import Money
from billing.payloads import clean

NEWEST_CHANGES = 50
NEWEST_ROWS = 20
LABELS = {
    "active": "success",
    "applied": "success",
    "added": "success",
    "changed": "warning",
    "charged_back": "danger",
    "contradicts": "warning",
    "counts": "success",
    "dead": "danger",
    "done": "success",
    "draft": "info",
    "lost": "danger",
    "matched": "success",
    "needs_response": "danger",
    "failed": "danger",
    "incomplete": "warning",
    "open": "info",
    "paid": "success",
    "partially_refunded": "warning",
    "past_due": "warning",
    "pending": "info",
    "prevented": "success",
    "processed": "success",
    "refunded": "warning",
    "refused": "danger",
    "removed": "danger",
    "requires_action": "warning",
    "running": "info",
    "succeeded": "success",
    "trialing": "info",
    "uncollectible": "danger",
    "under_review": "warning",
    "unknown": "danger",
    "unpaid": "danger",
    "waiting": "warning",
    "warning": "warning",
    "won": "success",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A titled table with a sentence above it, or a titled text that is shown as it is."""

    title: str
    headers: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = field(default_factory=list)
    text: str = ""

    @property
    def is_shown(self) -> bool:
        """Whether it says anything: an empty table does, an empty text does not."""
        return bool(self.headers or self.text)

    @property
    def table(self) -> dict[str, object]:
        """The table as unfold's component takes it."""
        return {"headers": self.headers, "rows": self.rows}


def link(obj: Model | None, text: object = None) -> str:
    """A link to the object's admin page, or its name where it has none (a host's organization)."""
    if obj is None:
        return "-"
    url = change_url(obj._meta.app_label, obj._meta.model_name or "", obj.pk)
    label = str(obj) if text is None else text
    return link_to(url, label) if url else str(label)


def link_to(url: str, text: object) -> str:
    return format_html('<a href="{}" class="text-primary-600 hover:underline">{}</a>', url, text)


def change_url(app_label: str, model_name: str, pk: object) -> str:
    """The address of an object's page, or '' when its model is not in the admin."""
    try:
        return reverse(f"admin:{app_label}_{model_name}_change", args=[pk])
    except NoReverseMatch:
        return ""


def money(minor: int | None, currency: str) -> str:
    """'29.99 USD', on one line; '-' when there is no amount."""
    return "-" if minor is None else _unbroken(str(Money(minor, currency)))


def badge(value: str, text: str = "") -> str:
    """A state as a coloured label; `text` where it is called otherwise than by its code."""
    if not value:
        return "-"
    context = {"type": LABELS.get(value, ""), "text": text or value.replace("_", " ")}
    return render_to_string("unfold/helpers/label.html", context)


def moment(value: Any) -> str:
    """A time to the second, in the current time zone, on one line."""
    return "-" if value is None else _unbroken(date_format(localtime(value), "Y-m-d H:i:s"))


def minute(value: Any) -> str:
    """A time to the minute: what the width of a list allows."""
    return "-" if value is None else _unbroken(date_format(localtime(value), "Y-m-d H:i"))


def pretty(value: Any) -> str:
    """JSON for people. What no database column holds is replaced, so NUL reaches no browser."""
    return json.dumps(clean(value), indent=2, ensure_ascii=False, default=str)


def json_panel(title: str, value: Any) -> Panel:
    """JSON as text; a panel without any is not shown."""
    return Panel(title=title, text=pretty(value) if value else "")


def timeline(changes: Iterable[StateChange], *, title: str = "Timeline") -> Panel:
    """What happened, newest first, with the event or cause of each step."""
    rows = [
        (
            moment(change.created_at),
            _changed_object(change),
            f"{change.from_state or '-'} → {change.to_state or '-'}",
            badge(change.outcome),
            _cause(change),
            change.code or "-",
            link(change, "details"),
        )
        for change in changes
    ]
    headers = ("Recorded", "Object", "Change", "Outcome", "Cause", "Code", "")
    return Panel(title=title, headers=headers, rows=rows)


def timeline_of(obj: Model) -> Panel:
    """The newest steps of one object."""
    changes = StateChange.objects.filter(object_type=obj._meta.model_name, object_id=obj.pk)
    return timeline(changes.order_by("-created_at", "-id")[:NEWEST_CHANGES])


def operations_of(obj: Model) -> Panel:
    """The newest writes at the provider about one object."""
    found = Operation.objects.filter(subject_type=obj._meta.model_name, subject_id=obj.pk)
    rows = [
        (
            moment(operation.created_at),
            link(operation, operation.verb),
            badge(operation.outcome),
            operation.error_code or "-",
            operation.decline_code or "-",
        )
        for operation in found.order_by("-created_at", "-id")[:NEWEST_ROWS]
    ]
    headers = ("Started", "Call", "Outcome", "Error", "Decline")
    return Panel(title="Calls to the provider", headers=headers, rows=rows)


def events_about(provider: str, mode: str, remote_id: str | None) -> Panel:
    """The newest webhook events about one remote object."""
    found = WebhookEvent.objects.filter(object_id=remote_id or "", provider=provider, mode=mode)
    events = found.defer("body", "headers", "error_message") if remote_id else found.none()
    rows = [
        (
            moment(event.received_at),
            link(event, event.event_type),
            badge(event.state),
            event.provider_event_id,
        )
        for event in events.order_by("-received_at", "-id")[:NEWEST_ROWS]
    ]
    headers = ("Received", "Event", "State", "Provider's id")
    return Panel(title="Webhook events", headers=headers, rows=rows)


def invoices_table(invoices: Iterable[Invoice]) -> Panel:
    rows = [
        (
            moment(invoice.created_at),
            link(invoice),
            badge(invoice.status),
            money(invoice.total_minor, invoice.currency),
            money(invoice.amount_due_minor, invoice.currency),
            moment(invoice.paid_at),
        )
        for invoice in invoices
    ]
    headers = ("Created", "Invoice", "Status", "Total", "Due", "Paid")
    return Panel(title="Newest invoices", headers=headers, rows=rows)


def _unbroken(text: str) -> str:
    return format_html('<span class="whitespace-nowrap">{}</span>', text)


def _changed_object(change: StateChange) -> str:
    url = change_url("billing", change.object_type, change.object_id)
    text = change.object_type.replace("_", " ")
    return link_to(url, text) if url else text


def _cause(change: StateChange) -> str:
    if change.event_id is None:
        return change.cause
    url = change_url("billing", "webhookevent", change.event_id)
    return link_to(url, change.event_type or change.cause)
