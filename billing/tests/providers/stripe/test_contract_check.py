"""What a test run asks Stripe is checked, all of it, and the check cannot be passed by silence."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from billing.providers.stripe import StripeProvider
from billing.tests.contract import plugin
from billing.tests.contract.checks import Contract
from billing.tests.contract.operations import OPERATIONS, STRIPE
from billing.tests.contract.plugin import findings, is_bad, never_asked
from billing.tests.providers.stripe.shared_contract import contract_checker
from project.tests.processes import ROOT

LISTED = [
    each
    for capabilities in OPERATIONS.values()
    for operations in capabilities.values()
    for each in operations
]
# pytest_configure of a run of its own, whose tests ask what Stripe does not take.
TESTS = """
import pytest, requests, responses

@pytest.mark.parametrize("number", range(4))
def test_asking(number):
    with responses.RequestsMock() as mock:
        mock.post("https://api.stripe.com/v1/customers", json={})
        requests.post("https://api.stripe.com/v1/customers", data={"nonsense": number})
"""


@pytest.fixture(autouse=True)
def _contract() -> None:
    contract_checker()


def call(**changes: Any) -> dict[str, Any]:
    headers = {"Authorization": "Bearer xxx", "Stripe-Version": "2026-10-28.endive"}
    headers |= {"Idempotency-Key": "one", "Content-Type": "application/x-www-form-urlencoded"}
    usual = {"method": "POST", "url": "https://api.stripe.com/v1/customers", "headers": headers}
    return usual | {"body": "name=Ana", "group": "a test"} | changes


def bad(calls: list[dict[str, Any]], **options: bool) -> list[str]:
    return [each for each in findings(calls, **{"is_whole": False} | options) if is_bad(each)]


def test_every_capability_of_stripe_is_listed() -> None:
    provider = StripeProvider(alias="stripe", mode="test", options={})
    has = {each.__name__ for each in provider.capabilities}
    assert has == set(STRIPE), "say in operations.py what the capability asks of Stripe"


def test_listed_operations_are_stripes_own() -> None:
    contract = Contract()
    for each in {each for operations in STRIPE.values() for each in operations}:
        method, path = each.split()
        example = call(method=method, url=f"https://api.stripe.com{path}")
        assert contract.operation(example) == each
        assert not [line for line in contract.violations(example) if "unknown-path" in line]


def test_calls_are_counted() -> None:
    assert list(findings([call(), call()], is_whole=False)) == [
        "     2 POST /v1/customers",
        "     2 requests, 0 violations of the published contract",
    ]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"body": "nmae=Ana"}, "unknown-param"),
        ({"headers": {}}, "header"),
        ({"url": "https://api.stripe.com/v1/custmers"}, "unknown-path"),
        ({"response_status": 200, "response_body": {"id": 7}}, "response"),
    ],
)
def test_a_violation_fails(changes: Any, rule: str) -> None:
    found = bad([call(**changes)])
    assert found
    assert any(rule in each for each in found)


def test_a_key_for_two_requests_fails_within_its_group() -> None:
    other = {"body": "name=Bea"}
    assert len(bad([call(), call(**other)])) == 1
    assert bad([call(), call(**other, group="another test")]) == []
    answer = {"response_status": 400, "response_body": {"error": {"type": "idempotency_error"}}}
    assert bad([call(), call(**other, **answer)]) == []


def test_a_capability_that_nobody_asked_fails() -> None:
    asked = Counter(LISTED)
    assert never_asked(asked) == []
    del asked["GET /v1/balance"]
    assert never_asked(asked) == ["GET /v1/balance (stripe: PaymentProvider)"]
    assert len(bad([], is_whole=True)) == len(LISTED)
    assert bad([]) == []


def test_without_the_contract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(plugin, "CHECKER", tmp_path / "check_requests.py")
    monkeypatch.delenv("CI", raising=False)
    (line,) = findings([call()], is_whole=True)
    assert line.startswith("Skipped: 1 requests")
    monkeypatch.setenv("CI", "true")
    assert len(bad([call()])) == 1


def test_a_run_fails_whose_workers_ask_wrongly(tmp_path: Path) -> None:
    (tmp_path / "test_them.py").write_text(TESTS)
    options = "-p billing.tests.contract.plugin -p no:django -p no:randomly -c /dev/null -n 2"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options.split(), f"--rootdir={tmp_path}", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "4 passed" in done.stdout
    assert "     4 requests, " in done.stdout
    assert done.stdout.count("body.nonsense: not in the contract") == 4
