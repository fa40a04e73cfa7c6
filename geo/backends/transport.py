"""One GET that is over in time, whatever the other side does.

The time-outs of requests count per read, and a name look-up has none: a server that sends a byte
now and then holds its caller for ever. So each call runs in a thread of its own, which is waited
for only so long; then its connection is cut, which ends it. Imported at the first call: requests
is slow to load.
"""

import contextlib
import json
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from geo.backends.base import LookupFailed

_HEADERS = {
    "User-Agent": "django-cobro-geo",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}
_MAX_BYTES = 16 * 1024
_LONGEST_RETRY_AFTER = 86_400


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A JSON object that came with status 200."""

    told: Mapping[str, Any]
    headers: Mapping[str, str]


def get_json(url: str, parameters: Mapping[str, str], seconds: float) -> Answer:
    """Return the answer, within `seconds` for everything together; redirects are not followed.

    Raises LookupFailed: timeout, unreachable, rate_limited (429), http_<status>, too_large,
    not_json, no_thread. Neither address nor key is in its text.
    """
    call = _Call(url, parameters, seconds)
    try:
        call.start()
    except RuntimeError:  # the system gives no more, or the interpreter is ending
        raise LookupFailed("no_thread") from None
    call.join(seconds)
    return call.result()


def seconds_of(headers: Mapping[str, str], name: str) -> int:
    """Return the seconds that a header tells, at most a day; 0 where it tells none."""
    text = headers.get(name, "")
    is_number = text.isascii() and text.isdigit() and len(text) < 10
    return min(int(text), _LONGEST_RETRY_AFTER) if is_number else 0


class _Call(threading.Thread):
    def __init__(self, url: str, parameters: Mapping[str, str], seconds: float) -> None:
        super().__init__(name="geo-call", daemon=True)
        self._request = (url, parameters, seconds)
        self._outcome: Answer | LookupFailed | None = None
        self._connection: socket.socket | None = None
        self._is_over = False

    def run(self) -> None:
        try:
            self._outcome = self._get()
        except LookupFailed as error:
            self._outcome = error
        except requests.Timeout:
            self._outcome = LookupFailed("timeout")
        except (OSError, ValueError, HTTPError):  # requests' own among them, and urllib3's
            self._outcome = LookupFailed("unreachable")
        finally:
            if self._connection:
                self._connection.close()

    def result(self) -> Answer:
        """Return or raise what became of the call; cut it off where it is not done."""
        outcome = self._outcome
        if outcome is None:
            self._is_over = True
            self._cut()
            raise LookupFailed("timeout")
        if isinstance(outcome, LookupFailed):
            raise outcome
        return outcome

    def watch(self, connection: socket.socket) -> None:
        """Keep a handle of the call's connection, for it changes its object when TLS begins."""
        self._connection = connection.dup()
        if self._is_over:
            self._cut()

    def _cut(self) -> None:
        if self._connection:
            with contextlib.suppress(OSError):  # it has just ended by itself
                self._connection.shutdown(socket.SHUT_RDWR)

    def _get(self) -> Answer:
        url, parameters, seconds = self._request
        with requests.Session() as session:
            for scheme in ("http://", "https://"):
                session.mount(scheme, _Adapter())
            with session.get(
                url,
                params=parameters,
                headers=_HEADERS,
                timeout=seconds,
                allow_redirects=False,
                stream=True,
            ) as response:
                return _read(response)


def _read(response: requests.Response) -> Answer:
    if response.status_code == requests.codes.too_many_requests:
        headers = response.headers
        wait = seconds_of(headers, "Retry-After") or seconds_of(headers, "X-Ttl")
        raise LookupFailed("rate_limited", retry_after=wait)
    if response.status_code != requests.codes.ok:
        raise LookupFailed(f"http_{response.status_code}")
    try:
        told = json.loads(_body(response))
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise LookupFailed("not_json")
    return Answer(told=told, headers=response.headers)


def _body(response: requests.Response) -> bytes:
    body = b""
    for chunk in response.iter_content(_MAX_BYTES + 1):
        body += chunk
        if len(body) > _MAX_BYTES:
            raise LookupFailed("too_large")
    return body


# --- connections that tell the call whose they are -----------------------------------------------


class _Watched(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        connection = super()._new_conn()
        call = threading.current_thread()
        if isinstance(call, _Call):
            call.watch(connection)
        return connection


class _WatchedTls(_Watched, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


_POOLS = {"http": _Pool, "https": _TlsPool}


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager
