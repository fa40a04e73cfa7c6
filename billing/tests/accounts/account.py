"""An account at a provider: takes calls, carries them out one at a time, keeps what it was asked.

Two doors: `serve` for `responses`, `server.served` for a port. What a call means, and what it does,
a provider's own account says in `_carried_out`.
"""

import contextlib
import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from fnmatch import fnmatchcase
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import requests
import responses

from billing.tests.accounts.faults import Fault
from billing.tests.contract import ledger

JSON = dict[str, Any]
_ACCOUNTS = itertools.count(1)
NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


class Refusal(Exception):
    """An error that the account answers; a provider's own gives it the provider's form."""

    def __init__(self, status: int, body: JSON) -> None:
        super().__init__(body)
        self.status = status
        self.body = body


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request as it came in; `path` is the URL's after the host, with its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str | None

    # What every path begins with.
    root: ClassVar[str] = "/"

    @property
    def steps(self) -> list[str]:
        """Method and path below the root, as `acts` match them."""
        path = urlsplit(self.path).path.removeprefix(self.root)
        return [self.method, *(unquote(each) for each in path.split("/"))]

    @property
    def params(self) -> JSON:
        """What was asked for, in the body or the query."""
        raise NotImplementedError

    def fits(self, place: str, params: Mapping[str, str]) -> bool:
        """Whether it is one of this method and path (`*` is any text) with these parameters."""
        own = self.params
        return fnmatchcase("/".join(self.steps), place) and all(
            own.get(name) == value for name, value in params.items()
        )


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: JSON
    fault: Fault | None = None

    @property
    def text(self) -> str:
        return json.dumps(self.body)


class RemoteAccount:
    """Objects by id, in the order in which they were made; `calls` is what came in and went out.

    Its time is `now`; each call and each act of others takes `step` of it. One thing happens at a
    time, whichever threads ask; `watchers` are told after each. A test that breaks its objects on
    purpose says so with `is_faithful`: its answers are then not held to the provider's contract.
    """

    api_base: ClassVar[str]
    call_type: ClassVar[type[Call]]

    def __init__(
        self,
        objects: Mapping[str, JSON] | None = None,
        *,
        now: datetime = NOW,
        step: timedelta = timedelta(0),
    ) -> None:
        self.objects: dict[str, JSON] = dict(objects or {})
        self.calls: list[JSON] = []
        self.now = now
        self.is_faithful = True
        self.told: list[JSON] = []
        self.watchers: list[Callable[[], None]] = []
        self.numbers = itertools.count(1)
        self._step = step
        self._number = next(_ACCOUNTS)
        self._lock = threading.RLock()
        self._surprises: dict[str, Callable[[], None]] = {}
        self._faults: list[tuple[str, JSON, Fault]] = []
        self._refusals: list[tuple[str, JSON, Refusal]] = []

    def _carried_out(self, call: Call) -> tuple[int, JSON]:
        """The answer to a call, once it has had its effect."""
        raise NotImplementedError

    def _refusal(self, status: int, **error: str) -> Refusal:
        raise NotImplementedError

    def _failed(self, call: Call) -> tuple[int, JSON]:
        """The provider's own 500 after the effect."""
        raise NotImplementedError

    def _take_in(self) -> None:
        """Bring the objects in line with what has just happened."""

    def serve(self, mock: responses.RequestsMock) -> None:
        anything = re.compile(re.escape(self.api_base + self.call_type.root) + ".*")
        for method in (responses.GET, responses.POST, responses.PUT, responses.DELETE):
            mock.add_callback(method, anything, self._call)

    def refuse_next(self, method: str, path: str, status: int, **error: str) -> None:
        """Refuse the next call of this method and path (`*` is any text), without effect."""
        self._refusals.append((f"{method}/{path}", {}, self._refusal(status, **error)))

    def break_next(
        self, fault: Fault, method: str, path: str, *, times: int = 1, **params: str
    ) -> None:
        """Let the next calls of this method, path (`*` is any text) and parameters go wrong on
        their way."""
        self._faults += [(f"{method}/{path}", params, fault)] * times

    def lose_next(self, method: str, path: str) -> None:
        """Carry out the next call of this method and path, and lose its answer."""
        self.break_next(Fault.HANG, method, path)

    def before(self, method: str, path: str, act: Callable[[], None]) -> None:
        """Let something happen just before the next call of this method and path."""
        self._surprises[f"{method}/{path}"] = act

    @contextlib.contextmanager
    def happening(self) -> Iterator[None]:
        """One thing happens at the provider, at a moment of its own."""
        with self._lock:
            self.now += self._step
            yield
            self._take_in()
            for each in self.watchers:
                each()

    def answer(self, call: Call) -> Reply:
        """Carry out one call and write it down. What `Reply.fault` says is for the door to do."""
        fault = self._next(self._faults, call)
        if fault and not fault.has_effect:
            return Reply(status=0, headers={}, body={}, fault=fault)
        with self.happening():
            status, body = self._carried_out(call)
            if fault is Fault.FAIL:
                status, body = self._failed(call)
            reply = Reply(status=status, headers=self._headers(status), body=body, fault=fault)
            self.calls.append(self._recorded(call, reply))
        return reply

    def received(self, call: JSON) -> Call:
        """One of `calls` as it came in."""
        return self.call_type(
            method=call["method"],
            path=call["url"].removeprefix(self.api_base),
            headers=call["headers"],
            body=call["body"],
        )

    def _recorded(self, call: Call, reply: Reply) -> JSON:
        answer = {"response_status": reply.status, "response_body": reply.body}
        told = answer if self.is_faithful else {}
        group = f"{ledger.running_test()}, account {self._number}"
        url = self.api_base + call.path
        return ledger.note(call.method, url, call.headers, call.body, group=group, **told)

    def _headers(self, status: int) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Server": ledger.ACCOUNT}
        headers["Date"] = format_datetime(self.now, usegmt=True)
        return headers | ({"Retry-After": "1"} if status == 429 else {})

    def _surprise(self, call: Call) -> None:
        self._surprises.pop("/".join(call.steps), lambda: None)()

    def _next(self, planned: list[tuple[str, JSON, Any]], call: Call) -> Any:
        """Take what is planned for this call, None when nothing is."""
        with self._lock:
            for each in planned:
                place, params, what = each
                if call.fits(place, params):
                    planned.remove(each)
                    return what
        return None

    def _call(
        self, request: requests.PreparedRequest
    ) -> tuple[int, Mapping[str, str], str] | Exception:
        path = urlsplit(str(request.url))._replace(scheme="", netloc="").geturl()
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        headers = dict(request.headers)
        reply = self.answer(
            self.call_type(method=str(request.method), path=path, headers=headers, body=body)
        )
        if reply.fault is Fault.BREAK:
            return 500, {}, ""
        lost = _LOST.get(reply.fault) if reply.fault else None
        return lost or (reply.status, reply.headers, reply.text)


_LOST: dict[Fault, Exception] = {
    Fault.DEAF: requests.ReadTimeout(),
    Fault.HANG: requests.ReadTimeout(),
    Fault.HALF: requests.exceptions.ChunkedEncodingError(),
    Fault.RESET: requests.ConnectionError(ConnectionResetError()),
}
