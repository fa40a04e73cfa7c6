"""Processes and servers are killed while events come in: nothing is lost, nothing done twice.

What an event did is counted on StateChange, which has no unique key that would hide double work.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from billing.tests.integration.harness import Process, started
from billing.tests.integration.stripe_api import HangingApi, SlowApi, StripeApi
from billing.tests.soak import IS_LONG, long_or_short
from billing.tests.soak.sender import Sender
from billing.tests.soak.stage import (
    Inbox,
    Stage,
    check,
    check_takeovers,
    mixed,
    wait_until,
    wipe,
)
from billing.tests.stripe_life import StripeLife, live
from project.tests.processes import descendants

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.soak(block="crashes"),
]

EVENTS = long_or_short(10_000, 600)
POST_SECONDS = long_or_short(60, 6)
KILLS = long_or_short(20, 4)
INSIDE_A_BATCH = long_or_short(10, 2)
WEB_KILLS = long_or_short(4, 1)
BROKER_EVENTS = long_or_short(3_000, 400)
BROKER_SECONDS = long_or_short(15, 2)
DATABASE_EVENTS = long_or_short(3_000, 400)
DATABASE_SECONDS = long_or_short(60, 12)
RATE = 150
SLOW_LIVES = long_or_short(16, 6)
SIGTERMS = [
    ("one process", False, 0.5),
    ("the whole group", True, 0.5),
    ("with a provider that hangs", False, 60.0),
]
DRAIN_SECONDS = long_or_short("20", "3")
OLD_VERSION = "2017-08-15"
QUICK = {
    "BILLING_LEASE_SECONDS": "4",
    "BILLING_SWEEP_SECONDS": long_or_short("15", "2"),
    "BILLING_DRAIN_BATCH_SIZE": "50",
}
# A wake-up lives as long as a sweep; here it has to live until the worker is up, without a beat.
PATIENT = QUICK | {"BILLING_SWEEP_SECONDS": "15"}
_BLOCKED = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


def test_workers_and_web_killed_while_events_come_in(
    stage: Stage, tmp_path: Path, record_property: Any
) -> None:
    lives = stage.take(EVENTS)
    killed: list[dict[Any, set[Any]]] = []
    with (
        stage.system(tmp_path, **QUICK) as (system, inbox),
        started(system, "web", "worker", "beat") as processes,
        Sender(system.url, mixed(lives), seconds=POST_SECONDS) as sender,
    ):
        while len(killed) < KILLS or sum(map(bool, killed)) < INSIDE_A_BATCH:
            number = len(killed)
            assert number < 3 * KILLS, "no kill falls inside a batch"
            time.sleep(
                max(0.0, sender.started_at + number * POST_SECONDS / KILLS - time.monotonic())
            )
            killed.append(_kill_worker(processes["worker"], inbox, is_whole=number % 3 != 2))
            if number % (KILLS // WEB_KILLS) == 1:
                processes["web"].kill()
                processes["web"].start()
        last_kill = time.monotonic()
        sender.wait(120)
        inbox.wait_until_settled(last_kill + 120 - time.monotonic(), EVENTS)
        record_property("settled after the last kill, s", round(time.monotonic() - last_kill, 1))
        record_property("tries without an answer", sender.statuses()[0])
        check(system, inbox, lives, sender)
        taken = {(each.claim_id, each.event_id) for each in check_takeovers(inbox)}
    for claims in killed:
        for claim_id, event_ids in claims.items():
            assert {(claim_id, event_id) for event_id in event_ids} <= taken
    record_property("workers killed", len(killed))
    record_property("of these inside a batch, taken over", sum(map(bool, killed)))


def _kill_worker(worker: Process, inbox: Inbox, *, is_whole: bool) -> dict[Any, set[Any]]:
    """Kill the worker, or the processes of its pool; return what died in its hands, by claim."""
    before = inbox.wait_until_held(10)
    if is_whole:
        worker.kill()
    else:
        for pid in descendants(worker.pid):
            os.kill(pid, signal.SIGKILL)
    time.sleep(0.3)  # the database still ends the statement that the killed one sent last
    after = inbox.held()
    if is_whole:
        worker.start()
    return {claim: after[claim] for claim in before if claim in after}


def test_a_worker_stopped_while_it_asks_writes_nothing_when_it_goes_on(
    stage: Stage, tmp_path: Path
) -> None:
    """It waits for the provider, outside any transaction, and outlives its lease."""
    life = StripeLife(customer_reference=stage.references[0], api_version=OLD_VERSION)
    events = [*life.sign_up(), *life.subscribe(), *life.pay()]
    api = HangingApi([life])
    with (
        api.served() as api_url,
        stage.system(tmp_path, **PATIENT, STRIPE_API_BASE=api_url) as (system, inbox),
        started(system, "web"),
        Sender(system.url, events) as sender,
    ):
        sender.wait()
        with started(system, "worker") as workers:
            wait_until(lambda: api.waiting and len(_held(inbox)) == len(events))
            late = set(inbox.held())
            workers["worker"].signal(signal.SIGSTOP)
            api.hold_no_more()
            with started(system, "worker 2", "beat"):
                inbox.wait_until_settled(60)
                settled = inbox.dump()
                workers["worker"].signal(signal.SIGCONT)
                api.go_on()
                wait_until(lambda: "webhook.lease_lost" in workers["worker"].said())
                assert inbox.dump() == settled
                assert {each.claim_id for each in check_takeovers(inbox)} == late
        check(system, inbox, [life], sender)


def test_a_worker_stopped_inside_its_transaction_writes_nothing_when_it_goes_on(
    stage: Stage, tmp_path: Path
) -> None:
    """It has read and locked rows, and outlives its lease before it can commit."""
    life = StripeLife(customer_reference=stage.references[0])
    events = [*life.sign_up(), *life.subscribe(), *life.pay()]
    with (
        StripeApi([life]).served() as api_url,
        stage.system(tmp_path, **PATIENT, STRIPE_API_BASE=api_url) as (system, inbox),
        started(system, "web"),
        Sender(system.url, events) as sender,
    ):
        sender.wait()
        with psycopg.connect(inbox.url) as blocker, started(system, "worker") as workers:
            blocker.execute("SELECT 1 FROM billing_customer FOR UPDATE")
            wait_until(lambda: inbox.query(_BLOCKED))
            late = set(inbox.held())
            workers["worker"].signal(signal.SIGSTOP)
            blocker.rollback()
            with started(system, "worker 2", "beat"):
                # Its locks must not hold up the other for longer than its lease.
                inbox.wait_until_settled(60)
                settled = inbox.dump()
                workers["worker"].signal(signal.SIGCONT)
                wait_until(lambda: "raised unexpected" in workers["worker"].said())
                assert inbox.dump() == settled
                assert late & {each.claim_id for each in check_takeovers(inbox)}
        check(system, inbox, [life], sender)


def test_broker_wiped_and_stopped_while_events_come_in(
    stage: Stage, tmp_path: Path, record_property: Any
) -> None:
    lives = stage.take(BROKER_EVENTS)
    events = mixed(lives)
    half = len(events) // 2
    with (
        stage.system(tmp_path, **QUICK) as (system, inbox),
        started(system, "web", "worker", "beat"),
    ):
        with Sender(system.url, events[:half], seconds=BROKER_SECONDS) as first:
            time.sleep(BROKER_SECONDS / 3)
            wipe(stage.broker)
            time.sleep(BROKER_SECONDS / 3)
            stage.broker.stop(signal.SIGKILL)
            try:
                first.wait()
                # A drain that runs goes on while events come in, and needs no broker: let it end.
                # What nobody was told of waits for the broker.
                wait_until(lambda: not inbox.held() and _is_idle(inbox))
                with Sender(system.url, events[half:], seconds=BROKER_SECONDS) as second:
                    second.wait()
                left = inbox.unsettled()
            finally:
                stage.broker.start()
        seconds = inbox.wait_until_settled(60)
        assert left, "nobody was woken, and yet all was done"
        assert set(first.statuses()) == set(second.statuses()) == {200}
        slow = second.seconds_at(95)
        record_property("p95 without a broker, s", round(slow, 3))
        record_property("drained after its return, s", round(seconds, 1))
        assert slow <= 2
        check(system, inbox, lives, first, second)


def test_database_stopped_the_hard_way_three_times(
    stage: Stage, tmp_path: Path, record_property: Any
) -> None:
    lives = stage.take(DATABASE_EVENTS)
    with (
        stage.system(tmp_path, **QUICK) as (system, inbox),
        started(system, "web", "worker", "beat") as processes,
        Sender(system.url, mixed(lives), seconds=DATABASE_SECONDS) as sender,
    ):
        for number in range(3):
            due = sender.started_at + DATABASE_SECONDS * (0.1 + 0.3 * number)
            time.sleep(max(0.0, due - time.monotonic()))
            # SIGQUIT is `pg_ctl stop -m immediate`.
            stage.postgres.stop(signal.SIGKILL if number == 1 else signal.SIGQUIT)
            stopped_at = time.monotonic()
            time.sleep(DATABASE_SECONDS / 15)
            wait_until(lambda at=stopped_at: sender.statuses(since=at))
            statuses = sender.statuses(since=stopped_at)
            returned_at = time.monotonic()
            stage.postgres.start()
            before = inbox.processed()
            assert {status // 100 for status in statuses} <= {0, 5}
            wait_until(lambda at=returned_at: sender.statuses(since=at)[200])
            wait_until(lambda count=before: inbox.processed() > count)
            seconds = round(time.monotonic() - returned_at, 1)
            record_property(f"took in and drained again after stop {number + 1}, s", seconds)
            assert seconds <= 30
        sender.wait()
        inbox.wait_until_settled(60)
        assert all(process.is_alive for process in processes.values())
        check(system, inbox, lives, sender)


def test_a_backlog_without_a_worker_then_one(
    stage: Stage, tmp_path: Path, record_property: Any
) -> None:
    lives = stage.take(EVENTS)
    events = mixed(lives)
    third = len(events) // 3
    with (
        stage.system(tmp_path) as (system, inbox),
        started(system, "web", "beat"),
    ):
        with Sender(system.url, events[:third], seconds=third / RATE) as paced:
            paced.wait()
        record_property(f"{RATE} events/s by 32 senders, p95 and p99, ms", _milliseconds(paced))
        with Sender(system.url, events[third:]) as fast:
            fast.wait(300)
            rate = len(fast.tries) / (time.monotonic() - fast.started_at)
        record_property("as fast as 32 senders can, events/s", round(rate))
        record_property("as fast as 32 senders can, p95 and p99, ms", _milliseconds(fast))
        assert inbox.unsettled() == inbox.count()
        with started(system, "worker"):
            seconds = inbox.wait_until_settled(EVENTS / 50, EVENTS)
        record_property("drained by one worker, with its start, events/s", round(EVENTS / seconds))
        check(system, inbox, lives, paced, fast)
        if IS_LONG:
            assert paced.seconds_at(95) <= 0.15
            assert paced.seconds_at(99) <= 0.5
            assert rate >= 100


def _milliseconds(sender: Sender) -> str:
    return f"{sender.seconds_at(95) * 1000:.0f}, {sender.seconds_at(99) * 1000:.0f}"


def test_sigterm_ends_a_worker_in_time_and_leaves_no_lease_behind(
    stage: Stage, tmp_path: Path, record_property: Any
) -> None:
    """A platform sends it to the first process, or to every process; the work is too long.

    In the end the provider hangs, for longer than a platform waits before it kills.
    """
    lives = live([("recovered", OLD_VERSION)] * SLOW_LIVES, stage.references[:SLOW_LIVES])
    api = SlowApi(lives, seconds=0.5)
    with (
        api.served() as api_url,
        stage.system(tmp_path, STRIPE_API_BASE=api_url, BILLING_DRAIN_SECONDS=DRAIN_SECONDS) as (
            system,
            inbox,
        ),
        started(system, "web"),
        Sender(system.url, mixed(lives)) as sender,
    ):
        sender.wait()
        for case, is_group, pause in SIGTERMS:
            api.seconds = pause
            with started(system, "worker", "beat") as processes:
                assert inbox.wait_until_held(30)
                asked_at = time.monotonic()
                assert processes["worker"].end(is_group=is_group)
                seconds = time.monotonic() - asked_at
            record_property(f"{case} ended after, s", round(seconds, 1))
            assert seconds <= 30
            assert inbox.held() == {}
            assert inbox.unsettled(), "it ended after its work: there was too little to do"
        assert inbox.query("SELECT max(attempts) FROM billing_webhookevent") == [(0,)]
        api.seconds = 0
        with started(system, "worker", "beat"):
            inbox.wait_until_settled(60)
        check(system, inbox, lives, sender)


def _is_idle(inbox: Inbox) -> bool:
    """Whether nothing was drained for a second."""
    before = inbox.processed()
    time.sleep(1)
    return inbox.processed() == before


def _held(inbox: Inbox) -> set[Any]:
    return {event_id for event_ids in inbox.held().values() for event_id in event_ids}
