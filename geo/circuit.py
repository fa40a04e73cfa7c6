"""Whether a service may be asked now: a circuit and a daily budget each, shared by all processes.

A circuit opens after FAILURES in a row, at once where the service says how long to stay away, and
until midnight (UTC) when the day's budget is spent. After it has closed, one more failure opens it
again, until a success.
"""

import logging
from datetime import UTC, datetime, timedelta

from geo.cache import store
from geo.conf import conf

logger = logging.getLogger(__name__)
FAILURES = 3


def is_open(service: str) -> bool:
    """Whether `service` must not be asked now."""
    return bool(store.get(_open_key(service)))


def open_for(service: str, seconds: float) -> None:
    """Leave `service` alone for `seconds`."""
    store.set(_open_key(service), 1, seconds)
    logger.warning("geo.circuit_opened", extra={"service": service, "seconds": round(seconds)})


def take_from_budget(service: str) -> bool:
    """Count a call that is about to be made; return whether the day's budget allowed it."""
    budget = conf.daily_budget(service)
    if budget is None:
        return True
    now = datetime.now(UTC)
    day_ends_in = timedelta(days=1) - (now - now.replace(hour=0, minute=0, second=0, microsecond=0))
    used = store.count(f"budget:{service}:{now:%Y-%m-%d}", 2 * 86_400)
    if used >= budget:
        open_for(service, day_ends_in.total_seconds())
    return used <= budget


def record_success(service: str) -> None:
    """Forget earlier failures."""
    store.delete(_failures_key(service))


def record_failure(service: str, retry_after: float = 0) -> None:
    """Count a failure; open the circuit at the limit, or for `retry_after` seconds when told so."""
    failures = store.count(_failures_key(service), 10 * conf.failure_seconds)
    if retry_after or failures >= FAILURES:
        open_for(service, retry_after or conf.failure_seconds)


def _open_key(service: str) -> str:
    return f"circuit:{service}:open"


def _failures_key(service: str) -> str:
    return f"circuit:{service}:failures"
