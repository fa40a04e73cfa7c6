"""The drain: claim a batch, fold the events of each object, apply them set-wise, mark them.

Constant statements per kind and batch. An object that fails is found by bisection, so that the
others in its batch are not held up. No network call inside a transaction.
"""

import logging
import math
import time
import traceback
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, InterfaceError, OperationalError, models, transaction
from django.utils import timezone

from billing.conf import conf
from billing.enums import ChangeCause, EventKind, WebhookState
from billing.errors import (
    LeaseLost,
    OutcomeUnknown,
    ProviderError,
    ProviderObjectMissing,
    ProviderUnavailable,
    RateLimited,
    UnsupportedOperation,
)
from billing.models import WebhookEvent
from billing.models.webhooks import DUE_STATES
from billing.providers.types import ObjectData, Ref
from billing.services import sync
from billing.services.leases import back_off, claim, look_again, mark
from billing.services.sync import KINDS, Projected, Verdict
from billing.services.webhooks import trace
from billing.services.webhooks.folds import (
    Fold,
    count_unforgettable,
    map_event,
    proven_snapshot,
)

logger = logging.getLogger(__name__)
# Columns that the drain writes but never reads: parsing times is what loading an event costs most.
_UNREAD = (
    "created_at", "updated_at", "next_attempt_at", "claimed_until", "claim_id", "processed_at",
    "error_message",
)  # fmt: skip
_NOT_NOW = (ProviderUnavailable, RateLimited, OutcomeUnknown)
# The parent is not to be had by asking, now or a moment later: it may still come by itself.
_NOT_THERE = (ProviderObjectMissing, UnsupportedOperation, LeaseLost)
# The database went away or chose us in a deadlock: nobody's event is to blame.
_DATABASE_TROUBLE = (OperationalError, InterfaceError)


def due_events() -> models.QuerySet[WebhookEvent]:
    """Events that still want work, of providers and modes that are configured."""
    return WebhookEvent.objects.filter(state__in=DUE_STATES).defer(*_UNREAD)


def drain() -> tuple[int, bool]:
    """Work until nothing is due for twice the nudge window, or the time is up.

    Returns how many events were worked on, and whether there may be more.
    """
    worked = 0
    ends_at = time.monotonic() + conf.drain_seconds
    while time.monotonic() < ends_at:
        count = drain_batch(ends_at)
        if not count:
            # A nudge that was suppressed within the window belongs to an event stored since.
            time.sleep(2 * conf.nudge_window.total_seconds())
            count = drain_batch(ends_at)
        if not count:
            return worked, False
        worked += count
    return worked, True


def drain_batch(ends_at: float = math.inf) -> int:
    """Claim and settle one batch; return its size. No call to a provider starts after `ends_at`."""
    claim_id, events = claim(due_events(), limit=conf.drain_batch_size)
    if events:
        trace.claimed(claim_id, events)
        try:
            _Batch(claim_id, ends_at).run(events)
        except LeaseLost:
            logger.warning("webhook.lease_lost", extra={"claim": str(claim_id)})
            _give_back(claim_id, events)
        except Exception:
            _give_back(claim_id, events)
            raise
    return len(events)


def _give_back(claim_id: uuid.UUID, events: Sequence[WebhookEvent]) -> None:
    """Free what this worker still holds, so that nobody waits for the lease to run out."""
    try:
        WebhookEvent.objects.filter(
            pk__in=[event.pk for event in events], claim_id=claim_id
        ).update(claimed_until=None, claim_id=None)
    except _DATABASE_TROUBLE:
        logger.warning("webhook.lease_kept", extra={"claim": str(claim_id)})


class _Batch:
    """One claimed batch on its way through the kinds, parents first."""

    def __init__(self, claim_id: uuid.UUID, ends_at: float) -> None:
        self.claim_id = claim_id
        self.ends_at = ends_at
        # What became of fetching each unknown parent: the error, or None when it is here.
        self.parents: dict[tuple[EventKind, str], Exception | None] = {}

    def run(self, events: Sequence[WebhookEvent]) -> None:
        folds = self._fold(events)
        for name in KINDS:
            by_provider: dict[str, list[Fold]] = defaultdict(list)
            for fold in folds:
                if fold.kind.name == name:
                    by_provider[fold.provider].append(fold)
            for provider, group in by_provider.items():
                self._apply_group(provider, group)

    def _fold(self, events: Sequence[WebhookEvent]) -> list[Fold]:
        folds: dict[tuple[str, str, str], Fold] = {}
        for event in sorted(events, key=lambda item: (item.occurred_at, item.received_at)):
            kind = KINDS.get(event.kind)
            if kind is None or event.mode != conf.mode(event.provider):
                self._ignore(event, "no handler for this kind, provider or mode")
                continue
            key = (event.provider, event.kind, event.object_id)
            fold = folds.setdefault(
                key, Fold(kind=kind, provider=event.provider, object_id=event.object_id)
            )
            fold.events.append(event)
        return list(folds.values())

    def _apply_group(self, provider: str, folds: list[Fold]) -> None:
        ready, to_fetch = self._read(folds)
        leftover = self._apply(provider, ready)
        orphans = [item for item in leftover if item[1].verdict == Verdict.ORPHANED]
        to_fetch += [fold for fold, result in leftover if result.verdict != Verdict.ORPHANED]
        for fold in to_fetch:
            orphan = self._fetch_and_apply(fold)
            if orphan:
                orphans.append((fold, orphan))
        self._adopt(provider, orphans)

    def _read(self, folds: list[Fold]) -> tuple[list[Fold], list[Fold]]:
        """Map payloads; return the folds that can be applied, and those that need a fetch."""
        ready: list[Fold] = []
        to_fetch: list[Fold] = []
        for fold in folds:
            try:
                fold.snapshot = proven_snapshot(fold)
            except Exception:  # noqa: BLE001 - whatever one payload does, the others go on
                self._fail(fold.events, traceback.format_exc())
                continue
            self._apply_first(fold)
            (ready if fold.snapshot else to_fetch).append(fold)
        return ready, to_fetch

    def _apply_first(self, fold: Fold) -> None:
        """Write older events on their own where one write per object would forget what they say.

        A fold must end as its events one by one would: an end that the newest contradicts is kept
        and recorded as drift, and so is the last word that we know before one that we do not.
        """
        count = count_unforgettable(fold)
        if count:
            older = replace(fold, events=fold.events[:count], snapshot=None)
            fold.events = fold.events[count:]
            if fold.snapshot:
                fold.snapshot = replace(fold.snapshot, events=fold.events)
            self._apply_group(fold.provider, [older])

    def _apply(
        self, provider: str, folds: list[Fold], *, is_retry: bool = False
    ) -> list[tuple[Fold, Projected]]:
        """Project and mark in one transaction; bisect on an error. Returns what stays unsettled."""
        if not folds:
            return []
        try:
            with transaction.atomic():
                snapshots = [fold.snapshot for fold in folds if fold.snapshot]
                results = sync.project(folds[0].kind, provider, conf.mode(provider), snapshots)
                pairs = list(zip(folds, results, strict=True))
                self._mark_settled(pairs)
            return [(fold, result) for fold, result in pairs if not result.is_settled]
        except (LeaseLost, *_DATABASE_TROUBLE):
            raise
        except Exception as exc:  # noqa: BLE001 - bisected until only the guilty object carries it
            if len(folds) == 1:
                if isinstance(exc, IntegrityError) and not is_retry:
                    # Another worker inserted the same object; the second look finds its row.
                    return self._apply(provider, folds, is_retry=True)
                self._fail(folds[0].events, traceback.format_exc())
                return []
            middle = len(folds) // 2
            return self._apply(provider, folds[:middle]) + self._apply(provider, folds[middle:])

    def _fetch_and_apply(self, fold: Fold) -> Projected | None:
        """Ask the provider once and apply its answer; return the result when it has no parent."""
        last = fold.events[-1]
        if last.waits and not _is_known(fold.provider, last.parent_id or last.object_id):
            self._wait(fold.events, last.outcome)
            return None
        try:
            result = sync.settle(
                fold.kind,
                fold.provider,
                fold.ref,
                stamp=last.occurred_at,
                cause=ChangeCause.WEBHOOK,
                events=fold.events,
                record=lambda result: self._mark_settled([(fold, result)]),
                read=lambda: self._ask(fold),
            )
        except ProviderObjectMissing:
            self._wait(fold.events, f"{fold.kind.name} {fold.object_id} is not at the provider")
        except _NOT_NOW as exc:
            self._postpone(fold.events, exc)
        except (LeaseLost, *_DATABASE_TROUBLE):
            raise
        except Exception:  # noqa: BLE001 - recorded on the event
            self._fail(fold.events, traceback.format_exc())
        else:
            return None if result.is_settled else result
        return None

    def _ask(self, fold: Fold) -> ObjectData:
        """Read the object; where nothing can be asked, the last payload is the best there is."""
        self._ensure_time()
        try:
            with trace.on_behalf_of(fold.events):
                return sync.fetch(fold.kind, fold.provider, fold.ref)
        except UnsupportedOperation:
            data = map_event(fold.events[-1])
            if data is None:
                raise
            return data

    def _ensure_time(self) -> None:
        """Keep slow providers from holding the batch beyond its lease and the task's limit."""
        if time.monotonic() > self.ends_at:
            raise ProviderUnavailable("no time left in this drain", retry_after=1)

    def _adopt(self, provider: str, orphans: list[tuple[Fold, Projected]]) -> None:
        """Fetch each unknown parent once, then look again; who is still an orphan waits."""
        for fold, result in orphans:
            if not fold.events[-1].waits:
                self._fetch_parent(provider, result)
        unsettled = self._apply(provider, [fold for fold, _ in orphans if fold.snapshot])
        to_fetch = [fold for fold, _ in orphans if not fold.snapshot]
        to_fetch += [fold for fold, result in unsettled if result.verdict != Verdict.ORPHANED]
        for fold, result in unsettled:
            if result.verdict == Verdict.ORPHANED:
                self._set_aside(fold, result)
        for fold in to_fetch:
            late = self._fetch_and_apply(fold)
            if late:
                self._set_aside(fold, late)

    def _fetch_parent(self, provider: str, result: Projected) -> None:
        name, parent_id = result.parent
        own = result.snapshot.data.id
        if result.parent in self.parents or parent_id in (own, sync.NOBODY):
            return
        customer_id = getattr(result.snapshot.data, "customer_id", None) or parent_id
        error: Exception | None = None
        try:
            ref = Ref(id=parent_id, customer_id=customer_id)
            with trace.on_behalf_of(result.snapshot.events):
                sync.settle_with_parents(
                    KINDS[name],
                    provider,
                    ref,
                    stamp=result.snapshot.stamp,
                    before=self._ensure_time,
                )
        except _DATABASE_TROUBLE:
            raise
        except Exception as exc:  # noqa: BLE001 - decides what becomes of the children
            error = exc
            extra = {"provider": provider, "kind": name}
            logger.info("webhook.parent_not_fetched", extra=extra, exc_info=True)
        self.parents[result.parent] = error

    def _set_aside(self, fold: Fold, result: Projected) -> None:
        """What stays an orphan waits for its parent, unless the parent could not be asked for."""
        error = self.parents.get(result.parent)
        if isinstance(error, _NOT_NOW):
            self._postpone(fold.events, error)
        elif error is None or isinstance(error, _NOT_THERE):
            self._wait_for_parent(fold, result)
        else:
            self._fail(fold.events, "".join(traceback.format_exception(error)))

    def _mark_settled(self, pairs: Sequence[tuple[Fold, Projected]]) -> None:
        """Write `processed` in the transaction of the effect, one statement per outcome."""
        by_outcome: dict[str, list[WebhookEvent]] = defaultdict(list)
        for fold, result in pairs:
            if result.is_settled:
                by_outcome["superseded"] += fold.events[:-1]
                by_outcome[result.verdict.value] += fold.events[-1:]
        for outcome, events in by_outcome.items():
            self._mark(
                events,
                state=WebhookState.PROCESSED,
                processed_at=timezone.now(),
                outcome=outcome,
                error_message="",
            )

    def _wait_for_parent(self, fold: Fold, result: Projected) -> None:
        name, parent_id = result.parent
        self._wait(fold.events, f"{name} {parent_id} is not known yet", parent_id=parent_id)
        if _is_known(fold.provider, parent_id):
            # The parent was committed between our look and our mark.
            WebhookEvent.objects.filter(
                pk__in=[event.pk for event in fold.events], state=WebhookState.WAITING
            ).update(next_attempt_at=timezone.now())

    def _wait(self, events: Sequence[WebhookEvent], because: str, **changes: Any) -> None:
        """Put aside until the parent comes; ignored when it does not come in days."""
        limit = timezone.now() - conf.waiting_limit
        for event in events:
            if event.received_at < limit:
                self._ignore(event, f"gave up: {because}")
                continue
            self._mark(
                [event],
                state=WebhookState.WAITING,
                waits=event.waits + 1,
                next_attempt_at=look_again(event.waits + 1),
                outcome=because[:200],
                **changes,
            )

    def _postpone(self, events: Sequence[WebhookEvent], error: ProviderError) -> None:
        """The provider is away: not the event's fault, so not counted as a try."""
        delay = timedelta(seconds=error.retry_after or 15)
        self._mark(events, next_attempt_at=timezone.now() + delay, error_message=str(error))

    def _fail(self, events: Sequence[WebhookEvent], error: str) -> None:
        for event in events:
            attempts = event.attempts + 1
            is_dead = attempts >= conf.max_attempts
            level = logging.ERROR if is_dead else logging.WARNING
            logger.log(level, "webhook.failed", extra={"event_id": str(event.pk), "try": attempts})
            self._mark(
                [event],
                state=WebhookState.DEAD if is_dead else WebhookState.FAILED,
                attempts=attempts,
                next_attempt_at=back_off(attempts),
                error_message=error,
            )

    def _ignore(self, event: WebhookEvent, because: str) -> None:
        self._mark(
            [event],
            state=WebhookState.IGNORED,
            processed_at=timezone.now(),
            outcome=because[:200],
        )

    def _mark(self, events: Sequence[WebhookEvent], **changes: Any) -> None:
        mark(WebhookEvent, self.claim_id, list(events), **changes)
        trace.marked(events, changes)


def _is_known(provider: str, remote_id: str) -> bool:
    """Whether any row of ours mirrors `remote_id`."""
    mode = conf.mode(provider)
    return any(
        kind.model._default_manager.filter(
            **{kind.id_field: remote_id}, provider=provider, mode=mode
        ).exists()
        for kind in KINDS.values()
    )
