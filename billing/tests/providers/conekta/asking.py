"""Calls to a Conekta account as they go over the wire, past any provider of ours."""

from typing import Any

import requests

from billing.tests.conekta_account.account import API_BASE

JSON = dict[str, Any]
HEADERS = {
    "Accept": "application/vnd.conekta-v2.3.0+json",
    "Authorization": "Bearer key_fake",
}
OWNER = {"name": "Tacos", "email": "tacos@example.test", "phone": "+525512345678"}


class Asker:
    """Asks at `base`: the host's own address, or a port of this machine."""

    def __init__(self, base: str = API_BASE, timeout: float = 5) -> None:
        self._base = base
        self._timeout = timeout

    def send(self, method: str, path: str, body: JSON | None = None) -> requests.Response:
        url = f"{self._base}/{path}"
        return requests.request(method, url, json=body, headers=HEADERS, timeout=self._timeout)

    def ask(self, method: str, path: str, body: JSON | None = None) -> JSON:
        """The object of a call that succeeds."""
        answer = self.send(method, path, body)
        assert answer.status_code in (200, 201), answer.text
        found: JSON = answer.json()
        return found

    def refused(self, method: str, path: str, body: JSON | None = None) -> tuple[int, str]:
        """Status and code of a call that does not."""
        answer = self.send(method, path, body)
        return answer.status_code, answer.json()["details"][0]["code"]

    def customer(self, token: str = "") -> JSON:
        """A new one, with a card where there is a token."""
        made = self.ask("POST", "customers", OWNER)
        if token:
            card = {"type": "card", "token_id": token}
            self.ask("POST", f"customers/{made['id']}/payment_sources", card)
        return self.ask("GET", f"customers/{made['id']}")

    def plan(self, **values: Any) -> JSON:
        usual = {"name": "Startup", "amount": 54900, "currency": "MXN", "interval": "month"}
        return self.ask("POST", "plans", {**usual, "frequency": 1, **values})

    def subscription(self, customer: JSON, **values: Any) -> JSON:
        path = f"customers/{customer['id']}/subscriptions"
        return self.ask("POST", path, {"plan_id": self.plan()["id"], **values})

    def order(self, method: JSON | None, customer: JSON | None = None, **values: Any) -> JSON:
        """One of 549 pesos, charged with `method`."""
        return self.ask("POST", "orders", order(method, customer, **values))


def order(method: JSON | None, customer: JSON | None = None, **values: Any) -> JSON:
    return {
        "currency": "MXN",
        "customer_info": {"customer_id": customer["id"]} if customer else OWNER,
        "line_items": [{"name": "Startup", "quantity": 1, "unit_price": 54900}],
        **({"charges": [{"payment_method": method}]} if method else {}),
        **values,
    }
