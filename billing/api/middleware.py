"""What stands before every view: a request id, and the refusal of card numbers."""

import ipaddress
import json
import logging
import re
import uuid
from collections.abc import Callable, Iterator
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from rest_framework.exceptions import ParseError, UnsupportedMediaType

from billing.api.exceptions import API_PREFIX, RequestTooLarge, problem_response
from billing.cards import contains_card_number
from billing.errors import CardNumberRefused
from billing.logs import request_id

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]
REQUEST_ID_HEADER = "X-Request-ID"
MAX_API_BODY = 1024 * 1024
WEBHOOK_PREFIX = "/webhooks/"
_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_UTF8_NAMES = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_UNSCANNED_HEADERS = frozenset(
    {
        "content-length",
        "cookie",  # read cookie by cookie
        "date",
        "if-modified-since",
        "if-unmodified-since",
        "traceparent",
        "tracestate",
    }
)


class RequestIdMiddleware:
    """Gives each request an id: the client's X-Request-ID when sane, else a new one; echoes it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(REQUEST_ID_HEADER, "")
        is_sane = _SANE_REQUEST_ID.fullmatch(given) and not contains_card_number(given)
        current = given if is_sane else uuid.uuid4().hex
        request_id.set(current)  # not reset: Django logs the answer after the middleware
        response = self.get_response(request)
        response.headers[REQUEST_ID_HEADER] = current
        return response


class CardNumberMiddleware:
    """Refuses any request that holds what looks like a card number, wherever it stands.

    Webhooks are exempt: their bodies are signed, and masked where they are stored. A number
    split over several fields is not found. The body of an API request is limited to 1 MiB.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not _is_exempt(request.path) and (refusal := _refusal(request)):
            return _unlogged(problem_response(request, refusal))
        return self.get_response(request)


def _unlogged(response: HttpResponse) -> HttpResponse:
    """Keep Django from logging the path and the request, which may be what was refused."""
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _is_exempt(path: str) -> bool:
    static = settings.STATIC_URL or ""
    return path.startswith(WEBHOOK_PREFIX) or (len(static) > 1 and path.startswith(static))


def _refusal(request: HttpRequest) -> Exception | None:
    charset = (request.content_params or {}).get("charset", "utf-8")
    if charset.strip("\"'").lower() not in _UTF8_NAMES:
        return UnsupportedMediaType(request.content_type or "")  # could hide digits from us
    try:
        body = _body(request)
    except (RequestTooLarge, RequestDataTooBig):
        return RequestTooLarge()
    except UnreadablePostError:
        return ParseError()
    if any(contains_card_number(text) for text in _texts(request, body)):
        logger.warning("card_number.refused", extra={"method": request.method})
        return CardNumberRefused()
    return None


def _body(request: HttpRequest) -> bytes:
    length = request.META.get("CONTENT_LENGTH") or "0"
    is_api = request.path.startswith(API_PREFIX)
    if is_api and length.isdecimal() and (len(length) > 9 or int(length) > MAX_API_BODY):
        raise RequestTooLarge
    return request.body


def _texts(request: HttpRequest, body: bytes) -> Iterator[str]:
    """Yield each text of the request by itself, so that neighbours do not join into a number."""
    yield request.path
    yield from _pairs(request.META.get("QUERY_STRING", ""))
    yield from _headers(request)
    if body:
        yield from _body_texts(request.content_type or "", body)


def _pairs(encoded: str) -> Iterator[str]:
    for name, value in parse_qsl(encoded, keep_blank_values=True):
        yield name
        yield value


def _headers(request: HttpRequest) -> Iterator[str]:
    for name, value in request.headers.items():
        yield name
        if name.lower() not in _UNSCANNED_HEADERS and not _is_addresses(value):
            yield _utf8(value)
    yield from _cookies(request.META.get("HTTP_COOKIE", ""))


def _cookies(header: str) -> Iterator[str]:
    own = {settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME}
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name not in own:
            yield _utf8(name)
            yield _utf8(_unquoted(value))


def _unquoted(value: str) -> str:
    """A cookie's value as Django reads it: quoted ones carry octal escapes."""
    if not value.startswith('"'):
        return value
    try:
        return next((morsel.value for morsel in SimpleCookie(f"c={value}").values()), value)
    except CookieError:
        return value


def _is_addresses(value: str) -> bool:
    """Proxies list addresses, whose digits prove nothing."""
    try:
        for part in value.split(","):
            ipaddress.ip_address(part.strip())
    except ValueError:
        return False
    return True


def _utf8(value: str) -> str:
    """Headers arrive as Latin-1; read them as what was meant."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def _body_texts(content_type: str, body: bytes) -> Iterator[str]:
    text = body.decode(json.detect_encoding(body), "replace")
    if content_type == "application/x-www-form-urlencoded":
        yield from _pairs(text)
        return
    try:
        value = json.loads(
            text,
            parse_int=str,
            parse_float=str,
            parse_constant=str,
            object_pairs_hook=_all_pairs,
        )
    except (ValueError, RecursionError):
        yield text
        return
    yield from _leaves(value)


def _all_pairs(pairs: list[tuple[str, Any]]) -> list[Any]:
    """Every key and value, also of keys that come twice."""
    return [part for pair in pairs for part in pair]


def _leaves(value: Any) -> Iterator[str]:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, str):
            yield item
