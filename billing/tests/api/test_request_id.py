"""One id from a request to the calls that it made at a provider."""

import io
import json
import logging
from typing import Any

import pytest

from billing.logs import AddRequestId, JsonFormatter, MaskCardNumbers
from billing.tests.api.conftest import PREFIX

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_request_and_its_provider_calls_share_one_id(client: Any, published: Any) -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    for one in (MaskCardNumbers(), AddRequestId()):
        handler.addFilter(one)
    logger = logging.getLogger("billing.registry")
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        answer = client.post(
            f"{PREFIX}/subscriptions",
            {"plan": "startup", "interval": "monthly", "payment_method_token": "tok_visa"},
            format="json",
            headers={"X-Request-ID": "from-the-client-01"},
        )
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert (answer.status_code, answer["X-Request-ID"]) == (201, "from-the-client-01")
    calls = [json.loads(line) for line in written.getvalue().splitlines()]
    assert {"create_customer", "create_subscription"} <= {call["method"] for call in calls}
    assert {call["request_id"] for call in calls} == {"from-the-client-01"}
    assert "tok_visa" not in written.getvalue()
