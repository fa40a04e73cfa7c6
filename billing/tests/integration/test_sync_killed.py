"""`billing_sync` as a process that is killed outright, and the next one."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from billing.tests.integration.harness import Cobro, configured
from project.tests.processes import ROOT

pytestmark = pytest.mark.processes

ALIAS = "conekta"
LEASE_SECONDS = 5
_PREPARE = """
from billing.providers.base import PaymentProvider
from billing.providers.types import (
    CustomerRequest, PaymentMethodRequest, PlanRequest, Ref, SubscriptionRequest
)
from billing.registry import providers
import uuid
call_command("migrate", verbosity=0)
call_command("createcachetable")
there = providers.get(given["alias"], PaymentProvider)._provider
key = lambda: str(uuid.uuid4())
plan = there.create_plan(PlanRequest(
    reference=key(), plan_reference=key(), name="Pro", description="", amount_minor=100,
    currency="MXN", interval="monthly",
), idempotency_key=key())
for number in range(given["count"]):
    row = Customer.objects.create(
        organization=Organization.objects.create(name=str(number)),
        provider=given["alias"], mode="sandbox",
    )
    made = there.create_customer(CustomerRequest(
        reference=str(row.pk), name="Ana", email="ana@example.test", phone="+525512345678",
    ), idempotency_key=key())
    owner = Ref(id=made.id, customer_id=made.id)
    card = there.create_payment_method(
        owner, PaymentMethodRequest(token="tok_visa"), idempotency_key=key()
    )
    there.create_subscription(SubscriptionRequest(
        reference="", customer_id=owner.id, price_id=plan.id,
    ), idempotency_key=key())
"""
_COUNTS = """
answer = {
    "subscriptions": Subscription.objects.count(),
    "changes": StateChange.objects.filter(object_type="subscription").count(),
    "open": SyncRun.objects.filter(finished_at=None).count(),
    "finished": SyncRun.objects.exclude(finished_at=None).count(),
    "pages": SyncPage.objects.count(),
}
"""


@pytest.fixture
def system(tmp_path: Path) -> Cobro:
    system = configured(tmp_path, BILLING_LEASE_SECONDS=str(LEASE_SECONDS))
    system.orm(_PREPARE, alias=ALIAS, count=250)
    return system


def started(system: Cobro, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "billing_sync", ALIAS, *args],
        cwd=ROOT,
        env=dict(system.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(system: Cobro, *args: str) -> tuple[int, str]:
    process = started(system, *args)
    said, _ = process.communicate(timeout=120)
    return process.returncode, said


def run_when_free(system: Cobro) -> tuple[int, str]:
    """While the lease of the killed one lasts, the command says so and ends."""
    ends_at = time.monotonic() + 60
    while True:
        status, said = run(system)
        if status != 2 or time.monotonic() > ends_at:
            return status, said
        assert "another process is syncing" in said
        time.sleep(1)


def kill_after(system: Cobro, mark: str) -> None:
    process = started(system)
    assert process.stdout
    for line in process.stdout:
        if mark in line:
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait(timeout=30) == -signal.SIGKILL


def test_the_next_command_goes_on_where_it_was(system: Cobro) -> None:
    kill_after(system, "subscriptions, page 1")
    left = system.orm(_COUNTS)
    assert 100 <= left["subscriptions"] <= 250
    assert left["open"] == 1
    status, said = run_when_free(system)
    assert status == 0, said
    assert "customers, page" not in said
    assert "subscriptions, page 1:" not in said
    assert "subscriptions, page 3: 250 listed" in said
    expected = {"subscriptions": 250, "changes": 250, "open": 0, "finished": 1, "pages": 0}
    assert system.orm(_COUNTS) == expected
    status, said = run(system, "--dry-run")
    assert (status, "Everything is equal." in said) == (0, True), said


def test_an_interrupted_one_frees_its_lease(system: Cobro) -> None:
    """Ctrl-C: whoever starts it again need not wait."""
    process = started(system)
    assert process.stdout
    for line in process.stdout:
        if "customers, page 1" in line:
            process.send_signal(signal.SIGINT)
            break
    process.communicate(timeout=60)
    status, said = run(system)
    assert status == 0, said
    assert system.orm(_COUNTS)["subscriptions"] == 250
