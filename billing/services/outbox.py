"""The outbox: effects that must follow a commit, carried out by the worker, once each."""

import logging
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from django.utils import timezone

from billing.conf import conf
from billing.enums import OutboxState
from billing.errors import LeaseLost
from billing.models import OutboxMessage
from billing.queue import enqueue
from billing.services import plans
from billing.services.leases import back_off, claim, mark

logger = logging.getLogger(__name__)
BATCH_SIZE = 20
_DUE = [OutboxState.PENDING.value, OutboxState.FAILED.value]

_HANDLERS: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    plans.PUBLISH_TOPIC: plans.publish_from_outbox,
}


def drain() -> tuple[int, bool]:
    """Carry out one batch; return how many messages, and whether there may be more."""
    claim_id, messages = claim(OutboxMessage.objects.filter(state__in=_DUE), limit=BATCH_SIZE)
    for message in messages:
        try:
            _carry_out(claim_id, message)
        except LeaseLost:
            logger.warning("outbox.lease_lost", extra={"message_id": str(message.pk)})
    return len(messages), len(messages) == BATCH_SIZE


def wake() -> None:
    """Wake a worker for messages written in this transaction."""
    enqueue("billing.drain_outbox")


def _carry_out(claim_id: Any, message: OutboxMessage) -> None:
    try:
        _HANDLERS[message.topic](message.payload)
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
