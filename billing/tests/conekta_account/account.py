"""A Conekta account: knows no idempotency keys, so a repeated POST makes a second object.

Objects are plain dictionaries in the shapes of Conekta's API 2.3.0. An order holds its charges, a
customer its payment sources: the same objects that `objects` has by their ids, so that a change of
one is a change of the other.
"""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from billing.tests.accounts.account import JSON, NOW, Call, RemoteAccount
from billing.tests.accounts.account import Refusal as AnyRefusal

API_BASE = "https://api.conekta.io"
LIMIT, MOST = 20, 250
_TYPES = {
    402: "processing_error",
    404: "resource_not_found_error",
    422: "parameter_validation_error",
    428: "precondition_required_error",
}


class Refusal(AnyRefusal):
    """`code` without its common beginning, `param` where one is named."""

    def __init__(self, status: int, code: str = "refused", param: str = "") -> None:
        detail = {"code": f"conekta.errors.{code}", "message": "No.", "debug_message": "No."}
        body = {
            "object": "error",
            "type": _TYPES.get(status, "api_error"),
            "log_id": "507f1f77bcf86cd799439011",
            "details": [detail | ({"param": param} if param else {})],
        }
        super().__init__(status, body)


class ConektaCall(Call):
    @property
    def params(self) -> JSON:
        if self.body:
            found: JSON = json.loads(self.body)
            return found
        return dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))


Act = Callable[["Account", list[str], JSON], JSON | list[JSON] | None]


class Account(RemoteAccount):
    """`refused` has the code with which a card's bank refuses it, `used` the tokens that are spent,
    `resent` the events to be posted once more. Without `is_searched` no search shows an order: its
    index is behind."""

    acts: tuple[Act, ...] = ()
    api_base = API_BASE
    call_type = ConektaCall

    def __init__(self, *, now: datetime = NOW, step: timedelta = timedelta(0)) -> None:
        super().__init__(now=now, step=step)
        self.refused: dict[str, str] = {}
        self.used: set[str] = set()
        self.resent: list[JSON] = []
        self.is_searched = True

    def sent(self, method: str, path: str) -> list[JSON]:
        """Parameters of the calls of one method and path, in order."""
        found = (self.received(call) for call in self.calls)
        return [each.params for each in found if "/".join(each.steps) == f"{method}/{path}"]

    def one(self, remote_id: object, kind: str = "") -> JSON:
        """The object with this id; Conekta answers 404 for what was deleted, too."""
        found = self.objects.get(str(remote_id))
        if found is None or found.get("deleted") or (kind and found["object"] != kind):
            raise Refusal(404, "resource_not_found.entity")
        return found

    def all(self, kind: str, **values: object) -> list[JSON]:
        """Those with these values, newest first, as Conekta lists."""
        return [
            each
            for each in list(self.objects.values())[::-1]
            if each["object"] == kind
            and not each.get("deleted")
            and all(each.get(name) == value for name, value in values.items())
        ]

    def make(self, kind: str, remote_id: str, **values: Any) -> JSON:
        usual = {"object": kind, "id": remote_id, "livemode": False, "created_at": self.stamp}
        self.objects[remote_id] = usual | values
        return self.objects[remote_id]

    @property
    def stamp(self) -> int:
        return int(self.now.timestamp())

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{next(self.numbers):017d}"

    def new_hex(self) -> str:
        """Charges, events and webhooks: 24 hexadecimal digits."""
        return f"{next(self.numbers):024x}"

    def new_uuid(self) -> str:
        return str(uuid.UUID(int=next(self.numbers)))

    def move_to(self, stamp: int | None) -> None:
        """Let time pass until then, unless that is over."""
        self.now = max(self.now, datetime.fromtimestamp(stamp or 0, UTC))

    def _refusal(self, status: int, **error: str) -> Refusal:
        return Refusal(status, **error)

    def _failed(self, call: Call) -> tuple[int, JSON]:
        return 500, Refusal(500).body

    def _carried_out(self, call: Call) -> tuple[int, JSON]:
        self._surprise(call)
        refusal = self._next(self._refusals, call)
        try:
            if refusal:
                raise refusal
            return self._answer(call)
        except AnyRefusal as exc:
            return exc.status, exc.body

    def _answer(self, call: Call) -> tuple[int, JSON]:
        for act in self.acts:
            found = act(self, call.steps, call.params)
            if isinstance(found, list):
                return 200, copied(paged(found, call))
            if found is not None:
                return (201 if found.get("object") == "customer_portal" else 200), copied(found)
        raise Refusal(404, "resource_not_found.path")


def listed(data: list[JSON]) -> JSON:
    return {"object": "list", "has_more": False, "total": len(data), "data": data}


def paged(found: list[JSON], call: Call) -> JSON:
    """The part of a list that was asked for: `next` is the last id of the part before."""
    params = call.params
    limit = int(params.get("limit", LIMIT))
    if not 1 <= limit <= MOST:
        raise Refusal(422, "parameter_validation.limit", "limit")
    if "next" in params:
        ids = [each["id"] for each in found]
        if params["next"] not in ids:
            raise Refusal(422, "parameter_validation.next", "next")
        found = found[ids.index(params["next"]) + 1 :]
    page = listed(found[:limit])
    if len(found) > limit:
        url = f"{API_BASE}{urlsplit(call.path).path}?limit={limit}&next={found[limit - 1]['id']}"
        page |= {"has_more": True, "next_page_url": url}
    return page


def copied(found: JSON) -> JSON:
    """As it goes over the wire: nothing in it changes any more."""
    copy: JSON = json.loads(json.dumps(found))
    return copy
