"""What a test run asks Conekta is held to Conekta's contract, as Stripe's is to Stripe's."""

from typing import Any

import pytest

from billing.tests.contract.plugin import findings, is_bad
from billing.tests.providers.conekta.asking import HEADERS, order
from billing.tests.providers.stripe.shared_contract import contract_checker

CASH = {"type": "cash"}


@pytest.fixture(autouse=True)
def _contract() -> None:
    contract_checker()


def call(**changes: Any) -> dict[str, Any]:
    headers = HEADERS | {"Content-Type": "application/json"}
    usual = {"method": "POST", "url": "https://api.conekta.io/orders", "headers": headers}
    return usual | {"body": order(CASH), "group": "a test"} | changes


def test_calls_are_counted_and_may_be_repeated() -> None:
    """Conekta knows no idempotency keys."""
    assert list(findings([call(), call()], is_whole=False)) == [
        "     2 POST /orders",
        "     2 requests, 0 violations of the published contract",
    ]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"body": order(CASH) | {"curency": "MXN"}}, "unknown-param"),
        ({"body": {"currency": "MXN"}}, "missing-param"),
        ({"headers": HEADERS | {"Accept": "application/json"}}, "header"),
        ({"url": "https://api.conekta.io/v1/orders"}, "unknown-path"),
        ({"response_status": 200, "response_body": {"id": "ord_1"}}, "response"),
        ({"response_status": 201, "response_body": {}}, "response"),
    ],
)
def test_a_violation_fails(changes: Any, rule: str) -> None:
    found = list(filter(is_bad, findings([call(**changes)], is_whole=False)))
    assert found
    assert any(rule in each for each in found)
