"""The only place that touches Stripe's SDK: calls, their time, and its errors as ours."""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from billing.errors import (
    CredentialsRejected,
    InvalidRequest,
    PaymentDeclined,
    ProviderError,
    ProviderKeyConflict,
    ProviderObjectMissing,
    ProviderUnavailable,
    RateLimited,
)
from billing.providers.stripe.declines import decline_code
from billing.providers.stripe.events import API_VERSION
from billing.providers.stripe.values import items, part, remote_id, text
from billing.providers.types import JSON

if TYPE_CHECKING:
    import stripe

PAGE = 100
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Stripe's JSON and the moment, in Stripe's clock, from which on it was true."""

    body: JSON
    as_of: datetime


class StripeClient:
    """Reads from one Stripe account. The SDK is loaded at the first call; safe for threads."""

    def __init__(
        self,
        *,
        alias: str,
        api_key: str,
        api_base: str,
        connect_timeout_seconds: float,
        read_timeout_seconds: float,
        max_retries: int,
    ) -> None:
        self._alias = alias
        self._api_key = api_key
        self._api_base = api_base
        self._timeouts = (connect_timeout_seconds, read_timeout_seconds)
        self._max_retries = max_retries
        self._lock = threading.Lock()
        self._sdk: stripe.StripeClient | None = None

    def get(self, *path: str, expand: tuple[str, ...] = (), **params: object) -> Answer:
        """Return the object or list at `/v1/<path>`; raise the errors of billing.errors.

        What a server cannot expand it refuses with a 400 (a stand-in of an older version, say):
        the object is then read without, for expanded fields only make it more complete.
        """
        url = "/".join(("/v1", *(quote(each, safe="") for each in path)))
        try:
            return self._get(url, {**params, "expand": list(expand)} if expand else params)
        except InvalidRequest:
            if not expand:
                raise
            logger.warning("stripe.expand_refused", extra={"provider": self._alias, "path": url})
            return self._get(url, params)

    def pages(
        self, *path: str, limit: int | None = None, expand: tuple[str, ...] = (), **params: object
    ) -> Iterator[tuple[JSON, datetime]]:
        """Yield the objects of a list with the `as_of` of their page, at most `limit`."""
        left = limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            answer = self.get(*path, expand=expand, limit=size, **params)
            found = items(answer.body)
            yield from ((each, answer.as_of) for each in found)
            left = None if left is None else left - len(found)
            if not found or answer.body.get("has_more") is not True:
                return
            params["starting_after"] = remote_id(found[-1])

    def _get(self, url: str, params: Mapping[str, object]) -> Answer:
        sdk = self._load()
        wall, started = datetime.now(UTC), time.monotonic()
        with self._translated():
            response: Any = sdk.raw_request("get", url, **params)
        duration = timedelta(seconds=time.monotonic() - started)
        if not isinstance(response.data, dict):
            raise ProviderError("Stripe's answer is not an object", provider=self._alias)
        return Answer(body=response.data, as_of=_as_of(response.headers, wall, duration))

    def _load(self) -> "stripe.StripeClient":
        if not self._api_key:
            raise CredentialsRejected("no Stripe API key is configured", provider=self._alias)
        with self._lock:
            if self._sdk is None:
                self._sdk = self._build()
            return self._sdk

    def _build(self) -> "stripe.StripeClient":
        import stripe

        return stripe.StripeClient(
            self._api_key,
            stripe_version=API_VERSION,
            base_addresses={"api": self._api_base},
            http_client=stripe.RequestsClient(timeout=self._timeouts),
            max_network_retries=self._max_retries,
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        import stripe

        try:
            yield
        except stripe.StripeError as exc:
            # Not "from exc": a stored traceback would show the SDK's text, which quotes bodies.
            raise translate(exc, self._alias) from None


def translate(error: "stripe.StripeError", alias: str) -> ProviderError:
    """Return our error for one of the SDK's, raised by a read: nothing was done at Stripe.

    The message holds Stripe's codes only; its text may quote the key or what was sent.
    """
    import stripe

    body = part(error.json_body, "error")
    code = text(error.code) or text(body.get("code")) or text(body.get("type"))
    about: dict[str, Any] = {
        "provider": alias,
        "provider_code": code,
        "request_id": error.request_id or "",
    }
    message = f"Stripe answered {error.http_status or 'nothing'} {code}".rstrip()
    if isinstance(error, stripe.CardError):
        return PaymentDeclined(message, decline_code=decline_code(body), **about)
    if isinstance(error, stripe.InvalidRequestError):
        if error.http_status == 404 or code == "resource_missing":
            return ProviderObjectMissing(message, **about)
        return InvalidRequest(message, param=error.param or "", **about)
    if isinstance(error, stripe.RateLimitError):
        return RateLimited(message, retry_after=_retry_after(error.headers), **about)
    return _PLAIN.get(type(error).__name__, _by_status(error))(message, **about)


_PLAIN: dict[str, type[ProviderError]] = {
    "AuthenticationError": CredentialsRejected,
    "PermissionError": CredentialsRejected,
    "IdempotencyError": ProviderKeyConflict,
    "APIConnectionError": ProviderUnavailable,
}


def _by_status(error: "stripe.StripeError") -> type[ProviderError]:
    return ProviderUnavailable if (error.http_status or 0) >= 500 else ProviderError


def _retry_after(headers: Mapping[str, str] | None) -> int | None:
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    value = lower.get("retry-after", "")
    return int(value) if value.isascii() and value.isdigit() else None


def _as_of(headers: Mapping[str, str], wall: datetime, duration: timedelta) -> datetime:
    """The server's clock less the whole call: what we read is at least as new. Down to a second,
    for events are stamped in whole seconds. Our own clock stands in when there is no Date."""
    try:
        started = parsedate_to_datetime(headers["Date"]).astimezone(UTC) - duration
    except (KeyError, TypeError, ValueError, OverflowError):
        started = wall
    return started.replace(microsecond=0)
