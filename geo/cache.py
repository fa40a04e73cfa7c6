"""Django's cache as geo uses it, and a small one of this process while that is away.

So neither a page nor the limits of the services depend on a cache server: without it each process
counts and remembers for itself. Keys and values never hold an address.
"""

import logging
import math
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.core.cache import cache
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache

logger = logging.getLogger(__name__)
T = TypeVar("T")
_PAUSE_SECONDS = 5.0


class _Store:
    def __init__(self) -> None:
        self._own = LocMemCache("geo", {})
        self._shared_again_at = 0.0

    def get(self, key: str) -> Any:
        """Return what is stored under `key`, or None."""
        return self._do(lambda store: store.get(_name(key)))

    def set(self, key: str, value: object, seconds: float) -> None:
        """Store `value` for `seconds`."""
        self._do(lambda store: store.set(_name(key), value, timeout=math.ceil(seconds)))

    def add(self, key: str, value: object, seconds: float) -> bool:
        """Store `value` unless there is one; return whether it was stored."""
        return self._do(lambda store: store.add(_name(key), value, timeout=math.ceil(seconds)))

    def delete(self, key: str) -> None:
        """Forget `key`."""
        self._do(lambda store: store.delete(_name(key)))

    def count(self, key: str, seconds: float) -> int:
        """Add one under `key`, which starts at 0 and lasts `seconds`; return the sum.

        Exact in Redis and Memcached; with Django's other caches two processes may count as one.
        """
        return self._do(lambda store: _count(store, _name(key), math.ceil(seconds)))

    def reset(self) -> None:
        """Forget what this process stored, and try the shared cache again."""
        self._own.clear()
        self._shared_again_at = 0.0

    def _do(self, action: Callable[[BaseCache], T]) -> T:
        if time.monotonic() >= self._shared_again_at:
            try:
                return action(cache)
            except Exception:  # noqa: BLE001 - every cache backend has errors of its own
                self._shared_again_at = time.monotonic() + _PAUSE_SECONDS
                logger.warning("geo.cache_failed", exc_info=True)
        return action(self._own)


def _name(key: str) -> str:
    return f"geo:{key}"


def _count(store: BaseCache, key: str, seconds: int) -> int:
    store.add(key, 0, timeout=seconds)
    try:
        return store.incr(key)
    except ValueError:  # it ran out between the two
        store.set(key, 1, timeout=seconds)
        return 1


store = _Store()
