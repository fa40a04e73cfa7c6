"""How the API describes itself in OpenAPI: headers, problem documents, paths."""

from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from billing.api.exceptions import CONTENT_TYPE
from billing.api.idempotency import KEY_HEADER, REPLAYED_HEADER
from billing.api.permissions import ORGANIZATION_HEADER
from billing.enums import BillingInterval
from billing.models.base import choices

INTERVALS = choices(BillingInterval)  # named in SPECTACULAR_SETTINGS["ENUM_NAME_OVERRIDES"]
Method = TypeVar("Method", bound=Callable[..., Any])

_PUBLIC_PROBLEMS = (400, 404, 406, 413, 415, 429, 500, 503)
_READ_PROBLEMS = (*_PUBLIC_PROBLEMS, 401, 403)
_WRITE_PROBLEMS = (*_READ_PROBLEMS, 402, 409, 422, 502)
_ORGANIZATION = OpenApiParameter(
    ORGANIZATION_HEADER,
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Id of one of the caller's organizations; needed where there are several.",
)
_KEY = OpenApiParameter(
    KEY_HEADER,
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x20-\x7e]+$"},
    OpenApiParameter.HEADER,
    description=(
        "The same key with the same request has one effect and one answer; with another request "
        "it is 409 idempotency_conflict."
    ),
)


class FieldErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(help_text="Dotted path; '' for the whole body")
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457. `code` is stable; `detail` is for people, in English or Spanish."""

    type = serializers.CharField(help_text="urn:cobro:problem:<code>")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    request_id = serializers.CharField()

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "errors": FieldErrorSerializer(many=True)}


def describe(
    summary: str,
    *,
    response: Any,
    status: int = HTTPStatus.OK,
    request: Any = None,
    parameters: Sequence[Any] = (),
    is_write: bool = False,
    asks_provider: bool = False,
    is_public: bool = False,
    may_be_empty: bool = False,
) -> Callable[[Method], Method]:
    """Describe one viewset method, with the headers and problems that all of its kind share."""
    problems: tuple[int, ...] = _PUBLIC_PROBLEMS if is_public else _READ_PROBLEMS
    if is_write or asks_provider:
        problems = _WRITE_PROBLEMS
    headers = [] if is_public else [_ORGANIZATION, *([_KEY, _replayed(status)] if is_write else [])]
    empty = {HTTPStatus.NO_CONTENT: None} if may_be_empty else {}
    decorator: Callable[[Method], Method] = extend_schema(
        summary=summary,
        request=request,
        parameters=[*parameters, *headers],
        responses={status: response, **empty, **_problems(problems)},
        auth=[] if is_public else None,
    )
    return decorator


def strip_final_slash(
    endpoints: Iterable[tuple[str, str, str, Any]],
) -> list[tuple[str, str, str, Any]]:
    """Preprocessing hook: each path answers with and without its final slash; list the latter."""
    return [
        (path.rstrip("/") or "/", path_regex, method, callback)
        for path, path_regex, method, callback in endpoints
    ]


def _replayed(status: int) -> OpenApiParameter:
    return OpenApiParameter(
        REPLAYED_HEADER,
        OpenApiTypes.BOOL,
        OpenApiParameter.HEADER,
        description="true when this is the kept answer of the first request",
        response=[status],
    )


def _problems(statuses: Iterable[int]) -> dict[tuple[int, str], OpenApiResponse]:
    return {
        (status, CONTENT_TYPE): OpenApiResponse(
            ProblemSerializer, description=HTTPStatus(status).phrase
        )
        for status in sorted(statuses)
    }
