"""A Stripe account for `responses`: takes writes, honours idempotency keys, answers in Stripe's
published shapes and keeps what it was asked.

Cards are Stripe's test cards: attaching `pm_card_...` makes a new payment method each time.
Subscriptions are lives (`billing.tests.stripe_life`), so their objects stay consistent.
"""

import copy
import itertools
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import responses
from requests import PreparedRequest, ReadTimeout

from billing.tests.stripe_life import API_BASE, StripeLife, published

JSON = dict[str, Any]
_NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


class Refusal(Exception):
    def __init__(self, status: int, **error: str) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": {"type": "invalid_request_error", "message": "No."} | error}


class StripeAccount:
    """Objects by id, in the order in which they were made; `calls` is what came in and went out."""

    def __init__(self, objects: Mapping[str, JSON] | None = None) -> None:
        self.objects: dict[str, JSON] = dict(objects or {})
        self.calls: list[JSON] = []
        self._answers: dict[str, tuple[object, tuple[int, JSON]]] = {}
        self._lives: dict[str, StripeLife] = {}
        self._surprises: dict[str, Callable[[], None]] = {}
        self._losses: set[str] = set()
        self._refusals: dict[str, Refusal] = {}
        self._cards: dict[str, str] = {}
        self._numbers = itertools.count(1)

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

    def keys(self) -> list[str]:
        """Idempotency keys of all writes, in order."""
        headers = [call["headers"] for call in self.calls if call["method"] != "GET"]
        return [each["Idempotency-Key"] for each in headers]

    def refuse_next(self, method: str, path: str, status: int, **error: str) -> None:
        """Refuse the next call of this method and path, without effect."""
        self._refusals[f"{method}/{path}"] = Refusal(status, **error)

    def lose_next(self, method: str, path: str) -> None:
        """Carry out the next call of this method and path, and lose its answer."""
        self._losses.add(f"{method}/{path}")

    def before(self, method: str, path: str, act: Callable[[], None]) -> None:
        """Let something happen just before the next call of this method and path."""
        self._surprises[f"{method}/{path}"] = act

    def pay(self, invoice_id: str) -> None:
        """The customer pays in the browser."""
        parent = self.one(invoice_id)["parent"]["subscription_details"]
        self._lives[parent["subscription"]].pay()

    def _call(self, request: PreparedRequest) -> tuple[int, dict[str, str], str] | Exception:
        url = urlsplit(str(request.url))
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        params = nested(parse_qsl(body or url.query, keep_blank_values=True))
        path = [unquote(each) for each in url.path.split("/")[2:]]
        status, answer = self._once(request, [str(request.method), *path], params)
        self.calls.append(
            {
                "method": request.method,
                "url": request.url,
                "headers": dict(request.headers),
                "body": body,
                "response_status": status,
                "response_body": answer,
            }
        )
        place = "/".join([str(request.method), *path])
        if place in self._losses:
            self._losses.remove(place)
            return ReadTimeout()
        return status, {"Date": format_datetime(_NOW, usegmt=True)}, json.dumps(answer)

    def _once(self, request: PreparedRequest, path: list[str], params: JSON) -> tuple[int, JSON]:
        """Stripe: the first answer to a key is repeated, declines included; GET and DELETE have no
        keys."""
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        if key in self._answers:
            asked, answer = self._answers[key]
            error = Refusal(400, type="idempotency_error").body
            return answer if asked == (path, params) else (400, error)
        self._surprises.pop("/".join(path), lambda: None)()
        refusal = self._refusals.pop("/".join(path), None)
        if refusal:
            return refusal.status, refusal.body
        answer = self._answer(path, copy.deepcopy(params))
        if key:
            self._answers[key] = (path, params), answer
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
            found[name] = {"type": "payment_intent", "client_secret": f"{found['id']}_secret"}
        if name == "payments":
            links = self._all("invoice_payment")
            found[name] = page([each for each in links if each["invoice"] == found["id"]])

    def _act(self, path: list[str], params: JSON) -> JSON:
        match path:
            case ["POST", "customers"]:
                return self._make("customer", "cus", **{"discount": None} | params)
            case ["DELETE", "customers", found]:
                return self._delete_customer(found)
            case ["POST", "products"]:
                return self._make("product", "prod", default_price=None, **params)
            case ["POST", "prices"]:
                return self._make_price(params)
            case ["GET", "prices"]:
                prices = self._all("price")
                return page([each for each in prices if each["active"]])
            case ["POST", "payment_methods", found, "attach"]:
                return self._attach(found, params["customer"])
            case ["POST", "payment_methods", found, "detach"]:
                return self._detach(found)
            case ["POST", "subscriptions"]:
                return self._subscribe(params)
            case ["POST", "subscriptions", found]:
                return self._change(found, params)
            case ["DELETE", "subscriptions", found]:
                return self._cancel(found)
            case ["POST", "invoices", found, "finalize"]:
                return self._finalize(found)
            case ["POST", "invoices", found, "pay"]:
                return self._pay(found, params)
            case ["POST", "customers" | "products" | "prices", found]:
                return self._update(found, params)
            case ["GET", "customers", owner, "payment_methods"]:
                return page(self._all("payment_method", owner))
            case ["GET", "customers", "search"]:
                return self._search(params["query"])
            case ["GET", "subscriptions"]:
                return page(self._subscriptions(params))
            case ["GET", "invoices"]:
                return page(self._all("invoice", params["customer"]))
            case ["GET", _, found]:
                return self.one(found)
        raise Refusal(404)

    # objects

    def one(self, remote_id: str) -> JSON:
        if remote_id not in self.objects:
            raise Refusal(404, code="resource_missing")
        return self.objects[remote_id]

    def _attach(self, token: str, owner: str) -> JSON:
        self._living(owner)
        if token.startswith("pm_card_"):
            card = published("payment_method")["card"] | {"generated_from": None, "wallet": None}
            made = self._make("payment_method", "pm", customer=owner, card=card)
            self._cards[made["id"]] = token
            return made
        found = self.one(token)
        if found["customer"] not in (None, owner):
            raise Refusal(400)
        found["customer"] = owner
        return found

    def _detach(self, remote_id: str) -> JSON:
        found = self.one(remote_id)
        if not found["customer"]:
            raise Refusal(400)
        found["customer"] = None
        return found

    def _subscribe(self, params: JSON) -> JSON:
        self._living(params["customer"])
        item, trial_end = params["items"]["0"], params.get("trial_end")
        price, quantity = self.one(item["price"]), int(item["quantity"])
        life = StripeLife(
            started_at=_NOW,
            number=next(self._numbers),
            amount_minor=0 if trial_end else price["unit_amount"] * quantity,
            price_id=price["id"],
            currency=price["currency"],
        )
        life.customer_id = params["customer"]
        life.payment_method_id = params.get("default_payment_method")
        life.subscribe()
        found = life.objects["subscription", life.subscription_id]
        found |= {"metadata": params["metadata"]}
        found |= {"default_payment_method": params.get("default_payment_method")}
        found["items"]["data"][0] |= {"price": copy.deepcopy(price), "quantity": quantity}
        if trial_end:
            life.pay()
            self._start_trial(found, int(trial_end))
        self._lives[life.subscription_id] = life
        self.objects |= {remote_id: each for (_, remote_id), each in life.objects.items()}
        return found

    def _start_trial(self, found: JSON, until: int) -> None:
        found |= {"status": "trialing", "trial_start": found["created"], "trial_end": until}
        if not found["default_payment_method"]:
            intent = self._make("setup_intent", "seti", customer=found["customer"])
            intent |= {"last_setup_error": None, "next_action": None}
            found["pending_setup_intent"] = intent["id"]

    def _change(self, remote_id: str, params: JSON) -> JSON:
        found = self.one(remote_id)
        if found["status"] == "canceled":
            raise Refusal(400)
        item = params.pop("items", {}).get("0")
        if item:
            self._change_item(found["items"]["data"], item)
        plans_end = params.get("cancel_at_period_end", found["cancel_at_period_end"])
        end = found["items"]["data"][0]["current_period_end"]
        found |= {"cancel_at": end if plans_end else None}
        for name in ("proration_behavior", "payment_behavior"):
            params.pop(name, None)
        return self._update(remote_id, params)

    def _change_item(self, items: list[JSON], wanted: JSON) -> None:
        """Stripe: an item that is not named by its id is a new one."""
        if "id" not in wanted:
            items.append(copy.deepcopy(items[0]) | {"id": "si_second"})
        item = items[0] if wanted.get("id") == items[0]["id"] else items[-1]
        if "price" in wanted:
            item["price"] = copy.deepcopy(self.one(wanted["price"]))
        item["quantity"] = int(wanted.get("quantity", item["quantity"]))

    def _cancel(self, remote_id: str) -> JSON:
        if self.one(remote_id)["status"] == "canceled":
            raise Refusal(404, code="resource_missing")
        self._lives[remote_id].cancel()
        return self.one(remote_id)

    def _finalize(self, invoice_id: str) -> JSON:
        invoice = self.one(invoice_id)
        if invoice["status"] != "draft":
            raise Refusal(400)
        invoice["status"] = "open"
        return invoice

    def _pay(self, invoice_id: str, params: JSON) -> JSON:
        invoice = self.one(invoice_id)
        if invoice["status"] != "open":
            raise Refusal(400)
        life = self._lives[invoice["parent"]["subscription_details"]["subscription"]]
        subscription = self.one(life.subscription_id)
        method = params.get("payment_method") or subscription["default_payment_method"]
        if self._cards.get(method) == "pm_card_chargeCustomerFail":
            life.fail()
            declined = {"type": "card_error", "code": "card_declined"}
            raise Refusal(402, **declined, decline_code="insufficient_funds")
        if self._cards.get(method) == "pm_card_authenticationRequired":
            self.one(life.payment_id)["status"] = "requires_action"
            raise Refusal(402, code="invoice_payment_intent_requires_action")
        life.payment_method_id = method
        life.pay()
        return invoice

    def _search(self, query: str) -> JSON:
        """As loosely as Stripe does: by tokens, so what is found must be looked at."""
        match = re.fullmatch(r"metadata\['(\w+)'\]:'([^']*)'", query)
        if not match:
            raise Refusal(400)
        name, value = match.groups()
        living = [each for each in self._all("customer") if not each.get("deleted")]
        found = [each for each in living if each["metadata"].get(name, "").startswith(value)]
        answer = page(found, "/v1/customers/search")
        return answer | {"object": "search_result", "next_page": None}

    def _subscriptions(self, params: JSON) -> list[JSON]:
        """Without a status Stripe leaves out the canceled ones only."""
        found = self._all("subscription", params["customer"])
        return [each for each in found if params.get("status") or each["status"] != "canceled"]

    def _living(self, remote_id: str) -> JSON:
        """Writes know nothing of what was deleted; reads tell that it was."""
        found = self.one(remote_id)
        if found.get("deleted"):
            raise Refusal(404, code="resource_missing")
        return found

    def _delete_customer(self, remote_id: str) -> JSON:
        self._living(remote_id)
        self.objects[remote_id] = {"id": remote_id, "object": "customer", "deleted": True}
        return self.objects[remote_id]

    def _all(self, kind: str, owner: str = "") -> list[JSON]:
        """Newest first, as Stripe lists."""
        found = [each for each in self.objects.values() if each["object"] == kind][::-1]
        return [each for each in found if not owner or each["customer"] == owner]

    def _make(self, kind: str, prefix: str, **values: Any) -> JSON:
        remote_id = f"{prefix}_{next(self._numbers):04d}"
        stamp = int(_NOW.timestamp())
        found = published(kind) | {"id": remote_id, "created": stamp, "metadata": {}} | values
        self.objects[remote_id] = found
        return found

    def _update(self, remote_id: str, params: JSON) -> JSON:
        found = self._living(remote_id)
        found["metadata"] = found["metadata"] | params.pop("metadata", {})
        for name, value in params.items():
            part = found.get(name)
            if isinstance(value, dict) and isinstance(part, dict):
                value = part | value
            found[name] = None if value == "" else value
        return found

    def _make_price(self, params: JSON) -> JSON:
        amount = int(params.pop("unit_amount"))
        recurring = published("price")["recurring"] | params.pop("recurring")
        return self._make(
            "price",
            "price",
            unit_amount=amount,
            unit_amount_decimal=str(amount),
            recurring=recurring,
            **{"custom_unit_amount": None, "transform_quantity": None} | params,
        )


def page(data: list[JSON], url: str = "/v1/things") -> JSON:
    return {"object": "list", "url": url, "has_more": False, "data": data}


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
