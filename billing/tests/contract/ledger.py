"""What this process has asked providers and was answered, as the contract's checker reads it.

`group` tells which idempotency keys belong together: those of one account, or of one test.
"""

import functools
import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests

JSON = dict[str, Any]
HOSTS = frozenset({"api.stripe.com", "api.conekta.io", "sandbox-api.polar.sh"})
# An account keeps its own calls: those whose answers are lost, and those that came by its port.
ACCOUNT = "billing-tests"
CALLS: list[JSON] = []


def note(
    method: str, url: str, headers: Mapping[str, str], body: str | bytes | None, **more: Any
) -> JSON:
    """Keep one call and return it. `more` are its `group`, and `response_status` and
    `response_body` where they are to be checked. Of the API key only its scheme is kept."""
    own = dict(headers)
    if "Authorization" in own:
        own["Authorization"] = own["Authorization"].split()[0] + " xxx"
    text = body.decode() if isinstance(body, bytes) else body
    call = {"method": method, "url": url, "headers": own, "body": text, **more}
    CALLS.append(json.loads(json.dumps(call)))
    return call


def running_test() -> str:
    return os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]


_send = requests.Session.send


@functools.wraps(_send)
def _noting(session: Any, request: Any, **options: Any) -> Any:
    answer = _send(session, request, **options)
    is_account = answer.headers.get("Server") == ACCOUNT
    if urlsplit(str(request.url)).hostname in HOSTS and not is_account:
        headers = {str(name): str(value) for name, value in request.headers.items()}
        note(request.method, request.url, headers, request.body, group=running_test())
    return answer


def watch() -> None:
    """From now on keep what `requests` sends to providers."""
    CALLS.clear()
    requests.Session.send = _noting  # type: ignore[method-assign]


def unwatch() -> None:
    requests.Session.send = _send  # type: ignore[method-assign]
