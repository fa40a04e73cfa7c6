"""Counting in many processes, and never at the cost of the work."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from billing import circuit, metrics
from billing.errors import ProviderObjectMissing, ProviderUnavailable
from billing.providers.base import ReadsCustomers
from billing.providers.types import Ref
from billing.registry import providers
from billing.services import webhooks
from billing.tests.services import sandbox_objects as objects
from project.tests.processes import ROOT, clean_environment

_MANY_PROCESSES = """
import os
from billing import metrics
for _ in range(5):
    if not os.fork():
        metrics.count_delivery("stripe", "accepted")
        metrics.observe_batch(0.2)
        os._exit(0)
    os.wait()
metrics.count_delivery("stripe", "accepted")
texts = {metrics.exposition() for _ in range(3)}
assert len(texts) == 1
print(texts.pop().decode())
"""


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def grown() -> Any:
    """Return grown(name, *labels): by how much a sample of this process has grown."""
    before = samples(metrics.exposition().decode())

    def by(*key: str) -> float:
        return samples(metrics.exposition().decode()).get(key, 0) - before.get(key, 0)

    return by


def run(script: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=clean_environment(folder, PROMETHEUS_MULTIPROC_DIR=str(folder)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_ended_processes_counted_is_kept_in_one_file(tmp_path: Path) -> None:
    """A sum that falls would look like a restart, and each file costs a scrape something."""
    for total in (6, 12):
        found = samples(run(_MANY_PROCESSES, tmp_path))
        assert found["billing_webhook_deliveries_total", "accepted", "stripe"] == total
        assert found["billing_drain_batch_age_seconds_count",] == total / 6 * 5
        assert found["billing_drain_batch_age_seconds_bucket", "0.25"] == total / 6 * 5
        assert found["billing_drain_batch_age_seconds_bucket", "0.1"] == 0
        files = sorted(path.name for path in tmp_path.glob("*_*.db"))
        assert len(files) == 4
        assert {"counter_0.db", "histogram_0.db"} < set(files)


def test_a_folder_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    script = f"""
import shutil
from billing import metrics
shutil.rmtree({str(tmp_path / "gone")!r})
metrics.count_delivery("stripe", "accepted")
metrics.observe_call("stripe", "get_customer", "ok", 0.1)
"""
    (tmp_path / "gone").mkdir()
    env = clean_environment(tmp_path, PROMETHEUS_MULTIPROC_DIR=str(tmp_path / "gone"))
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=env, check=True)


@pytest.mark.django_db(transaction=True)
class TestWhatIsCounted:
    def test_the_drain(self, sandbox: Any, grown: Any) -> None:
        objects.make_price()
        objects.make_customer("001")
        for number in range(3):
            objects.deliver(
                f"evt_{number}",
                "subscription.updated",
                objects.subscription("001"),
                objects.CREATED + number,
            )
        objects.deliver("evt_orphan", "subscription.updated", objects.subscription("002"))
        webhooks.drain()
        name = "billing_webhook_events_drained_total"
        assert grown(name, "applied", "stripe") == 1
        assert grown(name, "superseded", "stripe") == 2
        assert grown(name, "waiting", "stripe") == 1
        assert grown("billing_drain_batch_age_seconds_count") == 1

    def test_calls_to_providers(self, sandbox: Any, grown: Any) -> None:
        provider = providers.get("stripe", ReadsCustomers)
        with pytest.raises(ProviderObjectMissing):
            provider.get_customer(Ref(id="cus_1"))
        for _ in range(5):
            circuit.record_failure("stripe")
        with pytest.raises(ProviderUnavailable):
            provider.get_customer(Ref(id="cus_1"))
        name = "billing_provider_call_seconds_count"
        assert grown(name, "get_customer", "provider_object_missing", "stripe") == 1
        assert grown(name, "get_customer", "circuit_open", "stripe") == 1

    def test_what_raises_none_of_our_errors_is_not_told_as_a_success(
        self, sandbox: Any, grown: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
    ) -> None:
        def broken(*args: Any) -> None:
            raise TypeError("a mapper's mistake")

        monkeypatch.setattr(type(providers._instance("stripe")), "get_customer", broken)
        with caplog.at_level("INFO", "billing.registry"), pytest.raises(TypeError):
            providers.get("stripe", ReadsCustomers).get_customer(Ref(id="cus_1"))
        assert [record.outcome for record in caplog.records] == ["broken"]
        assert grown("billing_provider_call_seconds_count", "get_customer", "broken", "stripe") == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("path", "body", "outcome", "provider"),
    [
        ("/webhooks/stripe", b"{}", "invalid_signature", "stripe"),
        ("/webhooks/stripe", b"x" * 1_100_000, "too_large", "stripe"),
        ("/webhooks/made-up-by-the-client", b"{}", "unknown_provider", ""),
    ],
)
def test_a_refusal_by_its_reason_and_never_by_what_a_client_wrote(
    path: str, body: bytes, outcome: str, provider: str, sandbox: Any, grown: Any, client: Any
) -> None:
    client.post(path, body, content_type="application/json")
    assert grown("billing_webhook_deliveries_total", outcome, provider) == 1
    assert "made-up" not in metrics.exposition().decode()
