"""Ending a subscription with its paid period where the provider can only end it at once.

The row keeps the plan: `cancel_at_period_end` and `cancel_at`, which no snapshot of such a provider
touches. A task carries it out shortly before the period's end, before the provider renews. Undoing
it needs no call.
"""

import logging
from datetime import datetime

from django.db import transaction
from django.db.models import Min

from billing import clock, lifecycle
from billing.conf import conf
from billing.enums import ChangeCause, ChangeOutcome, OperationOutcome
from billing.errors import BillingError, InvalidTransition, RequestInProgress
from billing.models import Operation, StateChange, Subscription
from billing.models.subscriptions import SubscriptionQuerySet
from billing.providers.base import ManagesSubscriptions
from billing.registry import providers
from billing.services import operations, sync

logger = logging.getLogger(__name__)
VERB = "subscription.cancel"
STEP = "planned_end"
BATCH_SIZE = 50
RETRY_SECONDS = 5
PLANNED, UNDONE = "end_planned", "end_undone"


def plan(subscription: Subscription) -> None:
    """Let `subscription` end with its period; does nothing where that is planned already.

    Raises InvalidTransition where its state does not allow it or its period is not known.
    """
    with transaction.atomic():
        row = _locked(subscription)
        lifecycle.ensure(row.status, "cancel_at_period_end")
        if row.cancel_at_period_end:
            return
        if row.current_period_end is None:
            raise InvalidTransition("the end of its period is not known yet")
        _write(row, row.current_period_end, PLANNED)


def undo(subscription: Subscription) -> None:
    """Let `subscription` go on; does nothing where no end is planned.

    Raises InvalidTransition once it has ended, RequestInProgress while it is being ended.
    """
    with transaction.atomic():
        row = _locked(subscription)
        lifecycle.ensure(row.status, "resume")
        if not row.cancel_at_period_end:
            return
        if _open_operation(row):
            raise RequestInProgress("it is being ended right now", retry_after=RETRY_SECONDS)
        _write(row, None, UNDONE)


def next_due(*, after: datetime) -> datetime | None:
    """When the next planned end after `after` is to be carried out, in billing time; or None."""
    later = _planned().filter(cancel_at__gt=after + conf.planned_end_margin)
    first = later.aggregate(first=Min("cancel_at"))["first"]
    return first - conf.planned_end_margin if first else None


def carry_out() -> int:
    """End what is due; return how many ended. What fails is tried again by the next run."""
    due = _planned().filter(cancel_at__lte=clock.now() + conf.planned_end_margin)
    ended = 0
    for row in due.select_related("customer").order_by("cancel_at", "pk")[:BATCH_SIZE]:
        try:
            ended += _carry_out(row)
        except BillingError as exc:
            extra = {"subscription": str(row.pk), "provider": row.provider, "code": exc.code}
            logger.warning("planned_end.postponed", extra=extra)
    for row in missed()[:BATCH_SIZE]:
        extra = {"subscription": str(row.pk), "provider": row.provider}
        logger.error("planned_end.missed", extra=extra)
    return ended


def missed() -> SubscriptionQuerySet:
    """Subscriptions that live on after their planned end: the provider may have renewed them."""
    return _planned().filter(cancel_at__lte=clock.now()).order_by("cancel_at", "pk")


def _planned() -> SubscriptionQuerySet:
    ours = [alias for alias in providers.aliases() if providers.ends_only_at_once(alias)]
    return (
        Subscription.objects.in_mode()
        .live()
        .filter(provider__in=ours, cancel_at_period_end=True, cancel_at__isnull=False)
    )


def _carry_out(row: Subscription) -> bool:
    operation = _begin(row)
    if operation is None:
        return False
    if not operation.was_reserved_now:
        settled = operations.repeatable(operation)
        return settled is not None and settled.is_done
    provider = providers.get(row.provider, ManagesSubscriptions)
    with operations.recording(operation):
        data = provider.cancel_subscription(
            row.ref, at_period_end=False, idempotency_key=operation.key
        )
        sync.upsert_subscription(row.provider, data)
        operation.remote_id = data.id
    return True


def _begin(row: Subscription) -> Operation | None:
    """Commit the intent under the row's lock, where `undo` looks for it; None if it was undone."""
    with transaction.atomic():
        locked = _locked(row)
        if lifecycle.is_terminal(locked.status) or locked.cancel_at != row.cancel_at:
            return None
        return _open_operation(locked) or operations.reserve(
            VERB,
            locked,
            organization=locked.organization,
            provider=locked.provider,
            request_key=f"{STEP}:{locked.pk}",
            step=STEP,
        )


def _open_operation(row: Subscription) -> Operation | None:
    return Operation.objects.filter(
        subject_id=row.pk,
        verb=VERB,
        step=STEP,
        outcome__in=[OperationOutcome.PENDING, OperationOutcome.UNKNOWN],
    ).first()


def _locked(subscription: Subscription) -> Subscription:
    rows = Subscription.objects.select_related("organization")
    return rows.select_for_update(of=("self",)).get(pk=subscription.pk)


def _write(row: Subscription, cancel_at: datetime | None, code: str) -> None:
    row.cancel_at_period_end = cancel_at is not None
    row.cancel_at = cancel_at
    row.save(update_fields=["cancel_at_period_end", "cancel_at", "updated_at"])
    StateChange.objects.create(
        organization_id=row.organization_id,
        object_type="subscription",
        object_id=row.pk,
        provider=row.provider,
        cause=ChangeCause.API,
        outcome=ChangeOutcome.APPLIED,
        code=code,
        from_state=row.status,
        to_state=row.status,
        occurred_at=clock.now(),
    )
