"""`manage.py billing_sandbox`: the sandbox driven from a terminal."""

import os
import signal
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from billing.enums import PaymentMethodType
from billing.providers.base import Simulates
from billing.providers.sandbox import clock
from billing.providers.types import Ref, SetupRequest
from billing.registry import providers
from billing.testing import checkout_request, key, refund_request, voucher_request
from billing.tests.providers.sandbox.conftest import Driver

BACKEND = "billing.providers.sandbox.SandboxProvider"


@pytest.fixture
def path(tmp_path: Path, settings: Any) -> str:
    """A file that two aliases share."""
    path = str(tmp_path / "sandbox.sqlite3")
    entry = {"BACKEND": BACKEND, "MODE": "sandbox", "OPTIONS": {"path": path}}
    settings.BILLING_PROVIDERS = {"one": entry, "two": entry}
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    return path


def run(*args: str) -> str:
    out = StringIO()
    call_command("billing_sandbox", *args, stdout=out, stderr=out)
    return out.getvalue()


def test_advance_moves_a_shared_file_once(path: str) -> None:
    assert "0 moments" in run("advance", "--days", "2", "--hours", "3")
    assert clock.offset(path) == timedelta(days=2, hours=3)


@pytest.mark.parametrize("args", [(), ("--days", "0"), ("--days", "-1")])
def test_advance_needs_a_way_forward(path: str, args: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run("advance", *args)


def test_faults_are_set_for_one_alias(path: str) -> None:
    shown = run("faults", "one", "drop=0.5", "duplicate=true", "answer_500=0")
    assert "drop=0.5" in shown
    assert "duplicate=True" in shown
    lines = run("status").splitlines()
    assert [line.partition(":")[0] for line in lines] == ["one", "two"]
    assert lines[1].endswith("faults: -")


@pytest.mark.parametrize("fault", ["drop", "drop=some", "nonsense=1"])
def test_a_wrong_fault_is_named(path: str, fault: str) -> None:
    with pytest.raises(CommandError):
        run("faults", "one", fault)


def test_an_unknown_alias_is_an_error(path: str) -> None:
    with pytest.raises(CommandError, match="nobody"):
        run("faults", "nobody", "drop=1")


def test_deliver_once_ends(path: str) -> None:
    Driver(providers.get("one", Simulates)).customer()  # type: ignore[arg-type]
    assert run("deliver", "--once").endswith("0 posted\n")


class Killed(StringIO):
    """Sends this process a signal as soon as something is written."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, text: str) -> int:
        os.kill(os.getpid(), self.number)
        return super().write(text)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_deliver_ends_on_a_signal(path: str, number: int) -> None:
    earlier = signal.getsignal(number)
    out = Killed(number)
    call_command("billing_sandbox", "deliver", stdout=out)
    assert out.getvalue() == "Delivering webhooks of one, two\n"
    assert signal.getsignal(number) is earlier


def test_a_checkout_is_completed(path: str) -> None:
    driver = Driver(providers.get("one", Simulates))  # type: ignore[arg-type]
    request = checkout_request(driver.customer(), driver.plan())
    opened = driver.provider.create_checkout(request, idempotency_key="k1").id
    with pytest.raises(CommandError):
        run("complete", "one", opened, "--token", "tok_declined")
    assert run("complete", "one", opened) == f"{opened}: complete, paid\n"
    with pytest.raises(CommandError):
        run("complete", "two", opened)


def test_a_payment_method_is_set_up(path: str) -> None:
    driver = Driver(providers.get("one", Simulates))  # type: ignore[arg-type]
    request = SetupRequest(customer_id=driver.customer().id, reference="row")
    opened = driver.provider.create_setup_session(request, idempotency_key="k1").id
    ask = ("setup", "one", opened, "--token", "tok_bank_account_unverified")
    assert run(*ask) == f"{opened}: requires_action\n"
    assert run(*ask) == f"{opened}: succeeded\n"
    with pytest.raises(CommandError):
        run(*ask)


def test_a_voucher_is_paid_late(path: str) -> None:
    driver = Driver(providers.get("one", Simulates))  # type: ignore[arg-type]
    request = voucher_request(driver.customer(), PaymentMethodType.OXXO)
    issued = driver.provider.create_voucher(request, idempotency_key=key()).id
    run("advance", "--days", "4")
    assert run("pay-voucher", "one", issued) == f"{issued}: succeeded\n"
    with pytest.raises(CommandError):
        run("pay-voucher", "one", issued)


def test_the_bank_takes_a_payment_back_and_decides(path: str) -> None:
    sandbox: Any = providers.get("one", Simulates)
    driver = Driver(sandbox._provider)
    payment = Ref(id=driver.invoice(driver.start()).payment_id)
    request = refund_request(driver.provider, payment, amount_minor=100)
    refund = driver.provider.create_refund(request, idempotency_key=key())
    assert run("fail-refund", "one", refund.id) == f"{refund.id}: failed\n"
    with pytest.raises(CommandError):
        run("fail-refund", "one", refund.id)
    opened, _, status = run("dispute", "one", payment.id).partition(": ")
    assert status == "needs_response\n"
    assert run("decide", "one", opened, "won") == f"{opened}: won\n"
    assert run("dispute", "one", payment.id, "--inquiry").endswith(": warning\n")
