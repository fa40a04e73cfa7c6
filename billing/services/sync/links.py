"""What follows a projection once it is committed: late links, woken events, signals.

It runs after the commit on both sides, so of two concurrent transactions the later one sees both
rows; inside the transaction neither might.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.utils import timezone

from billing.enums import EventKind, WebhookState
from billing.models import (
    Invoice,
    Payment,
    PaymentMethod,
    ProviderPrice,
    StateChange,
    Subscription,
    WebhookEvent,
)
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
    _link_payment_methods(kind, written)
    _link_payments(kind, provider, mode, written)
    _link_prices(kind, provider, mode, written)
    wake([result.snapshot.data.id for result in written if result.is_new], provider, mode)
    _signal(written, changes)


def wake(parent_ids: Sequence[str], provider: str, mode: str) -> None:
    """Make events due that waited for these remote objects."""
    if not parent_ids:
        return
    waiting = WebhookEvent.objects.filter(
        provider=provider, mode=mode, parent_id__in=parent_ids, state=WebhookState.WAITING
    )
    # Whoever holds one of them right now looks for the parent again before letting go.
    if _update(waiting, skip_locked=True, next_attempt_at=timezone.now()):
        enqueue("billing.drain_webhook_events")


def _update(rows: QuerySet[Any], *, skip_locked: bool = False, **changes: Any) -> int:
    """Update `rows` with their locks taken in key order: so do all writers, hence no deadlock."""
    keys = list(rows.values_list("pk", flat=True))
    if not keys:
        return 0
    with transaction.atomic():
        held = (
            rows.filter(pk__in=keys)
            .select_for_update(skip_locked=skip_locked, no_key=True)
            .order_by("pk")
            .values_list("pk", flat=True)
        )
        updated: int = rows.model._default_manager.filter(pk__in=list(held)).update(**changes)
        return updated


def _link_payment_methods(kind: "Kind", results: Sequence["Projected"]) -> None:
    ids = _unlinked_method_ids(kind, results)
    if not ids:
        return
    # A method that is new was missing everywhere; one that came meanwhile only in these rows.
    is_new = kind.name == EventKind.PAYMENT_METHOD
    for model in (Subscription, Invoice, Payment) if is_new else (kind.model,):
        _fill(model, ids)


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
        unlinked = Payment.objects.filter(
            Exists(invoices),
            provider=provider,
            mode=mode,
            provider_payment_id__in=ids,
            invoice=None,
        )
        _update(unlinked, invoice=Subquery(invoices.values("pk")[:1]))


def _fill(model: Any, ids: Sequence[str]) -> None:
    found = PaymentMethod.objects.filter(
        provider=OuterRef("provider"),
        mode=OuterRef("mode"),
        provider_payment_method_id=OuterRef("provider_payment_method_id"),
    )
    unlinked = model.objects.filter(
        Exists(found), provider_payment_method_id__in=ids, payment_method=None
    )
    _update(unlinked, payment_method=Subquery(found.values("pk")[:1]))


def _link_prices(kind: "Kind", provider: str, mode: str, results: Sequence["Projected"]) -> None:
    """A price that was published while its subscription was being written."""
    if kind.name != EventKind.SUBSCRIPTION:
        return
    ids = {result.row.provider_price_id for result in results if result.row.price_id is None}
    published = ProviderPrice.objects.select_related("price").filter(
        provider=provider, mode=mode, provider_price_id__in=ids - {""}
    )
    for row in published if ids else ():
        map_price(row)


def map_price(published: ProviderPrice) -> None:
    """Fill plan and price of the subscriptions that waited for `published`."""
    unmapped = Subscription.objects.filter(
        provider=published.provider,
        mode=published.mode,
        provider_price_id=published.provider_price_id,
        price=None,
    )
    _update(
        unmapped,
        price=published.price,
        plan=published.price.plan_id,
        billing_interval=published.price.interval,
    )


def _signal(results: Sequence["Projected"], changes: Sequence[StateChange]) -> None:
    if not state_changed.has_listeners():
        return
    rows = {result.row.pk: result.row for result in results}
    for change in changes:
        if change.from_state != change.to_state:
            row = rows[change.object_id]
            state_changed.send_robust(sender=type(row), row=row, change=change)
