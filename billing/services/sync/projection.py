"""The projection rule: which snapshot of a remote object may change our row, and writing it.

Newer is decided by the provider's own time. Later: apply. Earlier: superseded. On an equal stamp
only a final state, or leaving the first one, wins; what that leaves open is undecided, and the
object is fetched once and applied by compare-and-set on `sync_seq`. A row never leaves a final
state: a provider that says otherwise raises drift.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import transaction

from billing.cards import mask_value
from billing.enums import ChangeCause, ChangeOutcome, EventKind
from billing.models import StateChange, WebhookEvent, bulk
from billing.payloads import clean
from billing.providers.types import ObjectData
from billing.services.sync import links
from billing.services.sync.kinds import Kind, Relatives

NO_ROW = -1
LEFT_FINAL_STATE = "left_final_state"
_BOOKKEEPING = ("provider_data", "provider_version", "sync_seq", "updated_at")


class Verdict(StrEnum):
    """What became of a snapshot. The last three leave it unsettled: nothing was written."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    REFUSED = "refused"
    UNDECIDED = "undecided"
    MOVED = "moved"
    ORPHANED = "orphaned"


SETTLED = frozenset({Verdict.APPLIED, Verdict.UNCHANGED, Verdict.SUPERSEDED, Verdict.REFUSED})


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One object as the provider told it, and what made us hear of it.

    `stamp` is the provider's time of it. `events` are all deliveries that it answers, the newest
    last. A fetched snapshot carries the row's `sync_seq` from before the fetch (-1: no row).
    """

    data: ObjectData
    stamp: datetime
    cause: ChangeCause
    events: Sequence[WebhookEvent] = ()
    is_fetched: bool = False
    seen_seq: int = NO_ROW

    @property
    def is_masked(self) -> bool:
        """Whether it was read from a stored event, whose payload is masked and cleaned; what a
        provider answers is neither."""
        return self.cause == ChangeCause.WEBHOOK and not self.is_fetched


@dataclass(kw_only=True)
class Projected:
    """The verdict on one snapshot; `parent` names what is missing when it is orphaned."""

    snapshot: Snapshot
    verdict: Verdict
    row: Any = None
    parent: tuple[EventKind, str] = (EventKind.CUSTOMER, "")
    is_new: bool = False
    is_written: bool = False
    from_state: str = ""
    code: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        return self.verdict in SETTLED


def decide(
    kind: Kind, version: datetime | None, stamp: datetime, old: str, new: str, *, same: bool
) -> Verdict:
    """Apply, superseded, unchanged, or undecided: the rule, without database."""
    if version is None or stamp > version:
        return Verdict.APPLIED
    if stamp < version:
        return Verdict.SUPERSEDED
    if same:
        return Verdict.UNCHANGED
    if (old in kind.terminal) != (new in kind.terminal):
        return Verdict.APPLIED if new in kind.terminal else Verdict.SUPERSEDED
    if (old in kind.early) != (new in kind.early):
        return Verdict.APPLIED if old in kind.early else Verdict.SUPERSEDED
    return Verdict.UNDECIDED


def newest(kind: Kind, snapshots: Sequence[Snapshot]) -> Snapshot | None:
    """Fold snapshots of one object into the newest; None when equal stamps leave it open."""
    ordered = sorted(snapshots, key=lambda item: item.stamp)
    best = ordered[0]
    undecided = False
    for item in ordered[1:]:
        verdict = decide(
            kind, best.stamp, item.stamp, word(best.data), word(item.data), same=_alike(best, item)
        )
        if verdict == Verdict.APPLIED:
            best = item
            undecided = False
        undecided = undecided or verdict == Verdict.UNDECIDED
    return None if undecided else best


def project(kind: Kind, provider: str, mode: str, snapshots: Sequence[Snapshot]) -> list[Projected]:
    """Apply at most one snapshot per object, set-wise; call inside a transaction.

    Locks the rows in key order and writes in three statements: the rows, their ledger, nothing per
    object. What cannot be settled here is returned with its verdict and left unwritten.
    """
    items = [snapshot.data for snapshot in snapshots]
    relatives = kind.relatives(provider, mode, items)
    rows = kind.stored_rows(provider, mode, items)
    unmatched = [item for item in items if item.id not in rows]
    if unmatched:
        rows |= kind.reserved_rows(provider, mode, unmatched)
    results = [
        _judge(kind, provider, mode, snapshot, rows.get(snapshot.data.id), relatives)
        for snapshot in snapshots
    ]
    _write(kind, results)
    kind.follow([result.row for result in results if result.is_written])
    changes = [
        change for result in results if result.is_settled for change in _ledger(kind, result)
    ]
    bulk.write(changes)
    promised = links.promise(kind, provider, mode, results)
    transaction.on_commit(lambda: links.after_commit(provider, mode, results, changes, promised))
    return results


def _judge(
    kind: Kind, provider: str, mode: str, snapshot: Snapshot, row: Any, relatives: Relatives
) -> Projected:
    data = snapshot.data
    # A row that is only reserved was not there for whoever looked it up by its remote id.
    is_new = row is None or getattr(row, kind.id_field) is None
    if snapshot.is_fetched and snapshot.seen_seq != (NO_ROW if is_new else row.sync_seq):
        return Projected(snapshot=snapshot, verdict=Verdict.MOVED)
    parent = kind.missing_parent(data, row, relatives)
    if parent[1]:
        return Projected(snapshot=snapshot, verdict=Verdict.ORPHANED, parent=parent)
    row = row or kind.model(provider=provider, mode=mode)
    from_state = "" if row.sync_seq == 0 and is_new else kind.status(row)
    result = Projected(
        snapshot=snapshot, verdict=Verdict.APPLIED, row=row, is_new=is_new, from_state=from_state
    )
    values = storable_values(kind, data, row, relatives, is_masked=snapshot.is_masked)
    new_status = str(values.get("status", ""))
    old_status = str(getattr(row, "status", ""))
    changed = any(getattr(row, column) != value for column, value in values.items())
    if not snapshot.is_fetched:
        result.verdict = decide(
            kind, row.provider_version, snapshot.stamp, old_status, new_status, same=not changed
        )
    if result.verdict != Verdict.APPLIED:
        return result
    if old_status in kind.terminal and new_status != old_status:
        return _refused(result, LEFT_FINAL_STATE, old_status, new_status)
    if getattr(data, "status", "") is None:
        result.code = "unknown_status"
        result.detail = {"provider_status": getattr(data, "provider_status", "")}
    result.verdict = Verdict.APPLIED if changed else Verdict.UNCHANGED
    result.is_written = True
    _assign(row, values, snapshot)
    return result


def _refused(result: Projected, code: str, ours: str, theirs: str) -> Projected:
    result.verdict = Verdict.REFUSED
    result.code = code
    result.detail = {"ours": ours, "theirs": theirs}
    return result


def _assign(row: Any, values: dict[str, Any], snapshot: Snapshot) -> None:
    for column, value in values.items():
        setattr(row, column, value)
    stamps = [row.provider_version, snapshot.stamp]
    if snapshot.is_fetched:
        stamps.append(snapshot.data.as_of)
    row.provider_version = max(stamp for stamp in stamps if stamp)
    raw = snapshot.data.raw
    row.provider_data = raw if snapshot.is_masked else mask_value(clean(raw))
    row.sync_seq += 1


def storable_values(
    kind: Kind, data: ObjectData, row: Any, relatives: Relatives, *, is_masked: bool
) -> dict[str, Any]:
    """The columns that `data` sets on `row`, as they may be stored."""
    return {kind.id_field: data.id} | {
        column: _storable(value, is_masked=is_masked)
        if isinstance(value, str | dict | list)
        else value
        for column, value in kind.values(data, row, relatives).items()
    }


def _storable(value: Any, *, is_masked: bool) -> Any:
    return clean(value) if is_masked else mask_value(clean(value))


def _write(kind: Kind, results: Sequence[Projected]) -> None:
    """One upsert for new and known rows: their keys are ours, so the primary key decides.

    New rows go in by remote id: two workers that insert the same ones then cannot deadlock.
    """
    rows = [result.row for result in results if result.is_written]
    rows.sort(key=lambda row: str(getattr(row, kind.id_field)))
    bulk.write(rows, columns=[kind.id_field, *kind.columns, *_BOOKKEEPING])


def _ledger(kind: Kind, result: Projected) -> list[StateChange]:
    """A row per event; for an API answer or a fetch without events, one when something happened."""
    snapshot = result.snapshot
    if not snapshot.events:
        if result.verdict in (Verdict.SUPERSEDED, Verdict.UNCHANGED):
            return []
        return [_change(kind, result, ChangeOutcome(result.verdict), None)]
    *older, last = snapshot.events
    changes = [_change(kind, result, ChangeOutcome.SUPERSEDED, event) for event in older]
    return [*changes, _change(kind, result, ChangeOutcome(result.verdict), last)]


def _change(
    kind: Kind, result: Projected, outcome: ChangeOutcome, event: WebhookEvent | None
) -> StateChange:
    moved = outcome == ChangeOutcome.APPLIED
    state = kind.status(result.row)
    return StateChange(
        organization_id=result.row.organization_id,
        object_type=result.row._meta.model_name or "",
        object_id=result.row.pk,
        provider=result.row.provider,
        cause=ChangeCause.DRIFT if result.code else result.snapshot.cause,
        outcome=outcome,
        code=result.code,
        from_state=result.from_state if moved else state,
        to_state=state,
        event_id=event.pk if event else None,
        event_type=event.event_type if event else "",
        occurred_at=event.occurred_at if event else result.snapshot.stamp,
        detail=result.detail,
    )


def word(data: ObjectData) -> str:
    """The state that `data` tells, as one of our words; '' where it has none that we know."""
    return str(getattr(data, "status", "") or "")


def _alike(one: Snapshot, other: Snapshot) -> bool:
    return replace(one.data, raw={}, as_of=one.stamp) == replace(
        other.data, raw={}, as_of=one.stamp
    )
