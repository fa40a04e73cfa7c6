"""What is the same at every provider that is called over HTTP: bounded sending, the time from which
on an answer was true, and whether a write that failed may have had its effect."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from billing.errors import OutcomeUnknown, ProviderError, ProviderUnavailable
from billing.providers.types import JSON

if TYPE_CHECKING:
    import requests

# A server that is away for a moment; by an answer of its own it has done nothing for a GET.
_AWAY = (502, 503, 504)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The provider's JSON and the moment, in the provider's clock, from which on it was true."""

    body: JSON
    as_of: datetime


class Lost(ProviderUnavailable):
    """Sent, and not answered, or by a failure of the server's: a write may have been done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A part of a list. `next_cursor` is '' at the end."""

    found: list[JSON]
    as_of: datetime
    next_cursor: str


class Transport:
    """Sends with time-outs, through one session per thread. Loads `requests` at the first call.

    A connection that is not made, and a GET that is not answered, are tried `max_retries` times
    more; what else was sent is never sent again. Redirects are answers like any other.
    """

    def __init__(
        self, *, connect_timeout_seconds: float, read_timeout_seconds: float, max_retries: int
    ) -> None:
        self._timeouts = (connect_timeout_seconds, read_timeout_seconds)
        self._max_retries = max_retries
        self._threads = threading.local()

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: str | None
    ) -> "requests.Response":
        """Return what came back, whatever its status; raise the exceptions of `requests`."""
        return self._session().request(
            method,
            url,
            headers=headers,
            data=None if body is None else body.encode(),
            timeout=self._timeouts,
            allow_redirects=False,
        )

    def _session(self) -> "requests.Session":
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = self._threads.session = self._build()
        return session

    def _build(self) -> "requests.Session":
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3 import Retry

        retries = Retry(
            self._max_retries,
            allowed_methods=("GET",),
            status_forcelist=_AWAY,
            backoff_factor=0.2,
            raise_on_status=False,
            respect_retry_after_header=False,
        )
        session = requests.Session()
        session.auth = _as_it_is  # else a .netrc would put its password in the place of our key
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(max_retries=retries))
        return session


def _as_it_is(request: "requests.PreparedRequest") -> "requests.PreparedRequest":
    return request


@contextmanager
def begun(is_begun: bool = True) -> Iterator[None]:
    """For the later calls of a write of several: a refusal does not mean that nothing was done."""
    try:
        yield
    except ProviderError as exc:
        if is_begun:
            raise left_open(exc) from None
        raise


@contextmanager
def writing() -> Iterator[None]:
    """For one write: what leaves open whether it was done is raised as OutcomeUnknown."""
    try:
        yield
    except ProviderError as exc:
        if type(exc) in (ProviderError, Lost):
            raise left_open(exc) from None
        raise


def left_open(error: ProviderError) -> OutcomeUnknown:
    """Return the error of a write that may have had its effect."""
    return OutcomeUnknown(
        error.message,
        provider=error.provider,
        provider_code=error.provider_code,
        request_id=error.request_id,
    )


def never_connected(error: BaseException | None) -> bool:
    """Whether an exception of `requests` says that nothing was sent."""
    from requests import ConnectionError as NoConnection
    from requests import ConnectTimeout
    from urllib3.exceptions import NewConnectionError

    if isinstance(error, ConnectTimeout):
        return True
    inner = error.args[0] if isinstance(error, NoConnection) and error.args else None
    return isinstance(getattr(inner, "reason", None), NewConnectionError)


def header(headers: Mapping[str, str], name: str) -> str | None:
    """Return a header's value, however its name is written; None when there is none."""
    found = (value for given, value in headers.items() if given.lower() == name.lower())
    return next(found, None)


def retry_after(headers: Mapping[str, str] | None) -> int | None:
    """Return the seconds that the server asks to wait for."""
    value = header(headers or {}, "Retry-After") or ""
    return int(value) if value.isascii() and value.isdigit() else None


def as_of(headers: Mapping[str, str], wall: datetime, duration: timedelta) -> datetime:
    """The server's clock less the whole call: what we read is at least as new. Down to a second,
    for events are stamped in whole seconds. Our own clock, as it was at the start (`wall`), stands
    in when there is no Date."""
    try:
        started = parsedate_to_datetime(headers["Date"]).astimezone(UTC) - duration
    except (KeyError, TypeError, ValueError, OverflowError):
        started = wall
    return started.replace(microsecond=0)
