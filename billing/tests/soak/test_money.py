"""Money out: whatever breaks around a call, the provider has one effect and our rows tell it.

Real web, worker and beat; the provider is at the end of a real connection, keeps idempotency keys
(`stripe`) or keeps none (`conekta`), and sends no webhook.
"""

import contextlib
import itertools
import json
import statistics
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from billing.tests.integration.harness import Cobro, started
from billing.tests.soak import long_or_short
from billing.tests.soak.stage import INVARIANTS, Inbox, Stage, wait_until
from billing.tests.soak.wire import ALIASES, Fault, WireServer

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.soak(block="money"),
]

PROMISED_SECONDS = 300
CIRCUIT_PROMISED_SECONDS = 60
READ_SECONDS = "2"
# The long form waits as long as a customer would.
PACE = long_or_short(
    {},
    {"BILLING_IDEMPOTENCY_LEASE_SECONDS": "10", "BILLING_RECONCILE_SECONDS": "1"},
)
# Every request stands in a thread of its own; what fails here must not open the circuit.
CROWDED = {"WEB_THREADS": "100", "WIRE_CIRCUIT_FAILURES": "100000"}
VERBS = long_or_short(
    ("subscribe", "change", "cancel", "cancel_at_period_end", "add", "remove"),
    ("subscribe", "change", "remove"),
)
EFFECTS = {
    "subscribe": "subscription.created",
    "change": "subscription.updated",
    "cancel": "subscription.canceled",
    "cancel_at_period_end": "subscription.updated",
    "add": "payment_method.attached",
    "remove": "payment_method.detached",
}
# What a provider cannot do, see `project.stand_ins`.
IMPOSSIBLE = {("conekta", "cancel_at_period_end")}
_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
_OPEN = """
SELECT query FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
"""
_MONEY = "from billing.tests.soak.money_rows import prepare, publish, stored\n"
_RECORDING = "billing_subscription, billing_paymentmethod, billing_customer"


@dataclass(kw_only=True)
class Request:
    """One request of one organization, its answers, and whether it is sent until it succeeds."""

    alias: str
    verb: str
    kind: str
    is_repeated: bool
    asked: dict[str, Any] = field(default_factory=dict)
    key: str = field(default_factory=lambda: str(uuid.uuid4()))
    answers: list[tuple[int, str]] = field(default_factory=list)

    @property
    def name(self) -> str:
        repeated = "repeated" if self.is_repeated else "left alone"
        return f"{self.alias} {self.verb} {self.kind} {repeated}"

    @property
    def customer(self) -> str:
        return str(self.asked["customer"])

    def send(self, url: str) -> int:
        """Send it once; the status, 0 where the connection broke."""
        try:
            answer = requests.request(
                self.asked["method"],
                f"{url}/api/v1/billing{self.asked['path']}",
                json=self.asked["body"],
                headers={
                    "Authorization": f"Token {self.asked['token']}",
                    "Idempotency-Key": self.key,
                },
                timeout=120,
            )
        except requests.RequestException as exc:
            self.answers.append((0, type(exc).__name__))
            return 0
        self.answers.append((answer.status_code, answer.text))
        return answer.status_code

    def send_until_done(self, url: str) -> None:
        """As a customer who presses the button again."""
        ends_at = time.monotonic() + PROMISED_SECONDS
        while self.send(url) // 100 != 2 and time.monotonic() < ends_at:
            time.sleep(0.5)


@contextlib.contextmanager
def money(stage: Stage, folder: Path, **values: str) -> Iterator[tuple[Cobro, Inbox, WireServer]]:
    """A system whose providers are at the end of a wire; nothing of it runs yet."""
    wire = WireServer(folder)
    with (
        wire.served() as url,
        stage.system(
            folder,
            DJANGO_SETTINGS_MODULE="billing.tests.soak.wire_settings",
            WIRE_URL=url,
            BILLING_CALLER_RATE="1000000/second",
            BILLING_CARD_RATE="1000000/second",
            **{"WIRE_READ_SECONDS": READ_SECONDS} | values,
        ) as (system, inbox),
    ):
        yield system, inbox, wire


def ready(system: Cobro, wire: WireServer, requests_: Sequence[Request]) -> None:
    """Make for each request the organization and what it is about."""
    cases = [{"alias": each.alias, "verb": each.verb} for each in requests_]
    answers = system.orm(_MONEY + "answer = prepare(given['cases'])", cases=cases)
    for request, asked in zip(requests_, answers, strict=True):
        request.asked = asked
    for provider in wire.providers.values():
        provider.pending_deliveries(take=True)


def cases(kinds: Sequence[str]) -> list[Request]:
    """Every verb at every provider that can do it, going wrong in every way, repeated or not."""
    return [
        Request(alias=alias, verb=verb, kind=kind, is_repeated=is_repeated)
        for alias, verb, kind, is_repeated in itertools.product(
            ALIASES, VERBS, kinds, (True, False)
        )
        if (alias, verb) not in IMPOSSIBLE
    ]


class Crowd:
    """Requests under way, a thread each."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def start(self, requests_: Sequence[Request], url: str, *, until_done: bool = False) -> None:
        for request in requests_:
            send = request.send_until_done if until_done else request.send
            thread = threading.Thread(target=send, args=(url,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def join(self, seconds: float) -> None:
        ends_at = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, ends_at - time.monotonic()))
            assert not thread.is_alive(), "a request is still under way"


def test_killed_at_four_points_around_the_call(
    stage: Stage, tmp_path: Path, record_property: Any
) -> None:
    """The web process is killed while requests stand at every point at once."""
    points = {
        "before the operation commits": None,
        "before sending": Fault.HANG,
        "before the answer": Fault.LATE,
        "before recording": Fault.PAUSE,
    }
    everybody = cases(list(points))
    first = [each for each in everybody if points[each.kind] is None]
    others = [each for each in everybody if points[each.kind]]
    pausing = [each for each in others if points[each.kind] is Fault.PAUSE]
    crowd = Crowd()
    with money(stage, tmp_path, **PACE | CROWDED | {"WIRE_READ_SECONDS": "60"}) as (
        system,
        inbox,
        wire,
    ):
        ready(system, wire, everybody)
        for request in others:
            fault = points[request.kind]
            assert fault
            wire.faults[request.customer] = fault
        with started(system, "web") as processes, psycopg.connect(inbox.url) as blocker:
            crowd.start(others, system.url)
            wait_until(lambda: wire.waiting == len(others), 60)
            # While the provider hangs no transaction is open.
            assert inbox.query(_OPEN) == []
            blocker.execute(f"LOCK TABLE {_RECORDING} IN SHARE MODE")
            wire.go_on(Fault.PAUSE)
            wait_until(lambda: inbox.query(_BLOCKED) == [(len(pausing),)], 60)
            blocker.execute("LOCK TABLE billing_operation IN SHARE MODE")
            crowd.start(first, system.url)
            wait_until(lambda: inbox.query(_BLOCKED) == [(len(pausing) + len(first),)], 60)
            killed_at = time.monotonic()
            processes["web"].kill()
            crowd.join(30)
            blocker.rollback()
            wire.heal()
            assert {answer for each in everybody for answer, _ in each.answers} == {0}
            processes["web"].start()
            with started(system, "worker", "beat"):
                again = Crowd()
                again.start([e for e in everybody if e.is_repeated], system.url, until_done=True)
                again.join(PROMISED_SECONDS)
                wait_until_settled(inbox)
                seconds = time.monotonic() - killed_at
        record_property("requests killed", len(everybody))
        record_property("all told the truth after, s", round(seconds))
        assert seconds <= PROMISED_SECONDS
        check(system, wire, everybody)


def test_answers_that_break(stage: Stage, tmp_path: Path, record_property: Any) -> None:
    """Time-out, hang, 500 before and after the effect, half an answer, garbage, reset."""
    faults = [each for each in Fault if each is not Fault.PAUSE]
    everybody = cases([each.name for each in faults])
    with money(stage, tmp_path, **PACE | CROWDED) as (system, inbox, wire):
        ready(system, wire, everybody)
        wire.faults = {each.customer: Fault[each.kind] for each in everybody}
        with started(system, "web", "worker", "beat"):
            crowd, broken_at = Crowd(), time.monotonic()
            crowd.start(everybody, system.url)
            crowd.join(120)
            for request in everybody:
                ((status, body),) = request.answers
                assert (status, json.loads(body)["code"]) == (503, "outcome_unknown"), request.name
            wire.heal()
            again = Crowd()
            again.start([e for e in everybody if e.is_repeated], system.url, until_done=True)
            again.join(PROMISED_SECONDS)
            wait_until_settled(inbox)
            seconds = time.monotonic() - broken_at
        record_property("answers broken", len(everybody))
        record_property("all told the truth after, s", round(seconds))
        assert seconds <= PROMISED_SECONDS
        check(system, wire, everybody)


def test_no_transaction_is_open_while_a_worker_waits_for_the_provider(
    stage: Stage, tmp_path: Path
) -> None:
    """In the look-up of what was left open, and in publishing from the outbox."""
    request = Request(alias="conekta", verb="cancel", kind="REFUSE", is_repeated=False)
    quick = {"BILLING_IDEMPOTENCY_LEASE_SECONDS": "2", "BILLING_RECONCILE_SECONDS": "1"}
    with money(stage, tmp_path, **quick, BILLING_SWEEP_SECONDS="1", WIRE_READ_SECONDS="60") as (
        system,
        inbox,
        wire,
    ):
        ready(system, wire, [request])
        wire.faults[request.customer] = Fault.REFUSE
        with started(system, "web", "worker", "beat"):
            for method, begin in (
                ("get_subscription", lambda: request.send(system.url)),
                ("create_plan", lambda: system.orm(_PUSH)),
            ):
                wire.hanging = {method}
                begin()
                wait_until(lambda: wire.waiting, 60)
                assert inbox.query(_OPEN) == [], method
                wire.heal()
            wait_until_settled(inbox)
        check(system, wire, [request])


_PUSH = """
from billing.services import plans
plan = SubscriptionPlan.objects.get(slug="startup")
Price.objects.create(plan=plan, interval="yearly", currency="EUR", amount_minor=29900)
plans.push(plan)"""


def test_circuit_opens_for_one_provider_and_closes_again(
    stage: Stage, tmp_path: Path, record_property: Any
) -> None:
    values = long_or_short({}, {"WIRE_CIRCUIT_SECONDS": "4"})
    failing = [_adding("stripe") for _ in range(5)]
    refused = [_adding("stripe") for _ in range(20)]
    others = [_adding("conekta") for _ in range(5)]
    with money(stage, tmp_path, **values) as (system, _, wire):
        ready(system, wire, [*failing, *refused, *others])
        wire.broken = {"stripe"}
        with started(system, "web"):
            assert [each.send(system.url) for each in others[:1]] == [201]
            assert [each.send(system.url) for each in failing] == [503] * 5
            opened_at = time.monotonic()
            took = [_timed(each, system.url) for each in refused]
            assert [each.send(system.url) for each in others[1:]] == [201] * 4
            wire.heal()
            wait_until(lambda: refused[0].send(system.url) == 201, CIRCUIT_PROMISED_SECONDS)
            seconds = time.monotonic() - opened_at
            again = Crowd()
            again.start([*failing, *refused], system.url, until_done=True)
            again.join(PROMISED_SECONDS)
        record_property("refused after, ms, median and worst", _milliseconds(took))
        record_property("closed again after, s", round(seconds, 1))
        assert statistics.median(took) < 0.1
        assert seconds <= CIRCUIT_PROMISED_SECONDS
        for request in refused:
            problem = json.loads(request.answers[0][1])
            assert (request.answers[0][0], problem["code"]) == (503, "provider_unavailable")
        check(system, wire, [*failing, *refused, *others])


def _adding(alias: str) -> Request:
    return Request(alias=alias, verb="add", kind="circuit", is_repeated=True)


def _timed(request: Request, url: str) -> float:
    started_at = time.monotonic()
    assert request.send(url) == 503
    return time.monotonic() - started_at


def _milliseconds(took: Sequence[float]) -> str:
    return f"{statistics.median(took) * 1000:.0f}, {max(took) * 1000:.0f}"


def wait_until_settled(inbox: Inbox) -> None:
    """Return when no operation is open any more."""
    statement = "SELECT 1 FROM billing_operation WHERE outcome IN ('pending', 'unknown')"
    wait_until(lambda: not inbox.query(statement), PROMISED_SECONDS)


def check(system: Cobro, wire: WireServer, everybody: Sequence[Request]) -> None:
    """At most one effect, exactly one where it was repeated or had happened; our rows tell it."""
    organizations = [each.asked["organization"] for each in everybody]
    rows = system.orm(_MONEY + "answer = stored(given['ids'])", ids=organizations)
    effects = _effects(wire)
    wrong = []
    for request, row in zip(everybody, rows, strict=True):
        count = effects.count((request.customer, EFFECTS[request.verb]))
        must = request.is_repeated or request.kind in _HAPPENED
        told = told_by(wire, request)
        done = request.answers[-1][0] // 100 == 2 or not request.is_repeated
        if count > 1 or (must and not count) or row != told or not done:
            wrong.append((request.name, count, row, told, request.answers[-1]))
    assert wrong == []
    system.orm(INVARIANTS)


_HAPPENED = {"before the answer", "before recording"} | {
    fault.name for fault in Fault if fault.has_effect
}


def _effects(wire: WireServer) -> list[tuple[str, str]]:
    """Customer and type of everything that happened at the providers since `ready`."""
    found = []
    for provider in wire.providers.values():
        for _, body in provider.pending_deliveries():
            event = json.loads(body)
            about = event["data"]["object"]
            owner = about.get("customer") or about.get("previous_customer") or about["id"]
            found.append((owner, event["type"]))
    return found


def told_by(wire: WireServer, request: Request) -> dict[str, Any]:
    """What the provider holds, as `money_rows.stored` says it of ours."""
    store = wire.providers[request.alias]._store
    with store.read() as session:
        held = [each.body for each in session.of_customer("subscription", request.customer)]
        methods = session.of_customer("payment_method", request.customer)
    return {
        "subscriptions": sorted(
            [each["id"], each["status"], each["price"], each["cancel_at_period_end"]]
            for each in held
        ),
        "unmade": [],
        "methods": sorted(each.id for each in methods if each.body["customer"]),
        "open": 0,
    }
