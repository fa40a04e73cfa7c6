"""Is the process alive, and can it do its work? For load balancers and the newcomer's script."""

import logging
from typing import Any

from celery import current_app
from django.db import Error as DatabaseFailure
from django.db.models import Min
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from billing.enums import WebhookState
from billing.models import WebhookEvent

logger = logging.getLogger(__name__)


def healthz(request: HttpRequest) -> JsonResponse:
    """Alive. Touches nothing, so that a database's trouble does not restart the web."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Ready, and how far behind the inbox is. 503 without the database; the broker is optional."""
    inbox = _inbox()
    is_broker_up = _is_broker_up()
    if inbox is None:
        status, code = "unavailable", 503
    else:
        status, code = ("ok" if is_broker_up else "degraded"), 200
    return JsonResponse(
        {
            "status": status,
            "database": "ok" if inbox is not None else "unreachable",
            "broker": "ok" if is_broker_up else "unreachable",
            **(inbox or {}),
        },
        status=code,
    )


def _inbox() -> dict[str, Any] | None:
    try:
        oldest = WebhookEvent.objects.filter(state=WebhookState.PENDING).aggregate(
            oldest=Min("received_at")
        )["oldest"]
        dead = WebhookEvent.objects.filter(state=WebhookState.DEAD).count()
    except DatabaseFailure:
        logger.exception("health.database_unreachable")
        return None
    age = (timezone.now() - oldest).total_seconds() if oldest else 0.0
    return {"oldest_pending_seconds": round(max(age, 0.0), 3), "dead_events": dead}


def _is_broker_up() -> bool:
    """One try; the connect time-out is the broker's own setting (about a second)."""
    try:
        with current_app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
    except Exception:  # noqa: BLE001 - each broker has errors of its own
        logger.warning("health.broker_unreachable", exc_info=True)
        return False
    return True
