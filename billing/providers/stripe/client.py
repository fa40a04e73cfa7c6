"""The only place that touches Stripe's SDK: calls, their time, and its errors as ours."""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
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
from billing.providers.http import Answer, as_of, left_open, never_connected, retry_after
from billing.providers.stripe.declines import decline_code
from billing.providers.stripe.events import API_VERSION
from billing.providers.types import JSON
from billing.providers.values import items, part, remote_id, text

if TYPE_CHECKING:
    import stripe

PAGE = 100
# Parameters of this name do not reach the wire: the SDK's raw_request takes them for itself.
_SWALLOWED = frozenset({"usage", "base"})
logger = logging.getLogger(__name__)


class StripeClient:
    """Calls to one Stripe account. The SDK is loaded at the first call; safe for threads."""

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
        self._attempts = _Attempts()

    def get(self, *path: str, expand: tuple[str, ...] = (), **params: object) -> Answer:
        """Return the object or list at `/v1/<path>`; raise the errors of billing.errors.

        What a server cannot expand it refuses with a 400 (a stand-in of an older version, say):
        the object is then read without, for expanded fields only make it more complete.
        """
        url = _url(path)
        try:
            return self._get(url, {**params, "expand": list(expand)} if expand else params)
        except InvalidRequest:
            if not expand:
                raise
            logger.warning("stripe.expand_refused", extra={"provider": self._alias, "path": url})
            return self._get(url, params)

    def post(
        self,
        *path: str,
        idempotency_key: str,
        expand: tuple[str, ...] = (),
        params: Mapping[str, object] | None = None,
    ) -> Answer:
        """Write at `/v1/<path>`; what is None is not sent, "" unsets.

        Raises OutcomeUnknown where Stripe may have done it: the same key asks again.
        """
        given = {**(params or {}), "expand": list(expand) or None}
        return self._write("post", _url(path), given, idempotency_key)

    def ask(self, *path: str, params: Mapping[str, object]) -> Answer:
        """Post at `/v1/<path>` what changes nothing there, so that its errors are those of a read;
        what is None is not sent. The SDK makes a key of its own, which Stripe wants with a POST."""
        return self._call("post", _url(path), params)

    def delete(self, *path: str, idempotency_key: str) -> Answer:
        """Delete `/v1/<path>`. Stripe looks at keys of POST only: deleted before is "missing"."""
        return self._write("delete", _url(path), {}, idempotency_key)

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
            last = remote_id(found[-1])
            if not last:
                raise ProviderError("a page ends in what has no id", provider=self._alias)
            params["starting_after"] = last

    def _get(self, url: str, params: Mapping[str, object]) -> Answer:
        return self._call("get", url, params)

    def _write(self, method: str, url: str, params: Mapping[str, object], key: str) -> Answer:
        self._attempts.is_open = False
        try:
            return self._call(method, url, {**params, "idempotency_key": key})
        except ProviderError as exc:
            is_undecided = type(exc) is ProviderError
            if is_undecided or (self._attempts.is_open and isinstance(exc, _OF_ONE_SENDING)):
                raise left_open(exc) from None
            raise

    def _call(self, method: str, url: str, params: Mapping[str, object]) -> Answer:
        if not _SWALLOWED.isdisjoint(params):
            raise ValueError(f"the SDK would not send all of {sorted(params)}")
        sdk = self._load()
        wall, started = datetime.now(UTC), time.monotonic()
        with self._translated():
            response: Any = sdk.raw_request(method, url, **params)
        duration = timedelta(seconds=time.monotonic() - started)
        if not isinstance(response.data, dict):
            raise ProviderError("Stripe's answer is not an object", provider=self._alias)
        return Answer(body=response.data, as_of=as_of(response.headers, wall, duration))

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
            http_client=_noting_client(self._timeouts, self._attempts),
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


class _Attempts(threading.local):
    """Whether a sending of this thread's write may have had its effect, the SDK's repeats too."""

    is_open = False


def _noting_client(timeouts: tuple[float, float], attempts: _Attempts) -> "stripe.RequestsClient":
    """The SDK's HTTP client. It tells of the last sending only: after one whose answer was lost, a
    repeat that is refused or not even connected does not mean that nothing was done."""
    import stripe

    class NotingClient(stripe.RequestsClient):
        def request(self, *args: Any, **options: Any) -> Any:
            try:
                answer = super().request(*args, **options)
            except stripe.APIConnectionError as exc:
                attempts.is_open |= not never_connected(exc.__cause__)
                raise
            attempts.is_open |= answer[1] >= 500 or answer[1] == 409
            return answer

    return NotingClient(timeout=timeouts)


def _url(path: tuple[str, ...]) -> str:
    return "/".join(("/v1", *(quote(each, safe="") for each in path)))


def translate(error: "stripe.StripeError", alias: str) -> ProviderError:
    """Return our error for one of the SDK's, as it stands for a read: nothing was done at Stripe.

    The message holds Stripe's codes only; its text may quote the key or what was sent.
    """
    import stripe

    body = part(error.json_body, "error")
    code = text(error.code) or text(body.get("code")) or _unnamed(body) or text(body.get("type"))
    about: dict[str, Any] = {
        "provider": alias,
        "provider_code": code,
        "request_id": error.request_id or "",
    }
    message = f"Stripe answered {error.http_status or 'nothing'} {code}".rstrip()
    if isinstance(error, stripe.CardError):
        return PaymentDeclined(message, decline_code=decline_code(body), **about)
    if isinstance(error, stripe.InvalidRequestError):
        if _is_about_coupon(error.param or "", code):
            return InvalidRequest(message, param="coupon", **about)
        if error.http_status == 404 or code == "resource_missing":
            return ProviderObjectMissing(message, **about)
        return InvalidRequest(message, param=error.param or "", **about)
    if isinstance(error, stripe.RateLimitError):
        return RateLimited(message, retry_after=retry_after(error.headers), **about)
    return _PLAIN.get(type(error).__name__, _by_status(error))(message, **about)


def _is_about_coupon(param: str, code: str) -> bool:
    """Stripe names the place in what was sent: `discounts[0][promotion_code]`."""
    return "discount" in param or "coupon" in f"{param} {code}" or "promotion_code" in param


def _unnamed(body: JSON) -> str:
    """The code of what Stripe tells by text only: meter events of v1; those of v2 have this one."""
    is_duplicate = "already exists with identifier" in text(body.get("message"))
    return "duplicate_meter_event" if is_duplicate else ""


_PLAIN: dict[str, type[ProviderError]] = {
    "AuthenticationError": CredentialsRejected,
    "PermissionError": CredentialsRejected,
    "IdempotencyError": ProviderKeyConflict,
    "APIConnectionError": ProviderUnavailable,
}


# What tells of one sending only: an earlier one of the same write may have had its effect.
_OF_ONE_SENDING = (CredentialsRejected, ProviderKeyConflict, ProviderUnavailable, RateLimited)


def _by_status(error: "stripe.StripeError") -> type[ProviderError]:
    return ProviderUnavailable if (error.http_status or 0) >= 500 else ProviderError
