"""Celery's doors. Every task is safe to run twice and beside itself; arguments are ids."""

import threading
from collections.abc import Callable
from typing import Any

from celery import shared_task
from celery.signals import task_postrun, task_prerun

from billing import heartbeats  # noqa: F401 - listens to the signals of worker and beat
from billing.conf import conf
from billing.logs import request_id
from billing.queue import REQUEST_ID_HEADER, enqueue
from billing.services import outbox, planned_ends, prune, reconcile, webhooks

# Drains that run in this process, and whether another was asked for meanwhile.
_running: dict[str, bool] = {}
_lock = threading.Lock()


@task_prerun.connect
def _take_request_id(task_id: str, task: Any, **_: Any) -> None:
    """Log under the id of the request that woke us; what beat scheduled, under the task's own."""
    headers = task.request.headers or {}
    request_id.set(str(headers.get(REQUEST_ID_HEADER) or task_id))


@task_postrun.connect
def _drop_request_id(**_: Any) -> None:
    request_id.set("")


@shared_task(name="billing.drain_webhook_events")
def drain_webhook_events() -> int:
    """Apply what is due in the inbox; return how many events were settled."""
    return _alone("billing.drain_webhook_events", webhooks.drain)


@shared_task(name="billing.drain_outbox")
def drain_outbox() -> int:
    """Carry out what is due in the outbox; return how many messages were settled."""
    return _alone("billing.drain_outbox", outbox.drain)


@shared_task(name="billing.reconcile_unknown")
def reconcile_unknown() -> int:
    """Settle writes at providers that a crash or a lost answer left open; return how many."""
    return reconcile.reconcile_unknown()


@shared_task(name="billing.carry_out_planned_ends")
def carry_out_planned_ends() -> int:
    """End subscriptions whose planned end is due; return how many."""
    return planned_ends.carry_out()


@shared_task(name="billing.prune")
def forget_what_is_old() -> int:
    """Empty old bodies, delete old keys and unused decisions; return how many. Goes on in another
    task if need be."""
    return _alone("billing.prune", _prune)


def _prune() -> tuple[int, bool]:
    pruned = prune.run(seconds=conf.drain_seconds)
    return pruned.bodies + pruned.keys + pruned.decisions, pruned.has_more


def _alone(name: str, drain: Callable[[], tuple[int, bool]]) -> int:
    """Run at most one drain of a kind per process, so that other tasks get a slot.

    A wake-up that comes while one runs is not lost: it may have looked for the last time already.
    """
    with _lock:
        if name in _running:
            _running[name] = True
            return 0
        _running[name] = False
    has_more = False
    try:
        settled, has_more = drain()
    finally:
        with _lock:
            was_asked_again = _running.pop(name)
        if has_more or was_asked_again:
            enqueue(name)
    return settled
