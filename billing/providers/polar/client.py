"""The only place that calls Polar: its time, its answers read tolerantly, its errors as ours.

Plain HTTP instead of Polar's SDK, which refuses answers with a word or without a key that it does
not expect, after the write was done; pins a beta, and has no retries.
"""

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

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
from billing.providers.polar.events import API_VERSION
from billing.providers.types import JSON
from billing.providers.values import items, part, text, whole

if TYPE_CHECKING:
    import requests

PAGE = 100  # the most that Polar lists at once
LONGEST_WAIT_SECONDS = 2  # for which a caller is kept; told to wait longer, it is told so


class PolarClient:
    """Calls to one Polar organization; safe for threads.

    A path is given in parts, and ends in "" where Polar's ends in "/". Polar keeps no idempotency
    keys: a write is sent twice only where the first was refused for its rate (429).
    """

    def __init__(
        self, *, alias: str, api_key: str, api_base: str, max_retries: int, **timeouts: float
    ) -> None:
        self._alias = alias
        self._api_key = api_key
        self._api_base = api_base
        self._max_retries = max_retries
        self._transport = Transport(max_retries=max_retries, **timeouts)

    def get(self, *path: str, **query: object) -> Answer:
        """Return the object or list at `/v1/<path>`; raise the errors of billing.errors. What is
        None is not sent, and a tuple's values each by themselves."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._call(
            "GET", _path(path) + (f"?{urlencode(given, doseq=True)}" if given else ""), None
        )

    def post(self, *path: str, body: Mapping[str, object]) -> Answer:
        """Make something at `/v1/<path>`. Raises OutcomeUnknown where Polar may have done it: look
        for it then, before it is sent again."""
        return self._write("POST", path, body)

    def patch(self, *path: str, body: Mapping[str, object]) -> Answer:
        """Change what is at `/v1/<path>`; raises as `post` does. None unsets."""
        return self._write("PATCH", path, body)

    def delete(self, *path: str) -> Answer:
        """Delete what is at `/v1/<path>`; raises as `post` does. The answer may be empty."""
        return self._write("DELETE", path, None)

    def page(self, *path: str, cursor: str = "", limit: int = PAGE, **query: object) -> Listed:
        """Read a part of a list; its cursor is the number of a page."""
        if cursor and not (cursor.isascii() and cursor.isdigit()):
            raise InvalidRequest("no cursor of a list", param="cursor", provider=self._alias)
        number = int(cursor or 1)
        answer = self.get(*path, page=number, limit=limit, **query)
        found = items(answer.body.get("items"))
        last = whole(part(answer.body, "pagination").get("max_page")) or 0
        goes_on = bool(found) and number < last
        following = str(number + 1) if goes_on else ""
        return Listed(found=found, as_of=answer.as_of, next_cursor=following)

    def pages(self, *path: str, **query: Any) -> Iterator[tuple[JSON, datetime]]:
        """Yield the objects of a whole list with the `as_of` of their page."""
        cursor = "1"
        while cursor:
            listed = self.page(*path, cursor=cursor, **query)
            yield from ((each, listed.as_of) for each in listed.found)
            cursor = listed.next_cursor

    def _write(self, method: str, path: tuple[str, ...], body: JSON | None) -> Answer:
        with writing():
            return self._call(method, _path(path), body)

    def _call(self, method: str, path: str, body: JSON | None) -> Answer:
        if not self._api_key:
            raise CredentialsRejected("no Polar access token is configured", provider=self._alias)
        wall, started = datetime.now(UTC), time.monotonic()
        response = self._send(method, path, None if body is None else json.dumps(body))
        duration = timedelta(seconds=time.monotonic() - started)
        return Answer(body=self._body(response), as_of=as_of(response.headers, wall, duration))

    def _send(self, method: str, path: str, body: str | None) -> "requests.Response":
        """Ask again, whatever the method, when a 429 says to wait for a moment: nothing was done
        (RFC 6585)."""
        for _ in range(self._max_retries):
            response = self._send_once(method, path, body)
            wait = retry_after(response.headers) if response.status_code == 429 else None
            if wait is None or wait > LONGEST_WAIT_SECONDS:
                return response
            time.sleep(wait)
        return self._send_once(method, path, body)

    def _send_once(self, method: str, path: str, body: str | None) -> "requests.Response":
        """Not "from exc": a stored traceback would show texts that quote what was to be sent."""
        import requests

        headers = {
            "Authorization": f"Bearer {self._api_key}",
            "Accept": "application/json",
            "Polar-Version": API_VERSION,
        } | ({} if body is None else {"Content-Type": "application/json"})
        try:
            return self._transport.send(method, self._api_base + path, headers=headers, body=body)
        except requests.RequestException as exc:
            kind = ProviderUnavailable if never_connected(exc) else Lost
            raise kind("Polar did not answer", provider=self._alias) from None

    def _body(self, response: "requests.Response") -> JSON:
        if response.status_code == 204:
            return {}
        try:
            body = parse_object(response.content)
        except InvalidPayload:
            body = {}
        if not 200 <= response.status_code < 300:
            raise translate(response.status_code, body, response.headers, self._alias)
        if not body:
            raise ProviderError("Polar's answer is not an object", provider=self._alias)
        return body


# What a 403 says of the token; every other name is about the object that was to be changed.
_OF_THE_TOKEN = ("", "NotPermitted", "Unauthorized", "insufficient_scope")


def translate(status: int, body: JSON, headers: Mapping[str, str], alias: str) -> ProviderError:
    """Return our error for an answer that is none, as it stands for a read.

    The message holds Polar's name of the error only: `detail` may quote what was sent.
    """
    code = text(body.get("error"))
    about: dict[str, Any] = {"provider": alias, "provider_code": code}
    message = f"Polar answered {status} {code}".rstrip()
    if status == 401 or (status == 403 and code in _OF_THE_TOKEN):
        return CredentialsRejected(message, **about)
    if status == 429:
        return RateLimited(message, retry_after=retry_after(headers), **about)
    if status >= 500:
        return Lost(message, **about)
    if not code and not items(body.get("detail")):
        return ProviderError(message, **about)
    return _refusal(status, body, message, about)


def _refusal(status: int, body: JSON, message: str, about: dict[str, Any]) -> ProviderError:
    """Polar's own no, so nothing was done. A subscription is locked while another change is made:
    no failure of Polar's, it may be asked again."""
    if status == 404:
        return ProviderObjectMissing(message, **about)
    if status == 402:
        return PaymentDeclined(message, decline_code=_decline_code(body), **about)
    if about["provider_code"] == "SubscriptionLocked":
        return RateLimited(message, **about)
    return InvalidRequest(message, param=_place(body), **about)


def _decline_code(body: JSON) -> str:
    is_undone = body.get("error") == "PaymentActionRequired"
    return "authentication_required" if is_undone else "card_declined"


def _place(body: JSON) -> str:
    """Return where in the request Polar found the first fault; '' when it does not say."""
    fault = next(iter(items(body.get("detail"))), {})
    place = fault.get("loc")
    found = [str(each) for each in place] if isinstance(place, list) else []
    return ".".join(found[1:] if found[:1] in (["body"], ["query"], ["path"]) else found)


def _path(parts: tuple[str, ...]) -> str:
    return "/".join(("/v1", *(quote(each, safe="") for each in parts)))
