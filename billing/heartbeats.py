"""Signs of life of beat and of the workers, in the shared cache.

Beat leaves one whenever it schedules a task, a worker's main process every BILLING_SWEEP_SECONDS:
so a silent beat can be told from a silent worker. A cache of its own per process shows nothing.
"""

import logging
import threading
import time
from typing import Any

from celery.signals import beat_init, before_task_publish, worker_ready
from django.core.cache import cache
from django.db import connections

from billing.conf import conf

logger = logging.getLogger(__name__)
BEAT = "beat"
WORKER = "worker"
_KEPT_SECONDS = 7 * 86_400


def leave(name: str) -> None:
    """Leave a sign of life of `name`; a cache that fails is logged and nothing else."""
    try:
        cache.set(_key(name), time.time(), timeout=_KEPT_SECONDS)
    except Exception:  # noqa: BLE001 - every cache backend has errors of its own
        logger.warning("heartbeat.not_left", extra={"sign_of": name}, exc_info=True)


def seconds_since(name: str) -> float | None:
    """Seconds since the last sign of life of `name`; None when there is none to be read."""
    try:
        left = cache.get(_key(name))
    except Exception:  # noqa: BLE001 - every cache backend has errors of its own
        logger.warning("heartbeat.not_read", extra={"sign_of": name}, exc_info=True)
        return None
    return None if left is None else max(time.time() - float(left), 0.0)


def is_alive(seconds: float | None) -> bool:
    """Whether a sign of life that old is one: three sweeps may be missed, but no more."""
    return seconds is not None and seconds <= 3 * conf.sweep.total_seconds()


def _key(name: str) -> str:
    return f"billing:heartbeat:{name}"


@beat_init.connect
def _watch_beat(**_: Any) -> None:
    """Only in beat's own process: there every message is one that beat schedules."""
    before_task_publish.connect(_leave_beat, dispatch_uid="billing.heartbeats.beat")


def _leave_beat(**_: Any) -> None:
    _leave_and_disconnect(BEAT)


@worker_ready.connect
def _watch_worker(**_: Any) -> None:
    threading.Thread(target=_keep_leaving, name="billing-heartbeat", daemon=True).start()


def _keep_leaving() -> None:
    while True:
        _leave_and_disconnect(WORKER)
        time.sleep(conf.sweep.total_seconds())


def _leave_and_disconnect(name: str) -> None:
    """A table may be the cache; its connection must not stay open where processes are forked."""
    leave(name)
    connections.close_all()
