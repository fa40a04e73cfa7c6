"""The outbox: effects that must follow a commit, carried out by the worker, once each."""

import logging
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone

from billing.conf import conf
from billing.enums import OutboxState
from billing.errors import LeaseLost, ProviderUnavailable, RateLimited
from billing.models import OutboxMessage
from billing.queue import enqueue
from billing.services import plans
from billing.services.leases import back_off, claim, mark
from billing.services.sync import links

logger = logging.getLogger(__name__)
_DUE = [OutboxState.PENDING.value, OutboxState.FAILED.value]

_HANDLERS: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    plans.PUBLISH_TOPIC: plans.publish_from_outbox,
    links.TOPIC: links.link,
}


def drain() -> tuple[int, bool]:
    """Carry out what is due for at most BILLING_DRAIN_SECONDS, one message after the other.

    Each is claimed by itself, for each may call a provider and outlast a lease that many share.
    Returns how many were carried out, and whether there may be more.
    """
    ends_at = time.monotonic() + conf.drain_seconds
    settled = 0
    while time.monotonic() < ends_at:
        claim_id, messages = claim(OutboxMessage.objects.filter(state__in=_DUE), limit=1)
        if not messages:
            return settled, False
        settled += 1
        try:
            _carry_out(claim_id, messages[0])
        except LeaseLost:
            logger.warning("outbox.lease_lost", extra={"message_id": str(messages[0].pk)})
    return settled, True


def wake() -> None:
    """Wake a worker for messages written in this transaction."""
    enqueue("billing.drain_outbox")


def _carry_out(claim_id: Any, message: OutboxMessage) -> None:
    try:
        _HANDLERS[message.topic](message.payload)
    except (ProviderUnavailable, RateLimited) as exc:
        # The provider is away: not the message's fault, so not counted as a try.
        later = timezone.now() + timedelta(seconds=exc.retry_after or 15)
        mark(OutboxMessage, claim_id, [message], next_attempt_at=later, error_message=str(exc))
    except Exception:  # noqa: BLE001 - recorded on the message
        attempts = message.attempts + 1
        is_dead = attempts >= conf.max_attempts
        logger.warning("outbox.failed", extra={"message_id": str(message.pk), "try": attempts})
        mark(
            OutboxMessage,
            claim_id,
            [message],
            state=OutboxState.DEAD if is_dead else OutboxState.FAILED,
            attempts=attempts,
            next_attempt_at=back_off(attempts),
            error_message=traceback.format_exc(),
        )
    else:
        mark(
            OutboxMessage,
            claim_id,
            [message],
            state=OutboxState.DONE,
            processed_at=timezone.now(),
            error_message="",
        )
