"""A circuit per provider, in the shared cache: after repeated failures calls are refused at once.

A cache that does not answer counts as a closed circuit: billing must not depend on it.
"""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from django.core.cache import cache

from billing.conf import conf
from billing.errors import ProviderUnavailable

logger = logging.getLogger(__name__)
T = TypeVar("T")


def ensure_closed(alias: str) -> None:
    """Raise ProviderUnavailable with `retry_after` seconds while the circuit of `alias` is open."""
    if _try(lambda: cache.get(_open_key(alias)), None):
        raise ProviderUnavailable(
            f"the circuit of {alias} is open", provider=alias, retry_after=conf.circuit_seconds
        )


def is_open(alias: str) -> bool:
    """Whether calls to `alias` are refused right now."""
    return alias in open_among([alias])


def open_among(aliases: Iterable[str]) -> set[str]:
    """Return those of `aliases` that calls are refused to right now."""
    keys = {_open_key(alias): alias for alias in aliases}
    found: dict[str, object] = _try(lambda: cache.get_many(list(keys)), {})
    return {keys[key] for key in found}


def record_success(alias: str) -> None:
    """Forget earlier failures."""
    _try(lambda: cache.delete(_count_key(alias)), None)


def record_failure(alias: str) -> None:
    """Count a failure that is the provider's fault; open the circuit at the limit."""
    _try(lambda: _count(alias), None)


def _count(alias: str) -> None:
    cache.add(_count_key(alias), 0, timeout=conf.circuit_seconds * 4)
    if cache.incr(_count_key(alias)) >= conf.circuit_failures:
        cache.set(_open_key(alias), 1, timeout=conf.circuit_seconds)
        cache.delete(_count_key(alias))
        logger.error("circuit.opened", extra={"provider": alias})


def _try(action: Callable[[], T], default: T) -> T:
    try:
        return action()
    except Exception:  # noqa: BLE001 - every cache backend has errors of its own
        logger.warning("circuit.cache_failed", exc_info=True)
        return default


def _open_key(alias: str) -> str:
    return f"billing:circuit:{alias}:open"


def _count_key(alias: str) -> str:
    return f"billing:circuit:{alias}:failures"
