"""What follows a projection once it is committed: late links, woken events, signals.

It runs after the commit on both sides, so of two concurrent transactions the later one sees both
rows; inside the transaction neither might. Who is killed in between has left a message in the
outbox, written with the rows, by which the links are made later.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.utils import timezone

from billing.conf import conf
from billing.enums import EventKind, WebhookState
from billing.models import (
    BaseModel,
    Invoice,
    OutboxMessage,
    Payment,
    PaymentMethod,
    ProviderPrice,
    StateChange,
    Subscription,
    WebhookEvent,
)
from billing.queue import enqueue
from billing.services.sync import returned
from billing.signals import state_changed

if TYPE_CHECKING:
    from billing.services.sync.kinds import Kind
    from billing.services.sync.projection import Projected

TOPIC = "sync.link"
_MODELS: Mapping[str, tuple[type[BaseModel], ...]] = {
    EventKind.SUBSCRIPTION: (Subscription,),
    EventKind.INVOICE: (Invoice,),
    EventKind.PAYMENT: (Payment,),
}


def promise(
    kind: "Kind", provider: str, mode: str, results: Sequence["Projected"]
) -> OutboxMessage | None:
    """Write down, with the rows, which links `after_commit` has to look for; None without any."""
    written = [result for result in results if result.is_settled]
    missing = {
        "methods": _unlinked_method_ids(kind, written),
        "payments": _unlinked_payment_ids(kind, written),
        "prices": _unlinked_price_ids(kind, written),
    }
    if not any(missing.values()):
        return None
    return OutboxMessage.objects.create(
        topic=TOPIC,
        dedupe_key=f"{TOPIC}:{uuid.uuid4()}",
        payload={"kind": kind.name.value, "provider": provider, "mode": mode, **missing},
        next_attempt_at=timezone.now() + conf.lease,
    )


def after_commit(
    provider: str,
    mode: str,
    results: Sequence["Projected"],
    changes: Sequence[StateChange],
    promised: OutboxMessage | None,
) -> None:
    """Link rows that came in the wrong order, wake events that waited, tell listeners."""
    if promised:
        link(promised.payload)
        OutboxMessage.objects.filter(pk=promised.pk, claim_id=None).delete()
    written = [result for result in results if result.is_settled]
    wake([result.snapshot.data.id for result in written if result.is_new], provider, mode)
    _signal(written, changes)


def link(payload: Mapping[str, Any]) -> None:
    """Make the links that `promise` wrote down, as far as both ends are there by now."""
    provider, mode = payload["provider"], payload["mode"]
    if payload["methods"]:
        # A method that is new was missing everywhere; one that came meanwhile only in these rows.
        for model in _MODELS.get(payload["kind"], (Subscription, Invoice, Payment)):
            _fill(model, payload["methods"])
    if payload["payments"]:
        _link_payments(provider, mode, payload["payments"])
    for row in _published(provider, mode, payload["prices"]):
        map_price(row)


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


def _update(
    rows: QuerySet[Any],
    *,
    skip_locked: bool = False,
    then: Callable[[], None] = lambda: None,
    **changes: Any,
) -> int:
    """Update `rows` with their locks taken in key order: so do all writers, hence no deadlock.

    `then` runs in the same transaction, where there was something to update.
    """
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
        then()
        return updated


def _unlinked_method_ids(kind: "Kind", results: Sequence["Projected"]) -> list[str]:
    if kind.name == EventKind.PAYMENT_METHOD:
        return [result.snapshot.data.id for result in results if result.is_new]
    rows = [result.row for result in results]
    return [
        row.provider_payment_method_id
        for row in rows
        if getattr(row, "provider_payment_method_id", "") and row.payment_method_id is None
    ]


def _unlinked_payment_ids(kind: "Kind", results: Sequence["Projected"]) -> list[str]:
    """Some providers' payments do not name their invoice; the invoice names its payment."""
    if kind.name == EventKind.PAYMENT:
        return [result.snapshot.data.id for result in results if result.row.invoice_id is None]
    if kind.name == EventKind.INVOICE:
        return [result.row.payment_intent_id for result in results if result.row.payment_intent_id]
    return []


def _unlinked_price_ids(kind: "Kind", results: Sequence["Projected"]) -> list[str]:
    """A price may be published while its subscription is being written."""
    if kind.name != EventKind.SUBSCRIPTION:
        return []
    ids = {result.row.provider_price_id for result in results if result.row.price_id is None}
    return sorted(ids - {""})


def _link_payments(provider: str, mode: str, ids: Sequence[str]) -> None:
    invoices = Invoice.objects.filter(
        provider=provider, mode=mode, payment_intent_id=OuterRef("provider_payment_id")
    )
    unlinked = Payment.objects.filter(
        Exists(invoices),
        provider=provider,
        mode=mode,
        provider_payment_id__in=ids,
        invoice=None,
    )
    gone = Payment.objects.filter(
        returned.SOMETHING_IS_GONE, provider=provider, mode=mode, provider_payment_id__in=ids
    )

    def sum_up() -> None:
        found = gone.exclude(invoice=None).values_list("invoice_id", flat=True)
        returned.sum_up_invoices(set(found))

    _update(unlinked, then=sum_up, invoice=Subquery(invoices.values("pk")[:1]))


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


def _published(provider: str, mode: str, price_ids: Sequence[str]) -> Iterable[ProviderPrice]:
    if not price_ids:
        return ()
    return ProviderPrice.objects.select_related("price").filter(
        provider=provider, mode=mode, provider_price_id__in=price_ids
    )


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
