"""Claiming rows of a queue table: a lease with a fencing id, so that workers drain side by side."""

import random
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from billing.conf import conf
from billing.errors import LeaseLost


def claim(due: models.QuerySet[Any], *, limit: int) -> tuple[uuid.UUID, list[Any]]:
    """Lease up to `limit` rows of `due` that nobody holds; return the claim's id and the rows."""
    now = timezone.now()
    claim_id = uuid.uuid4()
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    with transaction.atomic():
        rows = list(
            due.filter(free, next_attempt_at__lte=now)
            .select_for_update(skip_locked=True)
            .order_by("next_attempt_at")[:limit]
        )
        due.model._default_manager.filter(pk__in=[row.pk for row in rows]).update(
            claimed_until=now + conf.lease, claim_id=claim_id
        )
    return claim_id, rows


def mark(model: type[models.Model], claim_id: uuid.UUID, rows: list[Any], **changes: Any) -> None:
    """Write `changes` and give the lease back; raise LeaseLost when another worker holds a row."""
    if not rows:
        return
    written = model._default_manager.filter(
        pk__in=[row.pk for row in rows], claim_id=claim_id
    ).update(claimed_until=None, claim_id=None, **changes)
    if written != len(rows):
        raise LeaseLost(f"{len(rows) - written} of {len(rows)} leases were taken over")


def back_off(attempts: int) -> datetime:
    """When to try again after `attempts` failures: doubling, with jitter, at most an hour."""
    return _later(conf.retry_base, attempts)


def look_again(waits: int) -> datetime:
    """When to look again for a parent that is unknown after `waits` looks."""
    return _later(conf.waiting_base, waits)


def _later(base: timedelta, count: int) -> datetime:
    delay = min(base * 2 ** min(max(count - 1, 0), 20), timedelta(hours=1))
    jitter: float = random.uniform(0.8, 1.2)  # noqa: S311 - not a secret
    later: datetime = timezone.now() + delay * jitter
    return later
