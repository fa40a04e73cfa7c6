"""Idempotency-Key on our own API: the same request twice has one effect and one answer.

Services know nothing of this; they get the key as `request_key` and find their own Operation by it.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar, cast

from django.db import transaction
from django.http import HttpResponse
from django.http.request import RawPostDataException
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.exceptions import CONTENT_TYPE, IdempotencyKeyInvalid
from billing.conf import conf
from billing.enums import IdempotencyStatus
from billing.errors import IdempotencyConflict, RequestInProgress
from billing.models import AnyOrganization, IdempotencyKey

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_IN_PROGRESS = RequestInProgress.code

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to carry out one keyed request until `until`, which is also its fencing token."""

    pk: Any
    until: datetime


def request_key(request: Request) -> str:
    """Return the Idempotency-Key, or '' without one; raise IdempotencyKeyInvalid."""
    key = request.headers.get(KEY_HEADER)
    if key is None:
        return ""
    if not _KEY.fullmatch(key) or not key.strip():
        raise IdempotencyKeyInvalid
    return key


def idempotent(method: Handler) -> Handler:
    """Make a writing viewset method answer a repeated Idempotency-Key with what it answered first.

    A final 2xx or 4xx is kept and replayed; after a 5xx the request runs again with the same key.
    """

    @wraps(method)
    def wrapper(self: Any, request: Request, *args: Any, **kwargs: Any) -> Any:
        key = request_key(request)
        if not key:
            return method(self, request, *args, **kwargs)
        lease = _reserve(self.tenant.organization, key, _fingerprint(request))
        if isinstance(lease, IdempotencyKey):
            return _replay(lease)
        try:
            response = method(self, request, *args, **kwargs)
        except Exception as exc:  # noqa: BLE001 - every answer is kept, whatever raised it
            response = self.handle_exception(exc)
        _settle(lease, response)
        return response

    return cast(Handler, wrapper)


def _fingerprint(request: Request) -> str:
    """A hash of method, path with query, and body; a final slash makes no difference."""
    http = request._request
    try:
        body = http.body
    except RawPostDataException:  # a form, which no view of ours reads
        body = b""
    parts = (
        (http.method or "").encode(),
        http.path.rstrip("/").encode(),
        http.META.get("QUERY_STRING", "").encode(),
        body,
    )
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8) + part)
    return digest.hexdigest()


def _reserve(organization: AnyOrganization, key: str, fingerprint: str) -> Lease | IdempotencyKey:
    """Return a lease to run the request, or the settled row to replay. A short transaction."""
    now = timezone.now()
    until = now + conf.idempotency_lease
    with transaction.atomic():
        row, is_new = IdempotencyKey.objects.select_for_update().get_or_create(
            organization=organization,
            key=key,
            defaults={
                "fingerprint": fingerprint,
                "status": IdempotencyStatus.RUNNING,
                "locked_until": until,
            },
        )
        if is_new:
            return Lease(row.pk, until)
        if row.fingerprint != fingerprint:
            raise IdempotencyConflict
        if row.status == IdempotencyStatus.DONE:
            return row
        if row.status == IdempotencyStatus.RUNNING and row.locked_until > now:
            raise RequestInProgress
        row.status = IdempotencyStatus.RUNNING
        row.locked_until = until
        row.save(update_fields=["status", "locked_until", "updated_at"])
        return Lease(row.pk, until)


def _settle(lease: Lease, response: Response) -> None:
    """Keep a final answer, or give the key back; nothing when another run took the key over."""
    values: dict[str, Any] = {"status": IdempotencyStatus.RETRY}
    if _is_final(response):
        values = {
            "status": IdempotencyStatus.DONE,
            "response_status": response.status_code,
            "response_body": _rendered(response),
            "response_headers": {"Content-Type": response.content_type or "application/json"},
        }
    IdempotencyKey.objects.filter(
        pk=lease.pk, status=IdempotencyStatus.RUNNING, locked_until=lease.until
    ).update(updated_at=timezone.now(), **values)


def _is_final(response: Response) -> bool:
    if response.status_code >= 500 or response.status_code == 429:
        return False
    is_problem = response.content_type == CONTENT_TYPE
    return not (is_problem and response.data.get("code") == _IN_PROGRESS)


def _rendered(response: Response) -> str:
    """The body as text: a JSON column may reorder keys, and the answer should be the same bytes."""
    return "" if response.data is None else JSONRenderer().render(response.data).decode()


def _replay(row: IdempotencyKey) -> HttpResponse:
    response = HttpResponse(
        row.response_body or "", status=row.response_status or 200, headers=row.response_headers
    )
    response.headers[REPLAYED_HEADER] = "true"
    return response
