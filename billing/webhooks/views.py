"""The door for providers' deliveries: raw bytes in, a short answer out, nothing else."""

import logging
from typing import Any

from django.db import Error as DatabaseFailure
from django.db import transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from billing import metrics
from billing.conf import conf
from billing.errors import UnknownProvider, UnsupportedOperation, WebhookError
from billing.services import webhooks
from geo.ip import client_ip, network_of

logger = logging.getLogger(__name__)
_RETRY_SECONDS = "5"
_MAX_LENGTH_DIGITS = 12


class _TooLarge(Exception):
    pass


class _Unreadable(Exception):
    pass


@csrf_exempt
@transaction.non_atomic_requests
def receive(request: HttpRequest, alias: str) -> JsonResponse:
    """Take one delivery for the provider `alias`.

    200 accepted, already_received or already_processed; 400 one text for everything that is not
    genuine; 413 too large, unread; 503 only when it could not be stored.
    """
    response, outcome = _receive(request, alias)
    metrics.count_delivery(alias if alias in conf.providers else "", outcome)
    return response


def _receive(request: HttpRequest, alias: str) -> tuple[JsonResponse, str]:
    """Return the answer, and the word that the delivery is counted under."""
    if request.method != "POST":
        refusal = JsonResponse({"status": "refused"}, status=405, headers={"Allow": "POST"})
        return refusal, "wrong_method"
    try:
        body = _body(request, conf.webhook_max_bytes)
        status = webhooks.receive(alias, body, request.headers)
    except (_Unreadable, WebhookError) as exc:
        # Nothing of an unverified request is logged but where it came from, to the network.
        extra = {"provider": alias, "network": network_of(client_ip(request))}
        logger.warning("webhook.refused", extra=extra)
        return JsonResponse({"status": "refused"}, status=400), getattr(exc, "code", "unreadable")
    except _TooLarge:
        return JsonResponse({"status": "too_large"}, status=413), "too_large"
    except (UnknownProvider, UnsupportedOperation):
        return JsonResponse({"status": "unknown_provider"}, status=404), "unknown_provider"
    except DatabaseFailure:
        logger.exception("webhook.not_stored", extra={"provider": alias})
        headers = {"Retry-After": _RETRY_SECONDS}
        return JsonResponse({"status": "unavailable"}, status=503, headers=headers), "not_stored"
    outcome = "accepted" if status == "accepted" else "duplicate"
    return JsonResponse({"status": status}), outcome


def _body(request: HttpRequest, limit: int) -> bytes:
    """Return the raw bytes, reading at most one byte more than `limit`."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdecimal()):
        raise _Unreadable
    if len(length) > _MAX_LENGTH_DIGITS or int(length) > limit:
        raise _TooLarge
    try:
        body: bytes = _stream(request).read(limit + 1)
    except Exception as exc:  # noqa: BLE001  servers have errors of their own for broken chunks
        raise _Unreadable from exc
    if len(body) > limit:
        raise _TooLarge
    return body


def _stream(request: HttpRequest) -> Any:
    """What to read from: Django reads no chunks, a server that says where the body ends does."""
    has_length = "CONTENT_LENGTH" in request.META
    if has_length or not request.META.get("wsgi.input_terminated"):
        return request
    return request.META["wsgi.input"]
