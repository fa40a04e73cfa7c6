"""How far a pass has come: in the tables, so that one that was killed goes on; if dry, nowhere."""

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.conf import conf
from billing.errors import InvalidRequest, LeaseLost, RequestInProgress
from billing.models import SyncPage, SyncRun
from billing.services.resync.findings import Outcome


@dataclass(kw_only=True)
class State:
    """Where a kind is. `seen`: the remote ids that were listed."""

    number: int = 0
    cursor: str = ""
    is_listed: bool = False
    is_done: bool = False
    seen: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)


class Journal:
    """Of a dry pass: in memory."""

    def __init__(self, started_at: datetime | None = None) -> None:
        self.started_at = started_at or timezone.now()
        self._states: dict[str, State] = {}

    def state(self, kind: str) -> State:
        return self._states.setdefault(kind, State())

    def record(self, kind: str, outcome: Outcome, *, is_last: bool = False) -> State:
        """Note that a page is done; where it is the last, rows that were not listed too."""
        state = self.state(kind)
        state.number += 1
        state.cursor = outcome.next_cursor
        state.is_listed = not outcome.next_cursor
        state.is_done = is_last
        state.seen.update(outcome.remote_ids)
        state.counts.update(outcome.counts)
        return state

    def renew(self) -> None:
        """Say that the pass is at work."""

    def finish(self) -> None:
        """The pass is over."""

    def release(self) -> None:
        """Somebody else may go on."""


class StoredJournal(Journal):
    """In SyncRun and SyncPage, under a lease that every page renews.

    A page is noted after its rows are written: who is killed in between reads it once more, and
    finds it equal.
    """

    def __init__(self, run: SyncRun) -> None:
        super().__init__(run.created_at)
        self._run = run
        for page in run.pages.order_by("kind", "number"):
            super().record(page.kind, _outcome(page), is_last=page.is_last)

    def record(self, kind: str, outcome: Outcome, *, is_last: bool = False) -> State:
        state = super().record(kind, outcome, is_last=is_last)
        with transaction.atomic():
            self.renew()
            SyncPage.objects.create(
                run=self._run,
                kind=kind,
                number=state.number,
                next_cursor=outcome.next_cursor,
                is_last=is_last,
                remote_ids=outcome.remote_ids,
                counts=dict(outcome.counts),
            )
        return state

    def finish(self) -> None:
        with transaction.atomic():
            self.renew()
            counts = {kind: dict(state.counts) for kind, state in self._states.items()}
            _close(self._run, counts)

    def release(self) -> None:
        """Give the lease back, so that the next command need not wait until it runs out."""
        mine = SyncRun.objects.filter(pk=self._run.pk, claim_id=self._run.claim_id)
        mine.update(claimed_until=None, claim_id=None)

    def renew(self) -> None:
        """Prolong the lease; raise LeaseLost where another process has taken over."""
        mine = SyncRun.objects.filter(pk=self._run.pk, claim_id=self._run.claim_id)
        if not mine.update(claimed_until=timezone.now() + conf.lease):
            raise LeaseLost(f"another process goes on with the sync of {self._run.provider}")


def claim(
    provider: str, kinds: Sequence[str], since: datetime | None, *, restart: bool
) -> StoredJournal:
    """Take up the unfinished run of `provider`, or begin one; with `restart` always begin.

    Raises RequestInProgress while another process works on it, InvalidRequest where the unfinished
    run is one of other kinds or another `since`.
    """
    mode = conf.mode(provider)
    try:
        with transaction.atomic():
            run = _open_run(provider, mode, kinds, since, restart=restart)
            run.claim_id = uuid.uuid4()
            run.claimed_until = timezone.now() + conf.lease
            run.save(update_fields=["claim_id", "claimed_until", "updated_at"])
    except IntegrityError as exc:
        raise _in_progress(provider) from exc
    return StoredJournal(run)


def _open_run(
    provider: str, mode: str, kinds: Sequence[str], since: datetime | None, *, restart: bool
) -> SyncRun:
    unfinished = SyncRun.objects.select_for_update(no_key=True).filter(
        provider=provider, mode=mode, finished_at=None
    )
    run = unfinished.first()
    if run and run.claimed_until and run.claimed_until > timezone.now():
        raise _in_progress(provider, run.claimed_until)
    if run and restart:
        _close(run, {})
        run = None
    if run and (run.kinds != list(kinds) or run.since != since):
        message = f"an unfinished sync of {provider} has other kinds or another time; restart it"
        raise InvalidRequest(message, param="restart")
    return run or SyncRun.objects.create(
        provider=provider, mode=mode, kinds=list(kinds), since=since
    )


def _close(run: SyncRun, counts: dict[str, dict[str, int]]) -> None:
    run.pages.all().delete()
    SyncRun.objects.filter(pk=run.pk).update(
        finished_at=timezone.now(), counts=counts, claimed_until=None, claim_id=None
    )


def _in_progress(provider: str, until: datetime | None = None) -> RequestInProgress:
    held = f", at least until {until.isoformat(timespec='seconds')}" if until else ""
    seconds = int((until - timezone.now()).total_seconds()) + 1 if until else None
    return RequestInProgress(f"another process is syncing {provider}{held}", retry_after=seconds)


def _outcome(page: SyncPage) -> Outcome:
    return Outcome(
        next_cursor=page.next_cursor,
        remote_ids=list(page.remote_ids),
        counts=Counter(page.counts),
    )
