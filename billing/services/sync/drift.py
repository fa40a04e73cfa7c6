"""Drift that no snapshot tells of: rows whose remote object is gone. Written once, never twice."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from billing.enums import ChangeCause, ChangeOutcome
from billing.models import StateChange
from billing.services.sync.comparison import Comparison
from billing.services.sync.kinds import Kind
from billing.services.sync.projection import LEFT_FINAL_STATE

MISSING_THERE = "missing_there"


def record_missing(kind: Kind, rows: Sequence[Any]) -> None:
    """Write down that the provider does not know the objects of `rows`; the rows stay as they are.

    What the ledger tells already is not told again.
    """
    told = set(
        StateChange.objects.filter(
            object_id__in=[row.pk for row in rows], code=MISSING_THERE
        ).values_list("object_id", flat=True)
    )
    new = [_missing(kind, row) for row in rows if row.pk not in told]
    if new:
        StateChange.objects.bulk_create(new)


def told_refusals(comparisons: Sequence[Comparison]) -> set[Any]:
    """Keys of the rows of which the ledger tells already that they do not leave their final state
    for the one that the provider says."""
    leaving = {each.row.pk: each for each in comparisons if each.leaves_final_state}
    if not leaving:
        return set()
    told = StateChange.objects.filter(
        object_id__in=list(leaving), code=LEFT_FINAL_STATE
    ).values_list("object_id", "detail")
    return {key for key, detail in told if detail.get("theirs") == _status(leaving[key])}


def _status(comparison: Comparison) -> str:
    return next(
        (str(each.theirs) for each in comparison.differences if each.column == "status"), ""
    )


def _missing(kind: Kind, row: Any) -> StateChange:
    state = kind.status(row)
    return StateChange(
        organization_id=row.organization_id,
        object_type=row._meta.model_name or "",
        object_id=row.pk,
        provider=row.provider,
        cause=ChangeCause.DRIFT,
        outcome=ChangeOutcome.UNCHANGED,
        code=MISSING_THERE,
        from_state=state,
        to_state=state,
        occurred_at=timezone.now(),
    )
