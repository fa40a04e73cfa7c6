"""How often one caller may ask, and one organization may try cards. Counted atomically.

The moving windows of the library `limits`: no hour ever holds more than the rate, also when fifty
requests come at once. Redis counts for all processes together, in one script per hit. Without
Redis, or while it does not answer, each process counts for itself: the limit is then as many times
higher as there are processes, and nobody is turned away because a counter is down.
"""

import logging
import math
import threading
import time
from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from billing.conf import conf
from billing.models import AnyOrganization
from geo.ip import client_ip, fingerprint

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.strategies import MovingWindowRateLimiter

logger = logging.getLogger(__name__)
_PAUSE_SECONDS = 5.0
_STORAGE_OPTIONS = {"socket_connect_timeout": 1, "socket_timeout": 1}


class CallerThrottle(BaseThrottle):
    """BILLING_CALLER_RATE per user, or per address for the anonymous."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count the request; raises Throttled, with the seconds to wait."""
        is_known = request.user is not None and request.user.is_authenticated
        who = (
            f"user:{request.user.pk}"
            if is_known
            else f"address:{fingerprint(client_ip(request._request))}"
        )
        _limiter.hit(conf.caller_rate, "caller", who)
        return True


def count_card(organization: AnyOrganization) -> None:
    """Count one try to add a card, BILLING_CARD_RATE per organization; raises Throttled."""
    _limiter.hit(conf.card_rate, "card", str(organization.pk))


class _Limiter:
    """The shared counters, and those of this process while the shared ones are away."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Forget the connection and what this process counted."""
        with self._lock:
            self._url = ""
            self._shared: MovingWindowRateLimiter | None = None
            self._own: MovingWindowRateLimiter | None = None
            self._shared_again_at = 0.0

    def hit(self, rate: str, *names: str) -> None:
        """Count one hit of `names` against `rate`; raises Throttled."""
        from limits import parse
        from limits.errors import StorageError

        item = parse(rate)
        shared, own = self._limiters()
        if shared and time.monotonic() >= self._shared_again_at:
            try:
                return _hit(shared, item, names)
            except StorageError:
                self._shared_again_at = time.monotonic() + _PAUSE_SECONDS
                logger.warning("throttle.storage_unreachable", exc_info=True)
        return _hit(own, item, names)

    def _limiters(self) -> tuple["MovingWindowRateLimiter | None", "MovingWindowRateLimiter"]:
        """Made at the first request: the library takes a tenth of a second to import."""
        with self._lock:
            if self._own is None or self._url != conf.throttle_storage:
                self._url = conf.throttle_storage
                self._own = _moving_window("memory://")
                self._shared = _moving_window(self._url, **_STORAGE_OPTIONS) if self._url else None
            return self._shared, self._own


def _moving_window(url: str, **options: Any) -> "MovingWindowRateLimiter":
    from limits.storage import storage_from_string
    from limits.strategies import MovingWindowRateLimiter

    storage: Any = storage_from_string(url, wrap_exceptions=True, **options)
    return MovingWindowRateLimiter(storage)


def _hit(limiter: "MovingWindowRateLimiter", item: "RateLimitItem", names: tuple[str, ...]) -> None:
    if not limiter.hit(item, *names):
        reset_at = limiter.get_window_stats(item, *names).reset_time
        raise Throttled(wait=max(0, math.floor(reset_at - time.time())) + 1)


_limiter = _Limiter()
reset = _limiter.reset
