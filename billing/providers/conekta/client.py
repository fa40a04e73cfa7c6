"""The only place that touches Conekta's SDK: calls, their time, and its errors as ours.

The SDK builds and checks requests. Its own HTTP (no time-outs) and its reading of answers (it
raises after a write that was done, when an optional key is missing) are left aside.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from billing.errors import (
    CredentialsRejected,
    InvalidPayload,
    InvalidRequest,
    PaymentDeclined,
    ProviderError,
    ProviderObjectMissing,
    ProviderUnavailable,
    RateLimited,
)
from billing.payloads import parse_object
from billing.providers.conekta import bodies
from billing.providers.conekta.declines import decline_code
from billing.providers.http import (
    Answer,
    Listed,
    Lost,
    Transport,
    as_of,
    never_connected,
    retry_after,
    writing,
)
from billing.providers.types import JSON
from billing.providers.values import items, remote_id, text

if TYPE_CHECKING:
    import requests

PAGE = 250  # the most that Conekta lists at once


class ConektaClient:
    """Calls to one Conekta account. The SDK is loaded at the first call; safe for threads.

    `api` and `operation` are the SDK's names ("CustomersApi", "get_customer_by_id"), arguments
    those of the operation; a body is given as a dict, under the name of its parameter. What is None
    is not sent. Conekta keeps no idempotency keys: a write is never sent twice here.
    """

    def __init__(self, *, alias: str, api_key: str, api_base: str, is_live: bool, **bounds: Any):
        self._alias = alias
        self._api_key = api_key
        self._api_base = api_base
        self._is_live = is_live
        self._is_proven = False
        self._transport = Transport(**bounds)
        self._lock = threading.Lock()
        self._sdk: Any = None

    def read(self, api: str, operation: str, **arguments: object) -> Answer:
        """Return the object or list; raise the errors of billing.errors."""
        return self._call(api, operation, arguments)

    def write(self, api: str, operation: str, **arguments: object) -> Answer:
        """Change something. Raises OutcomeUnknown where Conekta may have done it: look for it then,
        before it is sent again."""
        self._refuse_a_key_of_another_mode()
        with writing():
            return self._call(api, operation, arguments)

    def page(
        self, api: str, operation: str, *, cursor: str = "", limit: int = PAGE, **arguments: Any
    ) -> Listed:
        """Read a part of a list.

        The specification answers some lists with the one object that is in them.
        """
        answer = self.read(api, operation, next=cursor or None, limit=limit, **arguments)
        body = answer.body
        found = [body] if remote_id(body) and "data" not in body else items(body)
        return Listed(found=found, as_of=answer.as_of, next_cursor=self._cursor(body, found))

    def pages(self, api: str, operation: str, **arguments: Any) -> Iterator[tuple[JSON, datetime]]:
        """Yield the objects of a whole list with the `as_of` of their page."""
        cursor = ""
        while True:
            listed = self.page(api, operation, cursor=cursor, **arguments)
            yield from ((each, listed.as_of) for each in listed.found)
            if not listed.next_cursor:
                return
            if listed.next_cursor == cursor:
                raise ProviderError("a list does not go on", provider=self._alias)
            cursor = listed.next_cursor

    def _cursor(self, body: JSON, found: list[JSON]) -> str:
        """Conekta names the next page by URL (`?next=<id>`), else it goes on after the last id."""
        if not found or body.get("has_more") is not True:
            return ""
        query = parse_qs(urlsplit(text(body.get("next_page_url"))).query)
        cursor = next(iter(query.get("next", [])), "") or remote_id(found[-1])
        if not cursor:
            raise ProviderError("a page ends in what has no id", provider=self._alias)
        return cursor

    def _refuse_a_key_of_another_mode(self) -> None:
        """Conekta's keys do not show what they are; what they read does. Looked at before the first
        write: nothing may be charged in the other world."""
        if not self._is_proven:
            self.read("PlansApi", "get_plans", limit=1)

    def _call(self, api: str, operation: str, arguments: Mapping[str, object]) -> Answer:
        sdk = self._load()
        wall, started = datetime.now(UTC), time.monotonic()
        with self._translated():
            call = getattr(_module(api)(sdk), f"{operation}_without_preload_content")
            response: requests.Response = call(**_sendable(arguments))
        duration = timedelta(seconds=time.monotonic() - started)
        body = self._body(response)
        return Answer(body=body, as_of=as_of(response.headers, wall, duration))

    def _body(self, response: "requests.Response") -> JSON:
        try:
            body = parse_object(response.content)
        except InvalidPayload:
            body = {}
        if not 200 <= response.status_code < 300:
            raise translate(response.status_code, body, response.headers, self._alias)
        if not body:
            raise ProviderError("Conekta's answer is not an object", provider=self._alias)
        self._check_mode(body)
        return body

    def _check_mode(self, body: JSON) -> None:
        told = [each["livemode"] for each in (body, *items(body)) if "livemode" in each]
        if (not self._is_live) in told:
            raise CredentialsRejected(
                "the key is not one of this mode: what it reads is of the other one",
                provider=self._alias,
            )
        self._is_proven = self._is_proven or bool(told)

    def _load(self) -> Any:
        if not self._api_key:
            raise CredentialsRejected("no Conekta API key is configured", provider=self._alias)
        with self._lock:
            if self._sdk is None:
                self._sdk = self._build()
            return self._sdk

    def _build(self) -> Any:
        import conekta

        settings = conekta.Configuration(host=self._api_base, access_token=self._api_key)
        sdk: Any = conekta.ApiClient(settings)
        sdk.rest_client = _RestClient(self._transport)
        return sdk

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The SDK checks a request before it is sent (pydantic's errors are ValueErrors). Not "from
        exc": a stored traceback would show texts that quote what was to be sent."""
        import requests

        try:
            yield
        except requests.RequestException as exc:
            kind = ProviderUnavailable if never_connected(exc) else Lost
            raise kind("Conekta did not answer", provider=self._alias) from None
        except ValueError as exc:
            about = {"param": _place(exc), "provider": self._alias}
            raise InvalidRequest("Conekta's SDK refuses the request", **about) from None


class _RestClient:
    """In the place of the SDK's own HTTP: sends through our transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        post_params: object = None,
        _request_timeout: object = None,
    ) -> SimpleNamespace:
        """What the SDK hands back unread: it looks for `response` only."""
        sent = None if body is None else json.dumps(body)
        response = self._transport.send(method, url, headers=headers or {}, body=sent)
        return SimpleNamespace(response=response)


def translate(status: int, body: JSON, headers: Mapping[str, str], alias: str) -> ProviderError:
    """Return our error for an answer that is none, as it stands for a read.

    The message holds Conekta's code only; its texts may quote what was sent.
    """
    detail = next(iter(items(body.get("details"))), {})
    code = text(detail.get("code")) or text(body.get("type"))
    about: dict[str, Any] = {
        "provider": alias,
        "provider_code": code,
        "request_id": text(body.get("log_id")),
    }
    message = f"Conekta answered {status} {code}".rstrip()
    if status in (401, 403):
        return CredentialsRejected(message, **about)
    if status == 429:
        return RateLimited(message, retry_after=retry_after(headers), **about)
    if status >= 500:
        return Lost(message, **about)
    if body.get("object") != "error":
        return ProviderError(message, **about)
    return _refusal(status, text(detail.get("param")), message, about)


def _refusal(status: int, param: str, message: str, about: dict[str, Any]) -> ProviderError:
    code = about["provider_code"]
    if status == 404:
        return ProviderObjectMissing(message, **about)
    if ".tokenization." in code:
        return InvalidRequest(message, param="token", **about)
    if status == 402:
        return PaymentDeclined(message, decline_code=decline_code(code), **about)
    return InvalidRequest(message, param=param, **about)


def _module(name: str) -> Any:
    import conekta

    return getattr(conekta, name)


def _sendable(arguments: Mapping[str, object]) -> dict[str, Any]:
    given = {name: value for name, value in arguments.items() if value is not None}
    return {
        name: bodies.body(name, value) if isinstance(value, Mapping) else value
        for name, value in given.items()
    }


def _place(error: ValueError) -> str:
    """Return where in the request pydantic found the fault; '' when it does not say."""
    found = error.errors() if hasattr(error, "errors") else []
    return ".".join(str(each) for each in found[0]["loc"]) if found else ""
