"""Pages by key: the thousandth costs what the first does, and no row is shown twice or left out."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError as FieldValidationError
from django.db.models import Model, Q
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param
from rest_framework.views import APIView

NEWEST_FIRST = ("-created_at", "-id")
_CURSOR = "cursor"
_PAGE_SIZE = "page_size"


class KeysetPagination(BasePagination):
    """Cursor pages over the view's `ordering`, whose last field is unique. 25 rows, at most 100."""

    page_size = 25
    max_page_size = 100

    def paginate_queryset(
        self, queryset: Any, request: Request, view: APIView | None = None
    ) -> list[Any]:
        self.url = request.build_absolute_uri()
        self.ordering: Sequence[str] = getattr(view, "ordering", NEWEST_FIRST)
        cursor = request.query_params.get(_CURSOR, "")
        backwards, position = _decode(cursor, len(self.ordering)) if cursor else (False, None)
        rows = _rows(queryset, self.ordering, backwards, position, self._size(request) + 1)
        is_more = len(rows) > self._size(request)
        rows = rows[: self._size(request)]
        if backwards:
            rows.reverse()
        self.next = self._link(rows[-1:], False) if is_more or backwards else None
        self.previous = (
            self._link(rows[:1], True) if _has_previous(backwards, is_more, position) else None
        )
        return rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self.next, "previous": self.previous, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        return [
            _parameter(_CURSOR, "Where the page starts, from `next` or `previous`.", "string"),
            _parameter(_PAGE_SIZE, "Rows per page, at most 100; 25 without it.", "integer"),
        ]

    def _size(self, request: Request) -> int:
        text = request.query_params.get(_PAGE_SIZE, "")
        if not (text.isascii() and text.isdecimal()) or not text.strip("0"):
            return self.page_size
        return min(int(text[:9]), self.max_page_size)

    def _link(self, edge: Sequence[Model], backwards: bool) -> str | None:
        if not edge:
            return None
        names = [name.lstrip("-") for name in self.ordering]
        values = [str(edge[0].serializable_value(name)) for name in names]
        return replace_query_param(
            remove_query_param(self.url, _CURSOR), _CURSOR, _encode(backwards, values)
        )


def _has_previous(backwards: bool, is_more: bool, position: object) -> bool:
    return is_more if backwards else position is not None


def _rows(
    queryset: Any,
    ordering: Sequence[str],
    backwards: bool,
    position: Sequence[str] | None,
    limit: int,
) -> list[Any]:
    if backwards:
        ordering = [name[1:] if name.startswith("-") else f"-{name}" for name in ordering]
    try:
        if position is not None:
            queryset = queryset.filter(_beyond(ordering, position))
        return list(queryset.order_by(*ordering)[:limit])
    except (FieldValidationError, ValueError, OverflowError) as exc:
        raise _invalid_cursor() from exc


def _beyond(ordering: Sequence[str], position: Sequence[str]) -> Q:
    """Rows after `position`: (a, b) > (x, y), written so that an index on (a, b) is used."""
    name, value = ordering[0], position[0]
    field = name.lstrip("-")
    comparison = "lt" if name.startswith("-") else "gt"
    beyond = Q(**{f"{field}__{comparison}": value})
    if len(ordering) == 1:
        return beyond
    return Q(**{f"{field}__{comparison}e": value}) & (beyond | _beyond(ordering[1:], position[1:]))


def _encode(backwards: bool, values: Sequence[str]) -> str:
    text = json.dumps([backwards, *values], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str, length: int) -> tuple[bool, list[str]]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        backwards, *values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError, RecursionError) as exc:
        raise _invalid_cursor() from exc
    are_texts = all(isinstance(value, str) and "\x00" not in value for value in values)
    if not isinstance(backwards, bool) or len(values) != length or not are_texts:
        raise _invalid_cursor()
    return backwards, values


def _invalid_cursor() -> ValidationError:
    return ValidationError(
        {_CURSOR: [_("This is not a cursor of this list.")]}, code="invalid_cursor"
    )


def _parameter(name: str, description: str, kind: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": {"type": kind},
    }
