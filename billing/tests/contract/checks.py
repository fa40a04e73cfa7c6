"""One recorded call held to its provider's published contract."""

import hashlib
import json
from typing import Any
from urllib.parse import urlsplit

from billing.tests.providers.stripe.shared_contract import contract_module

JSON = dict[str, Any]
# The contract lists "" as the only known value of a text that may be anything or unset; Stripe's
# OpenAPI description of the same parameter (POST /v1/products/{id}, description) takes any text.
_ANY_TEXT = "is none of ''"
# Where the operations of each host are listed. Stripe's answers are in a file of an older version.
_LISTS = {
    "api.stripe.com": "stripe.requests.json",
    "api.conekta.io": "conekta.openapi.json",
    "sandbox-api.polar.sh": "polar.openapi.json",
}


class Contract:
    """The providers' contracts. Where a call carries its answer (an account's), that is checked
    too."""

    def __init__(self) -> None:
        module = contract_module()
        self._checker = module.Checker(responses=True)
        self._routes: dict[str, Any] = {}
        for host, name in _LISTS.items():
            listed = json.loads((module.SPECS / name).read_text())
            self._routes[host] = module.Spec({"paths": listed["paths"]})

    def operation(self, call: JSON) -> str:
        """The call's operation as the contract names it: `GET /v1/customers/{customer}`."""
        url = urlsplit(call["url"])
        template, _ = self._routes[str(url.hostname)].find(url.path, call["method"].lower())
        return f"{call['method']} {template or url.path}"

    def violations(self, call: JSON) -> list[str]:
        """A key that was used twice on purpose was refused by the account as Stripe would."""
        is_refused = call.get("response_status") == 400
        return [
            f"{call['method']} {call['url']}: {each} (in {call.get('group')})"
            for each in self._checker.check(_in_its_group(call))
            if not (is_refused and each.rule == "idempotency")
            and not each.message.endswith(_ANY_TEXT)
        ]


def _in_its_group(call: JSON) -> JSON:
    """Keys are an account's own: the same one in another test is another key."""
    headers = dict(call["headers"])
    if "Idempotency-Key" in headers:
        group = hashlib.sha256(str(call.get("group")).encode()).hexdigest()[:12]
        headers["Idempotency-Key"] = f"{group} {headers['Idempotency-Key']}"
    return call | {"headers": headers}
