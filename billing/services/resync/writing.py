"""Writing what differs, through services/sync: set-wise, and what stays open singly."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import IntegrityError, InterfaceError, OperationalError, transaction

from billing.conf import conf
from billing.enums import ChangeCause
from billing.errors import BillingError, UnsupportedOperation
from billing.providers.types import Ref
from billing.services import sync
from billing.services.resync.parts import STOPS, asking
from billing.services.sync import Comparison, Kind, Projected, Snapshot, Verdict

logger = logging.getLogger(__name__)
_DATABASE_TROUBLE = (OperationalError, InterfaceError)
_OPEN = (Verdict.UNDECIDED, Verdict.SUPERSEDED, Verdict.MOVED)


@dataclass(kw_only=True)
class Written:
    """How many rows are as the provider says now, and which objects could not be written."""

    count: int = 0
    failed: list[str] = field(default_factory=list)

    def note(self, comparison: Comparison, result: Projected | None) -> None:
        """Count what became of it; what is refused is neither written nor failed."""
        if result is None or not result.is_settled:
            self.failed.append(comparison.data.id)
        elif result.verdict != Verdict.REFUSED:
            self.count += 1


def write(kind: Kind, provider: str, comparisons: Sequence[Comparison]) -> Written:
    """Bring the rows to what was read. One that would leave its final state is not changed.

    A snapshot that the row may have overtaken since is read again, singly. Raises only when the
    provider or the database is away.
    """
    written = Written()
    ready = [each for each in comparisons if not each.is_orphan]
    for comparison, result in _project(kind, provider, ready):
        is_open = result is not None and result.verdict in _OPEN
        written.note(comparison, _confirmed(kind, provider, comparison) if is_open else result)
    for comparison in comparisons:
        if comparison.is_orphan:
            written.note(comparison, _brought_in(kind, provider, comparison))
    return written


def _project(
    kind: Kind, provider: str, comparisons: Sequence[Comparison], *, is_retry: bool = False
) -> list[tuple[Comparison, Projected | None]]:
    """Project in one transaction; halve on an error until only the guilty object fails (None)."""
    if not comparisons:
        return []
    snapshots = [
        Snapshot(data=each.data, stamp=each.data.as_of, cause=ChangeCause.SYNC)
        for each in comparisons
    ]
    try:
        with transaction.atomic():
            results = sync.project(kind, provider, conf.mode(provider), snapshots)
    except _DATABASE_TROUBLE:
        raise
    except Exception as exc:  # noqa: BLE001 - halved until only the guilty object carries it
        if isinstance(exc, IntegrityError) and not is_retry:
            # A webhook inserted one of them meanwhile; the second look finds its row.
            return _project(kind, provider, comparisons, is_retry=True)
        if len(comparisons) == 1:
            _log(kind, provider, comparisons[0])
            return [(comparisons[0], None)]
        middle = len(comparisons) // 2
        return _project(kind, provider, comparisons[:middle]) + _project(
            kind, provider, comparisons[middle:]
        )
    return list(zip(comparisons, results, strict=True))


def _confirmed(kind: Kind, provider: str, comparison: Comparison) -> Projected | None:
    """Read it once more and apply that; where it cannot be read singly, what was listed."""
    data = comparison.data
    ref = _ref(comparison)
    try:
        try:
            return asking(
                lambda: sync.settle(kind, provider, ref, stamp=data.as_of, cause=ChangeCause.SYNC)
            )
        except UnsupportedOperation:
            return sync.settle(
                kind,
                provider,
                ref,
                stamp=data.as_of,
                cause=ChangeCause.SYNC,
                read=lambda: data,
            )
    except (*STOPS, *_DATABASE_TROUBLE):
        raise
    except (BillingError, IntegrityError):
        _log(kind, provider, comparison)
        return None


def _brought_in(kind: Kind, provider: str, comparison: Comparison) -> Projected | None:
    """Fetch it with the parent that is missing here."""
    try:
        return asking(
            lambda: sync.settle_with_parents(
                kind, provider, _ref(comparison), stamp=comparison.data.as_of
            )
        )
    except (*STOPS, *_DATABASE_TROUBLE):
        raise
    except (BillingError, IntegrityError):
        _log(kind, provider, comparison)
        return None


def _ref(comparison: Comparison) -> Ref:
    data = comparison.data
    return Ref(id=data.id, customer_id=getattr(data, "customer_id", None) or data.id)


def _log(kind: Kind, provider: str, comparison: Comparison) -> None:
    extra = {"provider": provider, "kind": kind.name, "remote_id": comparison.data.id}
    logger.exception("resync.failed", extra=extra)
