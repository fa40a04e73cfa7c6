"""Settling one or many snapshots: projecting, fetching what is undecided, finding parents."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, cast

from django.db import IntegrityError, transaction

from billing.cards import mask_value
from billing.conf import conf
from billing.enums import ChangeCause, EventKind
from billing.errors import BillingError, LeaseLost, ProviderError, UnsupportedOperation
from billing.models import (
    Customer,
    Dispute,
    Invoice,
    Payment,
    PaymentMethod,
    Price,
    ProviderPrice,
    Refund,
    Subscription,
    WebhookEvent,
)
from billing.payloads import clean
from billing.providers.types import (
    CustomerData,
    DisputeData,
    InvoiceData,
    ObjectData,
    PaymentData,
    PaymentMethodData,
    PlanData,
    Ref,
    RefundData,
    SubscriptionData,
)
from billing.registry import providers
from billing.services.sync import links
from billing.services.sync.kinds import KINDS, NOBODY, Kind
from billing.services.sync.projection import NO_ROW, Projected, Snapshot, Verdict, project

logger = logging.getLogger(__name__)
MAX_FETCHES = 5


def upsert_customer(
    provider: str, data: CustomerData, *, cause: ChangeCause = ChangeCause.API
) -> Customer:
    """Bring our row to what the provider answered; return the row as it is stored now."""
    return cast(Customer, _upsert(EventKind.CUSTOMER, provider, data, cause))


def upsert_payment_method(
    provider: str, data: PaymentMethodData, *, cause: ChangeCause = ChangeCause.API
) -> PaymentMethod:
    """Bring our row to what the provider answered; return the row as it is stored now."""
    return cast(PaymentMethod, _upsert(EventKind.PAYMENT_METHOD, provider, data, cause))


def upsert_subscription(
    provider: str, data: SubscriptionData, *, cause: ChangeCause = ChangeCause.API
) -> Subscription:
    """Bring our row to what the provider answered; return the row as it is stored now."""
    return cast(Subscription, _upsert(EventKind.SUBSCRIPTION, provider, data, cause))


def upsert_invoice(
    provider: str, data: InvoiceData, *, cause: ChangeCause = ChangeCause.API
) -> Invoice:
    """Bring our row to what the provider answered; return the row as it is stored now."""
    return cast(Invoice, _upsert(EventKind.INVOICE, provider, data, cause))


def upsert_payment(
    provider: str, data: PaymentData, *, cause: ChangeCause = ChangeCause.API
) -> Payment:
    """Bring our row to what the provider answered; return the row as it is stored now."""
    return cast(Payment, _upsert(EventKind.PAYMENT, provider, data, cause))


def upsert_refund(
    provider: str, data: RefundData, *, cause: ChangeCause = ChangeCause.API
) -> Refund:
    """Bring our row to what the provider answered; return the row as it is stored now."""
    return cast(Refund, _upsert(EventKind.REFUND, provider, data, cause))


def upsert_dispute(
    provider: str, data: DisputeData, *, cause: ChangeCause = ChangeCause.API
) -> Dispute:
    """Bring our row to what the provider answered; return the row as it is stored now."""
    return cast(Dispute, _upsert(EventKind.DISPUTE, provider, data, cause))


def upsert_provider_price(provider: str, price: Price, data: PlanData) -> ProviderPrice:
    """Record that `price` is sold at `provider` as `data`, and map subscriptions that waited."""
    mode = conf.mode(provider)
    with transaction.atomic():
        row, _ = ProviderPrice.objects.update_or_create(
            price=price,
            provider=provider,
            mode=mode,
            defaults={
                "provider_price_id": data.id,
                "provider_product_id": data.product_id,
                "is_active": data.is_active,
                "provider_version": data.as_of,
                "provider_data": mask_value(clean(data.raw)),
            },
        )
        links.map_price(row)
    return row


def fetch(kind: Kind, provider: str, ref: Ref) -> ObjectData:
    """Ask the provider for one object; raises UnsupportedOperation where it cannot be read."""
    reader = providers.get(provider, kind.reader)
    return cast(ObjectData, getattr(reader, kind.read_method)(ref))


def seen_seq(kind: Kind, provider: str, remote_id: str) -> int:
    """Return the row's write counter, to compare after a fetch; -1 when there is no row."""
    found = (
        kind.model._default_manager.filter(
            **{kind.id_field: remote_id}, provider=provider, mode=conf.mode(provider)
        )
        .values_list("sync_seq", flat=True)
        .first()
    )
    return NO_ROW if found is None else found


def settle(
    kind: Kind,
    provider: str,
    ref: Ref,
    *,
    stamp: datetime,
    cause: ChangeCause,
    events: Sequence[WebhookEvent] = (),
    record: Callable[[Projected], None] = lambda result: None,
    read: Callable[[], ObjectData] | None = None,
) -> Projected:
    """Fetch one object and apply it by compare-and-set; `record` runs in the same transaction.

    A row that was written meanwhile is fetched again. `read` replaces the provider's own method.
    Raises what the provider raises, and LeaseLost when the row keeps moving.
    """
    mode = conf.mode(provider)
    for tries_left in reversed(range(MAX_FETCHES)):
        seq = seen_seq(kind, provider, ref.id)
        data = read() if read else fetch(kind, provider, ref)
        snapshot = Snapshot(
            data=data,
            stamp=stamp,
            cause=cause,
            events=events,
            is_fetched=True,
            seen_seq=seq,
        )
        try:
            with transaction.atomic():
                (result,) = project(kind, provider, mode, [snapshot])
                record(result)
        except IntegrityError:
            # A concurrent insert of the same object: look and fetch again.
            if not tries_left:
                raise
            continue
        if result.verdict != Verdict.MOVED:
            return result
    raise LeaseLost(f"{kind.name} {ref.id} is written faster than it can be read")


def settle_with_parents(
    kind: Kind,
    provider: str,
    ref: Ref,
    *,
    stamp: datetime,
    cause: ChangeCause = ChangeCause.SYNC,
    before: Callable[[], None] = lambda: None,
) -> Projected:
    """Fetch one object and apply it; where its parent is unknown too, that one first.

    `before` is called ahead of each fetch and may raise. What is read is at least as new as
    `stamp`. Raises as `settle` does.
    """
    before()
    result = settle(kind, provider, ref, stamp=stamp, cause=cause)
    name, parent_id = result.parent
    if result.verdict != Verdict.ORPHANED or parent_id in (ref.id, NOBODY):
        return result
    parent = Ref(id=parent_id, customer_id=ref.customer_id)
    settle_with_parents(KINDS[name], provider, parent, stamp=stamp, cause=cause, before=before)
    return settle(kind, provider, ref, stamp=stamp, cause=cause)


def _upsert(name: EventKind, provider: str, data: Any, cause: ChangeCause) -> Any:
    kind = KINDS[name]
    mode = conf.mode(provider)
    snapshot = Snapshot(data=data, stamp=data.as_of, cause=cause)
    result = _project_once_more(kind, provider, mode, snapshot)
    if result.verdict in (Verdict.UNDECIDED, Verdict.SUPERSEDED):
        _ask_again(kind, provider, data, cause, result.verdict)
    if result.row is None:
        raise BillingError(f"{name} {data.id} belongs to nobody at {provider} whom we know")
    return kind.model._default_manager.get(pk=result.row.pk)


def _ask_again(kind: Kind, provider: str, data: Any, cause: ChangeCause, verdict: Verdict) -> None:
    """An answer's stamp is a lower bound, so that "earlier" is not proven: ask once.

    The call that was answered has succeeded, whatever becomes of this one: an error here leaves
    the row to the webhook that was as new, and never turns the success into a failure.
    """
    ref = Ref(id=data.id, customer_id=getattr(data, "customer_id", None) or data.id)
    try:
        settle(kind, provider, ref, stamp=data.as_of, cause=cause)
    except UnsupportedOperation:
        if verdict == Verdict.UNDECIDED:
            settle(kind, provider, ref, stamp=data.as_of, cause=cause, read=lambda: data)
    except (ProviderError, LeaseLost):
        extra = {"provider": provider, "kind": kind.name, "remote_id": data.id}
        logger.warning("answer.not_confirmed", extra=extra, exc_info=True)


def _project_once_more(kind: Kind, provider: str, mode: str, snapshot: Snapshot) -> Projected:
    """A webhook may insert the row between our look and our insert; the second look finds it."""
    try:
        return _project_one(kind, provider, mode, snapshot)
    except IntegrityError:
        return _project_one(kind, provider, mode, snapshot)


def _project_one(kind: Kind, provider: str, mode: str, snapshot: Snapshot) -> Projected:
    with transaction.atomic():
        (result,) = project(kind, provider, mode, [snapshot])
        return result
