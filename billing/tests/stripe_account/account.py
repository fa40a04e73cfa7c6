"""A Stripe account: takes writes, honours idempotency keys, answers in Stripe's published shapes
and keeps what it was asked. Two doors: `serve` for `responses`, `server.served` for a port.

Cards are Stripe's test cards: attaching `pm_card_...` makes a new payment method each time.
Subscriptions are lives (`billing.tests.stripe_life`), so their objects stay consistent.
"""

import contextlib
import copy
import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import requests
import responses

from billing.tests.contract import ledger
from billing.tests.stripe_account.faults import Fault
from billing.tests.stripe_life import API_BASE, StripeLife, published

JSON = dict[str, Any]
_ACCOUNTS = itertools.count(1)
NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


class Refusal(Exception):
    def __init__(self, status: int, **error: str) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": {"type": "invalid_request_error", "message": "No."} | error}


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request as it came in; `path` is the URL's after the host, with its query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str | None

    @property
    def steps(self) -> list[str]:
        """Method and path below /v1, as `acts` match them."""
        parts = urlsplit(self.path).path.split("/")[2:]
        return [self.method, *(unquote(each) for each in parts)]

    def fits(self, place: str, params: Mapping[str, str]) -> bool:
        """Whether it is one of this method and path (`*` is any text) with these parameters."""
        own = self.params
        return fnmatchcase("/".join(self.steps), place) and all(
            own.get(name) == value for name, value in params.items()
        )

    @property
    def params(self) -> JSON:
        query = self.body or urlsplit(self.path).query
        return nested(parse_qsl(query, keep_blank_values=True))


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: JSON
    fault: Fault | None = None

    @property
    def text(self) -> str:
        return json.dumps(self.body)


Act = Callable[["Account", list[str], JSON], JSON | None]


class Account:
    """Objects by id, in the order in which they were made; `calls` is what came in and went out.

    Its time is `now`; each call and each act of others takes `step` of it. One thing happens at a
    time, whichever threads ask; `watchers` are told after each. A test that breaks its objects on
    purpose says so with `is_faithful`: its answers are then not held to Stripe's contract.
    """

    acts: tuple[Act, ...] = ()

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
        self.serves_while_processing = True
        self.watchers: list[Callable[[], None]] = []
        self._step = step
        self._number = next(_ACCOUNTS)
        self._lock = threading.RLock()
        self._answers: dict[str, tuple[object, tuple[int, JSON]]] = {}
        self.lives: dict[str, StripeLife] = {}
        self._surprises: dict[str, Callable[[], None]] = {}
        self._faults: list[tuple[str, JSON, Fault]] = []
        self._refusals: list[tuple[str, JSON, Refusal]] = []
        self.cards: dict[str, str] = {}
        self.carts: dict[str, JSON] = {}
        self.numbers = itertools.count(1)

    def serve(self, mock: responses.RequestsMock) -> None:
        anything = re.compile(re.escape(API_BASE) + "/v1/.*")
        for method in (responses.GET, responses.POST, responses.DELETE):
            mock.add_callback(method, anything, self._call)

    def sent(self, method: str, path: str) -> list[JSON]:
        """Parameters of the calls of one method and path, in order, as they were written."""
        return [
            dict(parse_qsl(call["body"] or "", keep_blank_values=True))
            for call in self.calls
            if (call["method"], urlsplit(call["url"]).path) == (method, f"/v1/{path}")
        ]

    def keys(self, place: str = "*", **params: str) -> list[str]:
        """Idempotency keys of all writes in order, or of those of a method and path (`POST/x/*`)
        and parameters."""
        writes = [call for call in self.calls if call["method"] != "GET"]
        found = [call for call in writes if _received(call).fits(place, params)]
        return [call["headers"]["Idempotency-Key"] for call in found]

    def refuse_next(self, method: str, path: str, status: int, **error: str) -> None:
        """Refuse the next call of this method and path (`*` is any text), without effect."""
        self._refusals.append((f"{method}/{path}", {}, Refusal(status, **error)))

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

    def pay(self, invoice_id: str) -> None:
        """The customer pays in the browser."""
        parent = self.one(invoice_id)["parent"]["subscription_details"]
        with self.happening():
            self.lives[parent["subscription"]].pay()

    @contextlib.contextmanager
    def happening(self) -> Iterator[None]:
        """One thing happens at Stripe, at a moment of its own."""
        with self._lock:
            self.now += self._step
            yield
            for life in self.lives.values():
                self.adopt(life)
            for each in self.watchers:
                each()

    def adopt(self, life: StripeLife) -> None:
        """Take in what a life has made since."""
        for (_, remote_id), each in life.objects.items():
            self.objects.setdefault(remote_id, each)

    def answer(self, call: Call) -> Reply:
        """Carry out one call and write it down. What `Reply.fault` says is for the door to do."""
        fault = self._next(self._faults, call)
        if fault and not fault.has_effect:
            return Reply(status=0, headers={}, body={}, fault=fault)
        with self.happening():
            status, body = self._once(call)
            if fault is Fault.FAIL:
                status, body = self._failed(call)
            reply = Reply(status=status, headers=self._headers(status), body=body, fault=fault)
            self.calls.append(self._recorded(call, reply))
        return reply

    def _recorded(self, call: Call, reply: Reply) -> JSON:
        answer = {"response_status": reply.status, "response_body": reply.body}
        told = answer if self.is_faithful else {}
        group = f"{ledger.running_test()}, account {self._number}"
        url = API_BASE + call.path
        return ledger.note(call.method, url, call.headers, call.body, group=group, **told)

    def _headers(self, status: int) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Request-Id": f"req_{len(self.calls) + 1}"}
        headers["Server"] = ledger.ACCOUNT
        headers["Date"] = format_datetime(self.now, usegmt=True)
        return headers | ({"Retry-After": "1"} if status == 429 else {})

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
        url = urlsplit(str(request.url))
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        path = url._replace(scheme="", netloc="").geturl()
        headers = dict(request.headers)
        call = Call(method=str(request.method), path=path, headers=headers, body=body)
        reply = self.answer(call)
        if reply.fault is Fault.BREAK:
            return 500, {}, ""
        lost = _LOST.get(reply.fault) if reply.fault else None
        return lost or (reply.status, reply.headers, reply.text)

    def _once(self, call: Call) -> tuple[int, JSON]:
        """Stripe: the first answer to a key is repeated, declines included; GET and DELETE have no
        keys."""
        path, params = call.steps, call.params
        key = call.headers.get("Idempotency-Key") if call.method == "POST" else None
        if key in self._answers:
            asked, answer = self._answers[key]
            error = Refusal(400, type="idempotency_error").body
            return answer if asked == (path, params) else (400, error)
        self._surprises.pop("/".join(path), lambda: None)()
        refusal = self._next(self._refusals, call)
        if refusal:
            return refusal.status, refusal.body
        answer = self._answer(path, copy.deepcopy(params))
        if key:
            self._answers[key] = (path, params), answer
        return answer

    def _failed(self, call: Call) -> tuple[int, JSON]:
        """Stripe: a key's first answer is repeated, 500 errors included."""
        answer = 500, Refusal(500, type="api_error").body
        if "Idempotency-Key" in call.headers:
            self._answers[call.headers["Idempotency-Key"]] = (call.steps, call.params), answer
        return answer

    def _answer(self, path: list[str], params: JSON) -> tuple[int, JSON]:
        expand = list(params.pop("expand", {}).values())
        try:
            found = self._act(path, params)
        except Refusal as refusal:
            return refusal.status, refusal.body
        return 200, self._expanded(copy.deepcopy(found), [each.split(".") for each in expand])

    def _expanded(self, found: Any, paths: list[list[str]]) -> Any:
        for name, *rest in paths:
            for each in found if isinstance(found, list) else [found]:
                self._include(each, name)
                if isinstance(each.get(name), str) and each[name] in self.objects:
                    each[name] = copy.deepcopy(self.objects[each[name]])
                if rest and not isinstance(each.get(name), str | None):
                    self._expanded(each[name], [rest])
        return found

    def _include(self, found: JSON, name: str) -> None:
        """What Stripe adds to an invoice only where it is asked for."""
        if name == "confirmation_secret" and found["status"] == "open":
            secret = self._payment_of(found)["client_secret"]
            found[name] = {"type": "payment_intent", "client_secret": secret}
        is_charge = name == "latest_charge" and isinstance(found[name], str)
        if is_charge and found[name] not in self.objects:
            found[name] = charge(found)
        if name == "payments":
            links = copy.deepcopy(self.all("invoice_payment"))
            found[name] = page([each for each in links if each["invoice"] == found["id"]])

    def _payment_of(self, invoice: JSON) -> JSON:
        links = [each for each in self.all("invoice_payment") if each["invoice"] == invoice["id"]]
        return self.one(links[0]["payment"]["payment_intent"])

    def _act(self, path: list[str], params: JSON) -> JSON:
        found = next(filter(None, (act(self, path, params) for act in self.acts)), None)
        if found is None and path[0] == "GET" and len(path) == 3:
            return self.one(path[2])
        if found is None:
            raise Refusal(404)
        is_list = path[0] == "GET" and found["object"] == "list"
        return paged(found, params) if is_list else found

    # objects

    def one(self, remote_id: str) -> JSON:
        if remote_id not in self.objects:
            raise Refusal(404, code="resource_missing")
        return self.objects[remote_id]

    def living(self, remote_id: str) -> JSON:
        """Writes know nothing of what was deleted; reads tell that it was."""
        found = self.one(remote_id)
        if found.get("deleted"):
            raise Refusal(404, code="resource_missing")
        return found

    def all(self, kind: str, owner: str = "") -> list[JSON]:
        """Newest first, as Stripe lists."""
        found = [each for each in self.objects.values() if each["object"] == kind][::-1]
        return [each for each in found if not owner or each["customer"] == owner]

    def make(self, kind: str, prefix: str, **values: Any) -> JSON:
        remote_id = f"{prefix}_{next(self.numbers):04d}"
        stamp = int(self.now.timestamp())
        found = published(kind) | {"id": remote_id, "created": stamp, "metadata": {}} | values
        self.objects[remote_id] = found
        return found

    def update(self, remote_id: str, params: JSON) -> JSON:
        found = self.living(remote_id)
        found["metadata"] = found["metadata"] | params.pop("metadata", {})
        for name, value in params.items():
            part = found.get(name)
            if isinstance(value, dict) and isinstance(part, dict):
                value = part | value
            found[name] = None if value == "" else value
        return found


_LOST: dict[Fault, Exception] = {
    Fault.DEAF: requests.ReadTimeout(),
    Fault.HANG: requests.ReadTimeout(),
    Fault.HALF: requests.exceptions.ChunkedEncodingError(),
    Fault.RESET: requests.ConnectionError(ConnectionResetError()),
}


def _received(call: JSON) -> Call:
    path = call["url"].removeprefix(API_BASE)
    return Call(method=call["method"], path=path, headers=call["headers"], body=call["body"])


def page(data: list[JSON], url: str = "/v1/things") -> JSON:
    return {"object": "list", "url": url, "has_more": False, "data": data}


def charge(intent: JSON) -> JSON:
    """The charge that collected an intent, as far as a list of intents is read for it."""
    names = ("amount", "currency", "customer", "livemode", "payment_method", "created")
    shown = {name: intent[name] for name in names}
    return (
        published("charge")
        | shown
        | {"id": intent["latest_charge"], "payment_intent": intent["id"]}
    )


def paged(found: JSON, params: JSON) -> JSON:
    """The part of a list that was asked for. Stripe: ten objects unless `limit` says more."""
    data = found["data"]
    created = params.get("created", {})
    data = [each for each in data if each["created"] >= int(created.get("gte", 0))]
    if "starting_after" in params:
        ids = [each["id"] for each in data]
        if params["starting_after"] not in ids:
            raise Refusal(400, code="resource_missing", param="starting_after")
        data = data[ids.index(params["starting_after"]) + 1 :]
    size = int(params.get("limit", 10))
    if not 1 <= size <= 100:
        raise Refusal(400, code="parameter_invalid_integer", param="limit")
    return found | {"data": data[:size], "has_more": len(data) > size}


def nested(pairs: list[tuple[str, str]]) -> JSON:
    """Bracketed form keys as nested objects: items[0][price]=x -> {"items": {"0": {...}}}."""
    found: JSON = {}
    for name, value in pairs:
        *path, last = name.replace("]", "").split("[")
        place = found
        for each in path:
            place = place.setdefault(each, {})
        place[last] = {"true": True, "false": False}.get(value, value)
    return found
