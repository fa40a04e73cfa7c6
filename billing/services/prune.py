"""Forgetting what is old: bodies of settled events, idempotency keys, and routing decisions that
nothing came of. Ids of events, and decisions of purchases, are kept for ever.

In short statements that repeat their condition, so that it may run beside everything else.
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from billing.conf import conf
from billing.enums import WebhookState
from billing.models import IdempotencyKey, RoutingDecision, WebhookEvent

logger = logging.getLogger(__name__)
BATCH_SIZE = 500
# What we promise the clients of our API; their operations are kept for ever.
KEYS_LAST = timedelta(hours=24)
# Far longer than a purchase may name one (BILLING_DECISION_HOURS), so that nothing can come of it.
UNUSED_DECISIONS_LAST = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """How many events lost their body, how many keys and decisions were deleted, and whether there
    is more."""

    bodies: int
    keys: int
    decisions: int
    has_more: bool = False


def old_bodies() -> QuerySet[WebhookEvent]:
    """Events settled more than BILLING_PAYLOAD_DAYS ago whose body is still there."""
    limit = timezone.now() - conf.payload_age
    return WebhookEvent.objects.filter(
        state__in=[WebhookState.PROCESSED, WebhookState.IGNORED],
        received_at__lt=limit,
        processed_at__lt=limit,
    ).exclude(body="")


def old_keys() -> QuerySet[IdempotencyKey]:
    """Keys that nobody used for 24 hours, and whose request is over."""
    now = timezone.now()
    limit = now - KEYS_LAST
    return IdempotencyKey.objects.filter(
        created_at__lt=limit, updated_at__lt=limit, locked_until__lt=now
    )


def unused_decisions() -> QuerySet[RoutingDecision]:
    """Decisions of more than 30 days ago that no purchase came of, or can still come of."""
    limit = timezone.now() - max(UNUSED_DECISIONS_LAST, conf.decision_age * 2)
    return RoutingDecision.objects.filter(created_at__lt=limit, subscriptions=None, invoices=None)


def count() -> Pruned:
    """What `run` would do, without doing it."""
    return Pruned(
        bodies=old_bodies().count(),
        keys=old_keys().count(),
        decisions=unused_decisions().count(),
    )


def run(*, seconds: float = math.inf) -> Pruned:
    """Empty old bodies with their headers, delete old keys and decisions, in at most `seconds`."""
    ends_at = time.monotonic() + seconds
    bodies, are_bodies_left = _in_batches(old_bodies, "received_at", _empty, ends_at)
    keys, are_keys_left = _in_batches(old_keys, "created_at", _delete, ends_at)
    decisions, are_any_left = _in_batches(unused_decisions, "created_at", _delete, ends_at)
    pruned = Pruned(
        bodies=bodies,
        keys=keys,
        decisions=decisions,
        has_more=are_bodies_left or are_keys_left or are_any_left,
    )
    logger.info("pruned", extra=asdict(pruned))
    return pruned


def _in_batches(
    old: Callable[[], QuerySet[Any]],
    by: str,
    forget: Callable[[QuerySet[Any]], int],
    ends_at: float,
) -> tuple[int, bool]:
    """Return how many rows were pruned, and whether the time was up before all were.

    From the oldest on along an index, so that what was pruned long ago is passed only once.
    """
    total = 0
    rows = old().order_by(by)
    while time.monotonic() < ends_at:
        found = list(rows.values_list("pk", by)[:BATCH_SIZE])
        if not found:
            return total, False
        # Whoever replays one of them right now has made it due: the condition is asked again.
        total += forget(old().filter(pk__in=[key for key, _ in found]))
        rows = old().order_by(by).filter(**{f"{by}__gte": found[-1][1]})
    return total, True


def _empty(events: QuerySet[Any]) -> int:
    return events.update(body="", headers={})


def _delete(rows: QuerySet[Any]) -> int:
    return rows.delete()[0]
