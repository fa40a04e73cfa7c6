"""A Stripe account: honours idempotency keys, answers in Stripe's published shapes.

Cards are Stripe's test cards: attaching `pm_card_...` makes a new payment method each time.
Subscriptions are lives (`billing.tests.stripe_life`), so their objects stay consistent.
"""

import copy
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from billing.tests.accounts.account import JSON, NOW, Call, RemoteAccount
from billing.tests.accounts.account import Refusal as AnyRefusal
from billing.tests.stripe_life import API_BASE, StripeLife, published


class Refusal(AnyRefusal):
    def __init__(self, status: int, **error: str) -> None:
        usual = {"type": "invalid_request_error", "message": "No."}
        super().__init__(status, {"error": usual | error})


class StripeCall(Call):
    root = "/v1/"

    @property
    def params(self) -> JSON:
        query = self.body or urlsplit(self.path).query
        return nested(parse_qsl(query, keep_blank_values=True))


Act = Callable[["Account", list[str], JSON], JSON | None]


class Account(RemoteAccount):
    acts: tuple[Act, ...] = ()
    api_base = API_BASE
    call_type = StripeCall

    def __init__(
        self,
        objects: Mapping[str, JSON] | None = None,
        *,
        now: datetime = NOW,
        step: timedelta = timedelta(0),
    ) -> None:
        super().__init__(objects, now=now, step=step)
        self.serves_while_processing = True
        self._answers: dict[str, tuple[object, tuple[int, JSON]]] = {}
        self.lives: dict[str, StripeLife] = {}
        self.cards: dict[str, str] = {}
        self.carts: dict[str, JSON] = {}

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
        found = [call for call in writes if self.received(call).fits(place, params)]
        return [call["headers"]["Idempotency-Key"] for call in found]

    def pay(self, invoice_id: str) -> None:
        """The customer pays in the browser."""
        parent = self.one(invoice_id)["parent"]["subscription_details"]
        with self.happening():
            self.lives[parent["subscription"]].pay()

    def adopt(self, life: StripeLife) -> None:
        """Take in what a life has made since."""
        for (_, remote_id), each in life.objects.items():
            self.objects.setdefault(remote_id, each)

    def _take_in(self) -> None:
        for life in self.lives.values():
            self.adopt(life)

    def _headers(self, status: int) -> dict[str, str]:
        return super()._headers(status) | {"Request-Id": f"req_{len(self.calls) + 1}"}

    def _refusal(self, status: int, **error: str) -> Refusal:
        return Refusal(status, **error)

    def _carried_out(self, call: Call) -> tuple[int, JSON]:
        """Stripe: the first answer to a key is repeated, declines included; GET and DELETE have no
        keys."""
        path, params = call.steps, call.params
        key = call.headers.get("Idempotency-Key") if call.method == "POST" else None
        if key in self._answers:
            asked, answer = self._answers[key]
            error = Refusal(400, type="idempotency_error").body
            return answer if asked == (path, params) else (400, error)
        self._surprise(call)
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
