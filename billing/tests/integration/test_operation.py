"""What an operator sees of real processes: signs of life, one id through the logs, counts."""

import dataclasses
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from billing.tests.integration.harness import STRIPE_SECRET, Cobro, cobro, running
from billing.tests.integration.stripe_api import StripeApi
from billing.tests.stripe_life import LifeEvent, StripeLife, sign

pytestmark = pytest.mark.processes

TOKEN = "scrape-token-for-tests"
SWEEP_SECONDS = 1
SECRET_IN_THE_BODY = "told-only-in-the-body"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cobro]:
    """Web and worker as in staging, where the logs are JSON; the provider knows no object."""
    folder = tmp_path_factory.mktemp("cobro")
    values = {
        "ENVIRONMENT": "staging",
        "SECRET_KEY": "only-for-this-test-" * 4,
        "ALLOWED_HOSTS": "127.0.0.1",
        "METRICS_TOKEN": TOKEN,
        "METRICS_DIR": str(folder / "metrics"),
        "BILLING_SWEEP_SECONDS": str(SWEEP_SECONDS),
    }
    with StripeApi().served() as url, cobro(folder, STRIPE_API_BASE=url, **values) as started:
        yield started


def beat(system: Cobro) -> Any:
    schedule = str(system.folder / "schedule")
    program = str(Path(sys.executable).parent / "celery")
    command = [program, "--quiet", "-A", "project", "beat", "--schedule", schedule]
    return running("beat", system.environment, system.folder, command)


def get(url: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - 127.0.0.1
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        return int(error.code), error.read().decode()


def post(system: Cobro, event: LifeEvent, request_id: str) -> Any:
    headers = {
        "Stripe-Signature": sign(event.body, STRIPE_SECRET),
        "Content-Type": "application/json",
        "X-Request-ID": request_id,
    }
    url = f"{system.url}/webhooks/stripe"
    request = urllib.request.Request(url, data=event.body, headers=headers)  # noqa: S310
    return urllib.request.urlopen(request, timeout=20)  # noqa: S310


def settle(system: Cobro) -> None:
    """Wait until the worker has nothing to do with what is stored now."""
    system.settled_events(system.orm("answer = WebhookEvent.objects.count()"))


def ready(system: Cobro) -> dict[str, Any]:
    status, text = get(f"{system.url}/readyz")
    found: dict[str, Any] = {"code": status, **json.loads(text)}
    return found


def eventually(
    look: Callable[[], dict[str, Any]], expected: dict[str, Any], seconds: float = 30
) -> dict[str, Any]:
    """What `look` finds, once it holds `expected` or the time is up."""
    ends_at = time.monotonic() + seconds
    found = look()
    while not expected.items() <= found.items() and time.monotonic() < ends_at:
        time.sleep(0.2)
        found = look()
    return found


def lines(log: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


def signal_worker(system: Cobro, number: int) -> None:
    """Send a signal to each process of this system's worker."""
    mark = f"QUEUE_DIR={system.environment['QUEUE_DIR']}".encode()
    sent = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            is_worker = b"\0worker\0" in (path / "cmdline").read_bytes()
            is_ours = mark in (path / "environ").read_bytes()
        except OSError:
            continue
        if is_worker and is_ours:
            os.kill(int(path.name), number)
            sent += 1
    assert sent


def test_a_dead_beat_is_told_from_a_dead_worker(system: Cobro) -> None:
    with beat(system):
        expected = {"code": 200, "status": "ok", "worker": "ok", "beat": "ok"}
        assert expected.items() <= eventually(lambda: ready(system), expected).items()
        signal_worker(system, signal.SIGSTOP)
        try:
            expected = {"code": 200, "status": "degraded", "worker": "silent", "beat": "ok"}
            assert expected.items() <= eventually(lambda: ready(system), expected).items()
        finally:
            signal_worker(system, signal.SIGCONT)
        expected = {"status": "ok", "worker": "ok", "beat": "ok"}
        assert expected.items() <= eventually(lambda: ready(system), expected).items()
    expected = {"code": 200, "status": "degraded", "worker": "ok", "beat": "silent"}
    assert expected.items() <= eventually(lambda: ready(system), expected).items()


def test_one_id_from_the_request_to_the_providers_call(system: Cobro) -> None:
    """The delivery names a subscription that nobody knows: the worker asks the provider for it."""
    life = StripeLife(number=41)
    life.sign_up()
    event = life.subscribe()[1]
    request_id = "from-the-test-0123456789"
    with post(system, event, request_id) as answer:
        assert answer.headers["X-Request-ID"] == request_id
    settle(system)
    logs = {name: lines(text) for name, text in system.logs().items()}
    mine = {
        name: [line for line in found if line.get("request_id") == request_id]
        for name, found in logs.items()
    }
    (accepted,) = [line for line in mine["web"] if line["event"] == "webhook.accepted"]
    claims = [line for line in logs["worker"] if line["event"] == "webhook.claimed"]
    assert any(accepted["event_id"] in line["events"] for line in claims)
    calls = [line for line in mine["worker"] if line["event"] == "provider.called"]
    assert {(line["method"], line["outcome"]) for line in calls} >= {
        ("get_subscription", "provider_object_missing")
    }
    assert {"webhook.claimed", "provider.called"} <= {line["event"] for line in mine["worker"]}


def test_what_is_not_well_formed_or_not_for_logs_is_in_none(system: Cobro) -> None:
    """An id that could be anything is replaced, and nothing of a body is ever logged."""
    event = StripeLife(number=42).sign_up()[0]
    refused = ["a b c d e f g h", "x" * 65, "4242424242424242", "<script>alert()"]
    body = event.body.replace(b"ana@example.com", f"{SECRET_IN_THE_BODY}@example.com".encode())
    told = dataclasses.replace(event, body=body)
    for given in refused:
        with post(system, told, given) as answer:
            assert answer.headers["X-Request-ID"] != given
    settle(system)
    logs = system.logs()
    assert "webhook.accepted" in logs["web"]
    for text in (SECRET_IN_THE_BODY, *refused):
        assert all(text not in log for log in logs.values()), text


def scrape(system: Cobro) -> dict[str, float]:
    status, text = get(f"{system.url}/metrics", Authorization=f"Bearer {TOKEN}")
    assert status == 200, text
    return {
        " ".join([sample.name, *(value for _, value in sorted(sample.labels.items()))]): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_one_scrape_counts_what_all_processes_did(system: Cobro) -> None:
    """Two web processes and the worker; a repeated scrape is the same, whoever answers it."""
    assert get(f"{system.url}/metrics")[0] == 401
    before = scrape(system)
    events = StripeLife(number=44).sign_up()
    for event in [*events, *events]:
        post(system, event, "count-me-please").close()
    forged = urllib.request.Request(  # noqa: S310
        f"{system.url}/webhooks/stripe", data=b"{}", headers={"Stripe-Signature": "t=1"}
    )
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(forged, timeout=20)  # noqa: S310
    settle(system)

    def grown(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    after = scrape(system)
    assert grown("billing_webhook_deliveries_total accepted stripe") == len(events)
    assert grown("billing_webhook_deliveries_total duplicate stripe") == len(events)
    assert grown("billing_webhook_deliveries_total invalid_signature stripe") == 1
    # Nobody knows these customers: their events wait.
    assert grown("billing_webhook_events_drained_total waiting stripe") >= 1
    assert grown("billing_drain_batch_age_seconds_count") >= 1
    assert any(name.startswith("billing_provider_call_seconds_count get_") for name in after)
    assert after["billing_webhook_events waiting"] >= 1
    again = [scrape(system) for _ in range(8)]
    name = "billing_webhook_deliveries_total accepted stripe"
    assert {found[name] for found in again} == {after[name]}
