"""Idempotency keys, faults of calls, and many users of one file."""

import multiprocessing
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from billing.errors import (
    OutcomeUnknown,
    PaymentDeclined,
    ProviderKeyConflict,
    ProviderUnavailable,
)
from billing.providers.sandbox import SandboxProvider, clock
from billing.providers.types import Ref, SubscriptionRequest
from billing.testing import customer_request, key
from billing.tests.providers.sandbox.conftest import Driver, MakeSandbox


def request_for(driver: Driver, token: str = "tok_visa") -> SubscriptionRequest:
    customer = driver.customer()
    driver.method(customer, token)
    return SubscriptionRequest(reference=key(), customer_id=customer.id, price_id=driver.plan().id)


class TestKeys:
    def test_the_same_request_has_the_recorded_answer(self, driver: Driver) -> None:
        request, used = request_for(driver), key()
        first = driver.provider.create_subscription(request, idempotency_key=used)
        driver.provider.advance_clock(timedelta(days=1))
        assert driver.provider.create_subscription(request, idempotency_key=used) == first
        assert len(driver.provider.list_invoices(Ref(id=request.customer_id))) == 1

    def test_a_decline_is_recorded_too(self, driver: Driver) -> None:
        request, used = request_for(driver, "tok_declined"), key()
        for _ in range(2):
            with pytest.raises(PaymentDeclined):
                driver.provider.create_subscription(request, idempotency_key=used)
            driver.provider.set_default_payment_method(
                Ref(id=request.customer_id),
                driver.method(Ref(id=request.customer_id)),
                idempotency_key=key(),
            )

    def test_another_request_is_a_conflict(self, driver: Driver) -> None:
        used = key()
        driver.provider.create_customer(customer_request(), idempotency_key=used)
        with pytest.raises(ProviderKeyConflict):
            driver.provider.create_customer(customer_request(), idempotency_key=used)

    def test_another_verb_is_a_conflict(self, driver: Driver) -> None:
        used, ref = key(), Ref(id=driver.start().id)
        driver.provider.cancel_subscription(ref, at_period_end=True, idempotency_key=used)
        with pytest.raises(ProviderKeyConflict):
            driver.provider.resume_subscription(ref, idempotency_key=used)

    def test_a_stand_in_may_have_none(self, make_sandbox: MakeSandbox) -> None:
        provider = make_sandbox(like={"has_idempotency_keys": False})
        request, used = customer_request(), key()
        first = provider.create_customer(request, idempotency_key=used)
        assert provider.create_customer(request, idempotency_key=used).id != first.id


class TestFaults:
    def test_an_answer_500_has_no_effect(self, driver: Driver) -> None:
        request, used = request_for(driver), key()
        driver.provider.set_faults(answer_500=2)
        with pytest.raises(ProviderUnavailable):
            driver.provider.create_subscription(request, idempotency_key=used)
        with pytest.raises(ProviderUnavailable):
            driver.provider.get_customer(Ref(id=request.customer_id))
        assert driver.provider.list_invoices(Ref(id=request.customer_id)) == []
        assert driver.provider.create_subscription(request, idempotency_key=used).id

    def test_a_lost_answer_is_found_with_its_key(self, driver: Driver) -> None:
        request, used = request_for(driver), key()
        driver.provider.set_faults(timeout_after_success=1)
        with pytest.raises(OutcomeUnknown):
            driver.provider.create_subscription(request, idempotency_key=used)
        found = driver.provider.create_subscription(request, idempotency_key=used)
        assert found.reference == request.reference
        assert len(driver.provider.list_invoices(Ref(id=request.customer_id))) == 1

    @pytest.mark.parametrize(
        "faults", [{"nonsense": 1}, {"drop": "x"}, {"answer_500": 0.5}, {"drop": -1}]
    )
    def test_a_wrong_fault_is_refused(self, driver: Driver, faults: dict[str, object]) -> None:
        with pytest.raises(ValueError, match="fault"):
            driver.provider.set_faults(**faults)

    def test_a_namespace_has_its_own(self, make_sandbox: MakeSandbox) -> None:
        make_sandbox("one").set_faults(answer_500=1)
        assert make_sandbox("two").list_plans() == []


class TestOneFile:
    def test_namespaces_do_not_meet(self, make_sandbox: MakeSandbox) -> None:
        one, two = make_sandbox("one"), make_sandbox("two")
        plan = Driver(one).plan()
        assert two.list_plans() == []
        assert [each.id for each in one.list_plans()] == [plan.id]
        assert {body for _, body in two.pending_deliveries()} == set()

    def test_a_seed_gives_the_same_ids(
        self, make_sandbox: MakeSandbox, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        files = [str(tmp_path_factory.mktemp("seed") / "s.sqlite3") for _ in range(3)]
        seeds = [1, 1, 2]
        ids = [
            Driver(make_sandbox(path=path, seed=seed)).start().id
            for path, seed in zip(files, seeds, strict=True)
        ]
        assert ids[0] == ids[1] != ids[2]

    def test_threads_that_open_a_new_file_at_once(self, make_sandbox: MakeSandbox) -> None:
        provider, used, request = make_sandbox(), key(), customer_request()
        barrier = threading.Barrier(8)

        def create(_: int) -> str:
            barrier.wait()
            return provider.create_customer(request, idempotency_key=used).id

        with ThreadPoolExecutor(8) as pool:
            ids = set(pool.map(create, range(8)))
        assert len(ids) == 1
        assert len(provider.pending_deliveries()) == 1

    def test_processes_that_open_a_new_file_at_once(self, make_sandbox: MakeSandbox) -> None:
        provider = make_sandbox()
        code = (
            "import sys\n"
            "from billing.providers.sandbox import SandboxProvider\n"
            "from billing.testing import customer_request, key\n"
            "p = SandboxProvider(alias='sandbox', mode='sandbox', options={'path': sys.argv[1]})\n"
            "for _ in range(25): p.create_customer(customer_request(), idempotency_key=key())\n"
            "p.create_plan(__import__('billing.testing').testing.plan_request(reference='r',"
            " plan_reference='p'), idempotency_key='shared')\n"
        )
        started = [
            subprocess.Popen([sys.executable, "-c", code, provider.options["path"]])
            for _ in range(3)
        ]
        assert [process.wait(60) for process in started] == [0, 0, 0]
        assert len(provider.list_plans()) == 1
        assert len(provider.pending_deliveries()) == 76

    def test_a_forked_child_opens_its_own_connection(self, sandbox: SandboxProvider) -> None:
        sandbox.list_plans()
        in_child = _in_fork(lambda: Driver(sandbox).plan())
        assert in_child == 0
        assert len(sandbox.list_plans()) == 1

    def test_a_failed_transaction_leaves_the_connection_usable(
        self, sandbox: SandboxProvider
    ) -> None:
        def fail() -> None:
            with sandbox._store.write() as session:
                session.queue("ping", {})
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail()
        assert sandbox.pending_deliveries() == []

    def test_a_file_that_was_removed_is_made_again(self, sandbox: SandboxProvider) -> None:
        Driver(sandbox).plan()
        for name in ("", "-wal", "-shm"):
            _unlink(sandbox.options["path"] + name)
        assert sandbox.list_plans() == []

    def test_health(self, sandbox: SandboxProvider, make_sandbox: MakeSandbox) -> None:
        assert sandbox.check_health().is_healthy
        assert not make_sandbox(path="/dev/null/no/file").check_health().is_healthy


class TestLike:
    def test_it_says_no_more_than_what_it_stands_in_for(self, make_sandbox: MakeSandbox) -> None:
        like = {"name": "Acme", "capabilities": ["ManagesCustomers"], "methods": ["card"]}
        provider = make_sandbox(like=like)
        assert provider.provider_name == "Acme"
        assert provider.features.methods == ("card",)
        names = {capability.__name__ for capability in provider.capabilities}
        assert names == {"PaymentProvider", "ReadsCustomers", "ManagesCustomers", "Simulates"}

    def test_an_unknown_capability_is_named(self, make_sandbox: MakeSandbox) -> None:
        with pytest.raises(ValueError, match="FliesToTheMoon"):
            make_sandbox(like={"capabilities": ["FliesToTheMoon"]})


class TestClock:
    def test_a_missing_file_has_no_offset_and_stays_missing(self, sandbox: SandboxProvider) -> None:
        path = sandbox.options["path"]
        assert clock.offset(path) == timedelta(0)
        assert not Path(path).exists()

    def test_moves_add_up_for_the_whole_file(self, make_sandbox: MakeSandbox) -> None:
        one, two = make_sandbox("one"), make_sandbox("two")
        moved = [Driver(each).start() for each in (one, two)]
        one.advance_clock(timedelta(days=20))
        two.advance_clock(timedelta(days=20))
        assert clock.offset(one.options["path"]) == timedelta(days=40)
        for provider, subscription in zip((one, two), moved, strict=True):
            assert len(provider.list_invoices(Ref(id=subscription.customer_id))) == 2

    def test_moves_at_once_add_up(self, make_sandbox: MakeSandbox) -> None:
        provider = make_sandbox()
        Driver(provider).start()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(provider.advance_clock, [timedelta(days=50)] * 4))
        assert clock.offset(provider.options["path"]) == timedelta(days=200)

    def test_time_never_moves_back(self, sandbox: SandboxProvider) -> None:
        with pytest.raises(ValueError, match="forward"):
            sandbox.advance_clock(timedelta(seconds=-1))

    def test_now_is_wall_time_and_offset(self, sandbox: SandboxProvider) -> None:
        before = clock.now(sandbox.options["path"])
        sandbox.advance_clock(timedelta(days=3))
        after = clock.now(sandbox.options["path"])
        assert timedelta(days=3) <= after - before < timedelta(days=3, minutes=1)


def _in_fork(act: Callable[[], object]) -> int:
    process = multiprocessing.get_context("fork").Process(target=act)
    process.start()
    process.join(30)
    return process.exitcode if process.exitcode is not None else -1


def _unlink(path: str) -> None:
    Path(path).unlink(missing_ok=True)
