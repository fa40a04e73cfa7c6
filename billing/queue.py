"""Waking the workers. The tables are the queue: a lost wake-up costs at most one sweep."""

import logging
import threading
import time

from celery import current_app
from django.db import transaction

from billing.conf import conf
from billing.logs import request_id

logger = logging.getLogger(__name__)
BROKER_PAUSE_SECONDS = 5.0
# The message's header that carries the id of the request which woke the worker.
REQUEST_ID_HEADER = "billing_request_id"

_lock = threading.Lock()
_next_publish: dict[str, float] = {}


def enqueue(task_name: str, *args: str) -> None:
    """Wake a worker for `task_name` after the current transaction commits.

    At most one message per task and process leaves within BILLING_NUDGE_WINDOW_MS; after a broker
    failure none for 5 s. Never raises: the sweep finds what a lost message meant. For the same
    reason a message is worth nothing after the time of a sweep: thousands that piled up while the
    workers were busy would keep them from every other task.
    """
    transaction.on_commit(lambda: _publish(task_name, args))


def _publish(task_name: str, args: tuple[str, ...]) -> None:
    if not _may_publish(task_name):
        return
    headers = {REQUEST_ID_HEADER: request_id.get()}
    try:
        current_app.tasks[task_name].apply_async(
            args=args,
            headers=headers,
            expires=conf.sweep.total_seconds(),
            retry=False,
            ignore_result=True,
        )
    except Exception:  # noqa: BLE001 - each broker has errors of its own
        logger.warning("broker.unreachable", extra={"task": task_name}, exc_info=True)
        _pause(task_name, BROKER_PAUSE_SECONDS)


def _may_publish(task_name: str) -> bool:
    """Reserve the right to publish; the drain looks again for twice this window before it ends."""
    with _lock:
        now = time.monotonic()
        if now < _next_publish.get(task_name, 0.0):
            return False
        _next_publish[task_name] = now + conf.nudge_window.total_seconds()
        return True


def _pause(task_name: str, seconds: float) -> None:
    with _lock:
        _next_publish[task_name] = time.monotonic() + seconds
