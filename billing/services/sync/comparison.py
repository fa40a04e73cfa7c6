"""Our rows beside what a provider says, without locking or writing anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from billing.enums import EventKind
from billing.services.sync.kinds import Kind, Relatives
from billing.services.sync.kinds.base import unlocked
from billing.services.sync.projection import storable_values


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One column of a row that says something else than the provider."""

    column: str
    ours: Any
    theirs: Any


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What `project` would find for `data` (an ObjectData); `parent` is what is missing first.

    `is_new` as for `Projected`: no row, or one that is only reserved. `has_owner`: its customer is
    ours. `leaves_final_state`: the provider says that what has ended for us goes on; that is never
    applied.
    """

    data: Any
    row: Any
    parent: tuple[EventKind, str]
    is_new: bool
    has_owner: bool
    differences: tuple[Difference, ...] = ()
    has_unknown_status: bool = False
    leaves_final_state: bool = False

    @property
    def is_orphan(self) -> bool:
        return bool(self.parent[1])

    @property
    def is_equal(self) -> bool:
        return not (self.is_orphan or self.is_new or self.differences)


def compare(kind: Kind, provider: str, mode: str, items: Sequence[Any]) -> list[Comparison]:
    """Compare `items` with our rows, set-wise: the statements do not grow with their number."""
    relatives = kind.relatives(provider, mode, items)
    rows = kind.stored_rows(provider, mode, items, unlocked)
    unmatched = [item for item in items if item.id not in rows]
    if unmatched:
        rows |= kind.reserved_rows(provider, mode, unmatched, unlocked)
    return [_compare(kind, provider, mode, item, rows.get(item.id), relatives) for item in items]


def _compare(
    kind: Kind, provider: str, mode: str, data: Any, row: Any, relatives: Relatives
) -> Comparison:
    is_new = row is None or getattr(row, kind.id_field) is None
    parent = kind.missing_parent(data, row, relatives)
    has_owner = getattr(data, "customer_id", None) in relatives.customers
    if parent[1]:
        return Comparison(data=data, row=row, parent=parent, is_new=is_new, has_owner=has_owner)
    row = row or kind.model(provider=provider, mode=mode)
    values = storable_values(kind, data, row, relatives, is_masked=False)
    old, new = str(getattr(row, "status", "")), str(values.get("status", ""))
    return Comparison(
        data=data,
        row=row,
        parent=parent,
        is_new=is_new,
        has_owner=has_owner,
        differences=tuple(_differences(kind, row, values)),
        has_unknown_status=getattr(data, "status", "") is None,
        leaves_final_state=old in kind.terminal and new != old,
    )


def _differences(kind: Kind, row: Any, values: dict[str, Any]) -> list[Difference]:
    found = []
    for column, theirs in values.items():
        ours = getattr(row, column)
        is_alike = column in kind.volatile and ours and theirs
        if ours != theirs and not is_alike:
            found.append(Difference(column=column, ours=ours, theirs=theirs))
    return found
