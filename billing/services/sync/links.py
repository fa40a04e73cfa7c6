"""What follows a projection once it is committed: late links, woken events, signals.

It runs after the commit on both sides, so of two concurrent transactions the later one sees both
rows; inside the transaction neither might.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db.models import OuterRef, Subquery
from django.utils import timezone

from billing.enums import EventKind, WebhookState
from billing.models import Invoice, Payment, PaymentMethod, StateChange, Subscription, WebhookEvent
from billing.queue import enqueue
from billing.signals import state_changed

if TYPE_CHECKING:
    from billing.services.sync.kinds import Kind
    from billing.services.sync.projection import Projected


def after_commit(
    kind: "Kind",
    provider: str,
    mode: str,
    results: Sequence["Projected"],
    changes: Sequence[StateChange],
) -> None:
    """Link rows that came in the wrong order, wake events that waited, tell listeners."""
    written = [result for result in results if result.is_settled]
    _link_payment_methods(kind, provider, mode, written)
    _link_payments(kind, provider, mode, written)
    wake([result.snapshot.data.id for result in written if result.is_new], provider, mode)
    _signal(written, changes)


def wake(parent_ids: Sequence[str], provider: str, mode: str) -> None:
    """Make events due that waited for these remote objects."""
    if not parent_ids:
        return
    woken = WebhookEvent.objects.filter(
        provider=provider, mode=mode, parent_id__in=parent_ids, state=WebhookState.WAITING
    ).update(next_attempt_at=timezone.now())
    if woken:
        enqueue("billing.drain_webhook_events")


def _link_payment_methods(
    kind: "Kind", provider: str, mode: str, results: Sequence["Projected"]
) -> None:
    ids = _unlinked_method_ids(kind, results)
    if not ids:
        return
    for model in (Subscription, Invoice, Payment):
        _fill(model, "payment_method", "provider_payment_method_id", PaymentMethod, ids)


def _unlinked_method_ids(kind: "Kind", results: Sequence["Projected"]) -> list[str]:
    if kind.name == EventKind.PAYMENT_METHOD:
        return [result.snapshot.data.id for result in results if result.is_new]
    rows = [result.row for result in results]
    return [
        row.provider_payment_method_id
        for row in rows
        if getattr(row, "provider_payment_method_id", "") and row.payment_method_id is None
    ]


def _link_payments(kind: "Kind", provider: str, mode: str, results: Sequence["Projected"]) -> None:
    """Some providers' payments do not name their invoice; the invoice names its payment."""
    if kind.name == EventKind.PAYMENT:
        ids = [result.snapshot.data.id for result in results if result.row.invoice_id is None]
    elif kind.name == EventKind.INVOICE:
        ids = [result.row.payment_intent_id for result in results if result.row.payment_intent_id]
    else:
        return
    invoices = Invoice.objects.filter(
        provider=provider, mode=mode, payment_intent_id=OuterRef("provider_payment_id")
    )
    if ids:
        Payment.objects.filter(
            provider=provider, mode=mode, provider_payment_id__in=ids, invoice=None
        ).filter(provider_payment_id__in=invoices.values("payment_intent_id")).update(
            invoice=Subquery(invoices.values("pk")[:1])
        )


def _fill(model: Any, link: str, id_column: str, target: Any, ids: Sequence[str]) -> None:
    found = target.objects.filter(
        provider=OuterRef("provider"),
        mode=OuterRef("mode"),
        provider_payment_method_id=OuterRef(id_column),
    )
    model.objects.filter(**{f"{id_column}__in": ids, link: None}).update(
        **{link: Subquery(found.values("pk")[:1])}
    )


def _signal(results: Sequence["Projected"], changes: Sequence[StateChange]) -> None:
    if not state_changed.has_listeners():
        return
    rows = {result.row.pk: result.row for result in results}
    for change in changes:
        if change.from_state != change.to_state:
            row = rows[change.object_id]
            state_changed.send_robust(sender=type(row), row=row, change=change)
