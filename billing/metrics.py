"""What the processes count for Prometheus. Counting never fails the work that is counted.

With PROMETHEUS_MULTIPROC_DIR set each process counts in a file of its own in that folder, and a
scrape adds them up. What the tables can tell is not counted here but read at the scrape.
"""

import fcntl
import logging
import os
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import ParamSpec

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

logger = logging.getLogger(__name__)
P = ParamSpec("P")
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
# The file that takes over what processes counted that are gone; no process has this number.
_GONE = "0"

_registry = CollectorRegistry()
_deliveries = Counter(
    "billing_webhook_deliveries",
    "Deliveries by provider and what became of them: accepted, duplicate, or why not.",
    ["provider", "outcome"],
    registry=_registry,
)
_drained = Counter(
    "billing_webhook_events_drained",
    "Events that a worker settled or put aside, by provider and outcome.",
    ["provider", "outcome"],
    registry=_registry,
)
_batch_age = Histogram(
    "billing_drain_batch_age_seconds",
    "Age of the oldest event of a batch when a worker claimed it.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 30, 60, 300, 3600),
    registry=_registry,
)
_calls = Histogram(
    "billing_provider_call_seconds",
    "Calls to providers by method and outcome: ok, or the error's code.",
    ["provider", "method", "outcome"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=_registry,
)


def _harmless(count: Callable[P, None]) -> Callable[P, None]:
    """A full disk or a folder that is gone must not turn a delivery away."""

    @wraps(count)
    def counted(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            count(*args, **kwargs)
        except Exception:  # noqa: BLE001 - the work goes on uncounted
            logger.warning("metrics.not_counted", exc_info=True)

    return counted


@_harmless
def count_delivery(provider: str, outcome: str) -> None:
    """Count one delivery; `provider` is a configured alias or '', never what a client wrote."""
    _deliveries.labels(provider, outcome).inc()


@_harmless
def count_drained(providers: Sequence[str], outcome: str) -> None:
    """Count events that have reached `outcome`, by the provider of each."""
    for provider in set(providers):
        _drained.labels(provider, outcome).inc(providers.count(provider))


@_harmless
def observe_batch(age_seconds: float) -> None:
    """Take note of how long the oldest event of a batch has waited."""
    _batch_age.observe(max(age_seconds, 0.0))


@_harmless
def observe_call(provider: str, method: str, outcome: str, seconds: float) -> None:
    """Take note of a call to a provider that has ended."""
    _calls.labels(provider, method, outcome).observe(seconds)


def exposition() -> bytes:
    """All counts in Prometheus' text format: of this process, or of all in the folder."""
    folder = os.environ.get(FOLDER_VARIABLE)
    return _exposition_of(Path(folder)) if folder else generate_latest(_registry)


def _exposition_of(folder: Path) -> bytes:
    """One scrape at a time, so that none reads a file while another folds it."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _fold_what_is_gone(folder)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(folder))
        return generate_latest(registry)


def _fold_what_is_gone(folder: Path) -> None:
    """Add the files of ended processes to one, so that they neither pile up nor lose counts."""
    for path in folder.glob("*_*.db"):
        kind, _, process = path.stem.rpartition("_")
        if process == _GONE or _is_running(int(process)):
            continue
        total = MmapedDict(str(folder / f"{kind}_{_GONE}.db"))
        for key, value, stamp, _ in MmapedDict.read_all_values_from_file(str(path)):
            total.write_value(key, total.read_value(key)[0] + value, stamp)
        total.close()
        path.unlink()


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
