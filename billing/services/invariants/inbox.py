"""Statements about events and the ledger of their effects."""

from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import Coalesce, Lag

from billing.enums import ChangeOutcome, EventKind, WebhookState
from billing.lifecycle import (
    TERMINAL_INVOICE,
    TERMINAL_PAYMENT,
    TERMINAL_REFUND,
    TERMINAL_SUBSCRIPTION,
)
from billing.models import StateChange, WebhookEvent
from billing.services.invariants.base import statement
from billing.services.sync import KINDS
from billing.services.webhooks import REPLAYED

_SETTLED = [WebhookState.PROCESSED.value, WebhookState.IGNORED.value]
_FINAL_STATES = {
    "subscription": TERMINAL_SUBSCRIPTION,
    "invoice": TERMINAL_INVOICE,
    "payment": TERMINAL_PAYMENT,
    "refund": TERMINAL_REFUND,
}

_WITH_STATUS = (
    EventKind.SUBSCRIPTION,
    EventKind.INVOICE,
    EventKind.PAYMENT,
    EventKind.REFUND,
    EventKind.DISPUTE,
)


def _replays() -> QuerySet[StateChange]:
    return StateChange.objects.filter(
        object_type="webhookevent", object_id=OuterRef("event_id"), code=REPLAYED
    )


def _applied() -> QuerySet[StateChange]:
    return StateChange.objects.filter(outcome=ChangeOutcome.APPLIED, object_type__in=_models())


def _models() -> dict[str, Any]:
    """The mirrored models by the name that the ledger gives them."""
    return {str(kind.model._meta.model_name): kind.model for kind in KINDS.values()}


@statement("An event has a time of settlement exactly when it is processed or ignored.")
def settled_event_has_its_time() -> QuerySet[Any, Any]:
    is_settled = Q(state__in=_SETTLED)
    return WebhookEvent.objects.filter(
        (is_settled & Q(processed_at=None)) | (~is_settled & Q(processed_at__isnull=False))
    ).values_list("pk", flat=True)


@statement("A processed event has its effect in the ledger: nothing is lost.")
def processed_event_has_its_effect() -> QuerySet[Any, Any]:
    effects = StateChange.objects.filter(event_id=OuterRef("pk"))
    return WebhookEvent.objects.filter(~Exists(effects), state=WebhookState.PROCESSED).values_list(
        "pk", flat=True
    )


@statement("An event has one effect, and one more for each replay: nothing is done twice.")
def event_has_one_effect() -> QuerySet[Any, Any]:
    replays = _replays().values("object_id").annotate(total=Count("pk")).values("total")
    return (
        StateChange.objects.exclude(event_id=None)
        .values("event_id")
        .annotate(total=Count("pk"))
        .filter(total__gt=1)
        .annotate(allowed=1 + Coalesce(Subquery(replays), 0))
        .filter(total__gt=F("allowed"))
        .values_list("event_id", flat=True)
    )


@statement("An event that is not processed has had no effect, unless it was replayed.")
def open_event_has_no_effect() -> QuerySet[Any, Any]:
    open_events = WebhookEvent.objects.filter(pk=OuterRef("event_id")).exclude(
        state=WebhookState.PROCESSED
    )
    return (
        StateChange.objects.filter(Exists(open_events), ~Exists(_replays()))
        .exclude(event_id=None)
        .values_list("event_id", flat=True)
    )


@statement("An event that failed or is dead was tried and says why.")
def failed_event_says_why() -> QuerySet[Any, Any]:
    return (
        WebhookEvent.objects.filter(state__in=[WebhookState.FAILED, WebhookState.DEAD])
        .filter(Q(attempts=0) | Q(error_message=""))
        .values_list("pk", flat=True)
    )


@statement("Only a settled event may be without its body.")
def open_event_has_its_body() -> QuerySet[Any, Any]:
    return (
        WebhookEvent.objects.filter(body="")
        .exclude(state__in=_SETTLED)
        .values_list("pk", flat=True)
    )


@statement("A claim on an event has a lease, and a settled event is claimed by nobody.")
def event_claim_is_whole() -> QuerySet[Any, Any]:
    is_half = Q(claim_id=None, claimed_until__isnull=False) | Q(
        claim_id__isnull=False, claimed_until=None
    )
    is_over = Q(state__in=_SETTLED, claim_id__isnull=False)
    return WebhookEvent.objects.filter(is_half | is_over).values_list("pk", flat=True)


@statement("What the ledger tells is about a row and an event that exist.")
def ledger_names_what_exists() -> QuerySet[Any, Any]:
    events = WebhookEvent.objects.filter(pk=OuterRef("event_id"))
    is_orphan = Q(event_id__isnull=False) & Q(~Exists(events))
    for name, model in _models().items():
        rows = model._default_manager.filter(pk=OuterRef("object_id"))
        is_orphan |= Q(object_type=name) & Q(~Exists(rows))
    return StateChange.objects.filter(is_orphan).values_list("pk", flat=True)


@statement("Nothing leaves a final state: what has ended is never revived.")
def final_state_is_final() -> QuerySet[Any, Any]:
    has_left = Q()
    for name, states in _FINAL_STATES.items():
        for state in states:
            has_left |= Q(object_type=name, from_state=state) & ~Q(to_state=state)
    return _applied().filter(has_left).values_list("pk", flat=True)


@statement("Each change of an object begins in the state that the one before ended in.")
def history_is_unbroken() -> QuerySet[Any, Any]:
    before = Window(
        Lag("to_state"),
        partition_by=[F("object_type"), F("object_id")],
        order_by=[F("created_at").asc(), F("id").asc()],
    )
    return (
        _applied()
        .annotate(before=before)
        .filter(before__isnull=False)
        .exclude(before=F("from_state"))
        .values_list("pk", flat=True)
    )


def _last_told(name: str) -> Subquery:
    """The state that the ledger told last of the outer row."""
    told = _applied().filter(object_type=name, object_id=OuterRef("pk"))
    return Subquery(told.order_by("-created_at", "-id").values("to_state")[:1])


@statement("Whatever has a status is in the state that the ledger told last.")
def state_is_what_the_ledger_told() -> QuerySet[Any, Any]:
    first, *others = (
        KINDS[name]
        .model._default_manager.annotate(told=_last_told(name.value))
        .filter(told__isnull=False)
        .exclude(told=F("status"))
        .values_list("pk", flat=True)
        for name in _WITH_STATUS
    )
    return first.union(*others, all=True)


@statement("A row that a provider's answer has filled has its beginning in the ledger.")
def mirrored_row_has_a_history() -> QuerySet[Any, Any]:
    found: list[QuerySet[Any, Any]] = []
    for name, model in _models().items():
        told = _applied().filter(object_type=name, object_id=OuterRef("pk"))
        rows = model._default_manager.filter(~Exists(told), sync_seq__gt=0)
        found.append(rows.values_list("pk", flat=True))
    return found[0].union(*found[1:], all=True)
