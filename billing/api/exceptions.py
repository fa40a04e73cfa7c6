"""The only place that makes error answers: RFC 9457, `application/problem+json`."""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import Error as DatabaseFailure
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import translation
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions as drf
from rest_framework.response import Response
from rest_framework.views import set_rollback

from billing.conf import conf
from billing.errors import (
    BillingError,
    PaymentDeclined,
    ProfileIncomplete,
    ProviderUnavailable,
    RequestInProgress,
)
from billing.logs import request_id
from billing.messages import text_for
from billing.payloads import clean

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
API_PREFIX = "/api/"
_RETRY_SECONDS = 5
_RETRY_SECONDS_RUNNING = 1


class RequestTooLarge(drf.APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "request_too_large"


class OrganizationRequired(drf.APIException):
    """The caller has several organizations and named none."""

    status_code = HTTPStatus.BAD_REQUEST
    default_code = "organization_required"


class NoOrganization(drf.PermissionDenied):
    default_code = "no_organization"


class IdempotencyKeyInvalid(drf.APIException):
    status_code = HTTPStatus.BAD_REQUEST
    default_code = "idempotency_key_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What an error answer says, before it is put into words."""

    status: int
    code: str
    detail: str = ""
    errors: list[dict[str, str]] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The body, in the language of the request."""
        return {
            "type": f"urn:cobro:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail or str(text_for(self.code, self.status)),
            "code": self.code,
            "errors": self.errors,
            "request_id": request_id.get(),
        }


def problem_handler(exc: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's EXCEPTION_HANDLER: any exception becomes a problem document, and never a traceback."""
    set_rollback()
    problem = _problem(exc)
    return Response(
        problem.document(),
        status=problem.status,
        headers=dict(problem.headers),
        content_type=CONTENT_TYPE,
    )


def problem_response(request: HttpRequest, exc: Exception) -> HttpResponse:
    """The same answer outside DRF (middleware, handlers), in the language that the client asks."""
    problem = _problem(exc)
    with translation.override(translation.get_language_from_request(request)):
        body = json.dumps(problem.document())
    return HttpResponse(
        body, status=problem.status, headers=dict(problem.headers), content_type=CONTENT_TYPE
    )


@csrf_exempt
def unknown_path(request: HttpRequest) -> HttpResponse:
    """A view for every path that is no other's. Exempt: without, a POST to nowhere, having no CSRF
    token, would get Django's page instead of a problem document."""
    return problem_response(request, drf.NotFound())


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: a problem document under /api/."""
    if not request.path.startswith(API_PREFIX):
        return defaults.bad_request(request, exception)
    return problem_response(request, drf.ParseError(code="bad_request"))


def handler403(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403: a problem document under /api/."""
    if not request.path.startswith(API_PREFIX):
        return defaults.permission_denied(request, exception)
    return problem_response(request, drf.PermissionDenied())


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404: a problem document under /api/."""
    if not request.path.startswith(API_PREFIX):
        return defaults.page_not_found(request, exception)
    return problem_response(request, drf.NotFound())


def handler500(request: HttpRequest) -> HttpResponse:
    """Django's handler500: a problem document under /api/. Django has logged the exception."""
    if not request.path.startswith(API_PREFIX):
        return defaults.server_error(request)
    return problem_response(request, drf.APIException(code="server_error"))


def _problem(exc: Exception) -> Problem:
    if isinstance(exc, BillingError):
        return _billing_problem(exc)
    if isinstance(exc, drf.APIException):
        return _drf_problem(exc)
    if isinstance(exc, Http404):
        return Problem(status=HTTPStatus.NOT_FOUND, code="not_found")
    if isinstance(exc, PermissionDenied):
        return Problem(status=HTTPStatus.FORBIDDEN, code="permission_denied")
    if isinstance(exc, RequestDataTooBig):
        return Problem(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE, code="request_too_large")
    if isinstance(exc, SuspiciousOperation):
        return Problem(status=HTTPStatus.BAD_REQUEST, code="bad_request")
    if isinstance(exc, DatabaseFailure):
        logger.error("api.database_failed", exc_info=exc)
        return Problem(
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            code="unavailable",
            headers={"Retry-After": str(_RETRY_SECONDS)},
        )
    logger.error("api.failed", exc_info=exc)
    return Problem(status=HTTPStatus.INTERNAL_SERVER_ERROR, code="server_error")


def _billing_problem(exc: BillingError) -> Problem:
    if exc.http_status >= HTTPStatus.INTERNAL_SERVER_ERROR and not exc.retryable:
        logger.error("api.failed", extra={"code": exc.code}, exc_info=exc)
    return Problem(
        status=exc.http_status,
        code=exc.decline_code if isinstance(exc, PaymentDeclined) else exc.code,
        errors=_missing(exc) if isinstance(exc, ProfileIncomplete) else [],
        headers=_retry_after(exc),
    )


def _missing(exc: ProfileIncomplete) -> list[dict[str, str]]:
    detail = str(translation.gettext("This field is required."))
    return [{"field": name, "code": "required", "detail": detail} for name in exc.missing]


def _retry_after(exc: BillingError) -> dict[str, str]:
    if not exc.retryable:
        return {}
    if exc.retry_after is not None:
        seconds = exc.retry_after
    elif isinstance(exc, RequestInProgress):
        seconds = _RETRY_SECONDS_RUNNING
    elif isinstance(exc, ProviderUnavailable):
        seconds = conf.circuit_seconds
    else:
        seconds = _RETRY_SECONDS
    return {"Retry-After": str(seconds)}


def _drf_problem(exc: drf.APIException) -> Problem:
    if isinstance(exc, drf.ValidationError):
        return Problem(
            status=exc.status_code, code="validation_error", errors=list(_field_errors(exc.detail))
        )
    headers = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return Problem(status=exc.status_code, code=_code(exc), headers=headers)


def _code(exc: drf.APIException) -> str:
    if exc.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "server_error"
    codes = exc.get_codes()
    return codes if isinstance(codes, str) else exc.default_code


def _field_errors(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """Flatten DRF's nested errors: one entry each, the field as a dotted path."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            name = "" if name == "non_field_errors" else str(name)
            yield from _field_errors(inner, ".".join(filter(None, (path, name))))
    elif isinstance(detail, list | tuple):
        for index, inner in enumerate(detail):
            is_nested = isinstance(inner, Mapping | list | tuple)
            yield from _field_errors(inner, f"{path}.{index}" if is_nested and path else path)
    else:
        yield {
            "field": clean(path),
            "code": str(getattr(detail, "code", None) or "invalid"),
            "detail": clean(str(detail)),
        }
