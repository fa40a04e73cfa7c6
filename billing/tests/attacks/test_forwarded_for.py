"""The network in the log of a refused delivery is the one that proxies of ours vouch for."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from billing.logs import JsonFormatter

CONNECTION, ITS_NETWORK = "192.0.2.10", "192.0.2.0/24"
# trusted proxies, X-Forwarded-For, the network that is logged
CASES = {
    "not believed": (0, "198.51.100.7", ITS_NETWORK),
    "one proxy": (1, "1.1.1.1, 198.51.100.7", "198.51.100.0/24"),
    "two proxies": (2, "1.1.1.1, 198.51.100.7, 10.0.0.2", "198.51.100.0/24"),
    "no address": (1, '"}\n{"event": "forged', ITS_NETWORK),
    "a card number": (1, "4242424242424242", ITS_NETWORK),
    "bytes": (1, "\xff\xfe\x00", ITS_NETWORK),
}


@pytest.fixture
def refusals() -> Iterator[list[dict[str, Any]]]:
    """The lines that the door writes, as the JSON that the process would print."""
    lines: list[dict[str, Any]] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(json.loads(JsonFormatter().format(record)))  # type: ignore[method-assign]
    logger = logging.getLogger("billing.webhooks.views")
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


@pytest.mark.parametrize(("proxies", "forwarded", "expected"), CASES.values(), ids=CASES)
def test_the_network_of_a_refusal(
    settings: Any,
    sandbox: Any,
    refusals: list[dict[str, Any]],
    proxies: int,
    forwarded: str,
    expected: str,
) -> None:
    settings.GEO_TRUSTED_PROXIES = proxies
    answer = Client(REMOTE_ADDR=CONNECTION).generic(
        "POST", "/webhooks/stripe", b"{}", HTTP_X_FORWARDED_FOR=forwarded
    )
    assert answer.status_code == 400
    [line] = refusals
    del line["time"]
    assert line == {
        "level": "WARNING",
        "logger": "billing.webhooks.views",
        "event": "webhook.refused",
        "provider": "stripe",
        "network": expected,
    }
