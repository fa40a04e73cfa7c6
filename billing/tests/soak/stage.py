"""Where processes are killed: a PostgreSQL and a Redis of its own, and lives to tell them about.

Every system gets a new database made from one template, in which the customers are reserved, so
that a test begins in a second. A trigger in it writes down each lease that another claim took
over, which nothing else would show afterwards.
"""

import contextlib
import itertools
import random
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import redis

from billing.tests.integration.harness import Cobro, configured
from billing.tests.integration.life_rows import told
from billing.tests.integration.stripe_api import StripeApi
from billing.tests.soak.sender import Sender
from billing.tests.stripe_life import API_VERSION, STORIES, LifeEvent, StripeLife, live
from project.tests.services import Server

_TEMPLATE = "template_cobro"
_LIFE_ROWS = "from billing.tests.integration.life_rows import prepare, stored; answer = "
INVARIANTS = "call_command('billing_invariants');"
_TAKEOVERS = """
CREATE TABLE soak_takeover (
    event_id uuid, claim_id uuid, claimed_until timestamptz, taken_by uuid, taken_at timestamptz
);
CREATE FUNCTION soak_note_takeover() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO soak_takeover
    VALUES (OLD.id, OLD.claim_id, OLD.claimed_until, NEW.claim_id, clock_timestamp());
    RETURN NULL;
END $$;
CREATE TRIGGER soak_takeover AFTER UPDATE OF claim_id ON billing_webhookevent FOR EACH ROW
WHEN (OLD.claim_id IS NOT NULL AND NEW.claim_id IS NOT NULL AND OLD.claim_id <> NEW.claim_id)
EXECUTE FUNCTION soak_note_takeover();
"""
_UNSETTLED = """
SELECT (
    SELECT count(*) FROM billing_webhookevent
    WHERE state IN ('pending', 'waiting', 'failed') OR claimed_until IS NOT NULL
) + (SELECT count(*) FROM billing_outboxmessage WHERE state IN ('pending', 'failed'))
"""
_EFFECTS = """
SELECT event.provider_event_id, event.state, array_remove(array_agg(change.outcome), NULL)
FROM billing_webhookevent event LEFT JOIN billing_statechange change ON change.event_id = event.id
GROUP BY event.id
"""
_DUMP = """
SELECT 'event', id, state, attempts, claim_id, claimed_until, processed_at, outcome
FROM billing_webhookevent
UNION ALL SELECT 'change', id, outcome, 0, event_id, created_at, NULL, '' FROM billing_statechange
UNION ALL SELECT 'customer', id, '', sync_seq, NULL, updated_at, NULL, '' FROM billing_customer
UNION ALL SELECT 'subscription', id, status, sync_seq, NULL, updated_at, NULL, ''
FROM billing_subscription
UNION ALL SELECT 'invoice', id, status, sync_seq, NULL, updated_at, NULL, '' FROM billing_invoice
UNION ALL SELECT 'payment', id, status, sync_seq, NULL, updated_at, NULL, '' FROM billing_payment
ORDER BY 1, 2
"""
_EFFECT = {"applied", "unchanged", "superseded"}


@dataclass(frozen=True, kw_only=True)
class Takeover:
    """A lease that another claim took over."""

    event_id: uuid.UUID
    claim_id: uuid.UUID
    claimed_until: datetime
    taken_by: uuid.UUID
    taken_at: datetime


class Inbox:
    """What stands in the database of a system, read beside its processes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection: psycopg.Connection[Any] | None = None

    def query(self, statement: str) -> list[Any]:
        """Rows of one statement; a connection that was lost is made anew once."""
        try:
            return self._execute(statement)
        except psycopg.OperationalError:
            self.close()
            return self._execute(statement)

    def _execute(self, statement: str) -> list[Any]:
        if self._connection is None:
            self._connection = psycopg.connect(self.url, autocommit=True)
        cursor = self._connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None

    def count(self) -> int:
        return int(self.query("SELECT count(*) FROM billing_webhookevent")[0][0])

    def unsettled(self) -> int:
        """Events, and links between rows, that still want work or are in somebody's hands."""
        return int(self.query(_UNSETTLED)[0][0])

    def processed(self) -> int:
        statement = "SELECT count(*) FROM billing_webhookevent WHERE state = 'processed'"
        return int(self.query(statement)[0][0])

    def dump(self) -> list[Any]:
        """Every event, effect and object, and when each was written."""
        return self.query(_DUMP)

    def held(self) -> dict[uuid.UUID, set[uuid.UUID]]:
        """The events under a lease, by claim."""
        claims: dict[uuid.UUID, set[uuid.UUID]] = {}
        statement = "SELECT claim_id, id FROM billing_webhookevent WHERE claim_id IS NOT NULL"
        for claim_id, event_id in self.query(statement):
            claims.setdefault(claim_id, set()).add(event_id)
        return claims

    def takeovers(self) -> list[Takeover]:
        names = "event_id, claim_id, claimed_until, taken_by, taken_at"
        rows = self.query(f"SELECT {names} FROM soak_takeover ORDER BY taken_at")
        return [Takeover(**dict(zip(names.split(", "), row, strict=True))) for row in rows]

    def wait_until_held(self, seconds: float) -> dict[uuid.UUID, set[uuid.UUID]]:
        """What is held as soon as something is; {} when nothing was in that time."""
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            held = self.held()
            if held:
                return held
            time.sleep(0.002)
        return {}

    def wait_until_settled(self, seconds: float, count: int = 0) -> float:
        """Seconds until at least `count` events are there and none wants work; fail when longer."""
        started_at = time.monotonic()
        while self.count() < count or self.unsettled():
            waited = time.monotonic() - started_at
            assert waited < seconds, f"{self.unsettled()} of {self.count()} not settled in time"
            time.sleep(0.1)
        return time.monotonic() - started_at


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The servers, Stripe's API as the lives' end tells it, and who the lives belong to."""

    postgres: Server
    broker: Server
    api_url: str
    references: Sequence[str]
    lives: Sequence[StripeLife]

    @contextlib.contextmanager
    def system(self, folder: Path, **values: str) -> Iterator[tuple[Cobro, Inbox]]:
        """A configured system, not started, with a new database and an empty broker."""
        name = f"cobro_{uuid.uuid4().hex[:12]}"
        _execute(self.postgres, f'CREATE DATABASE "{name}" TEMPLATE {_TEMPLATE}')
        wipe(self.broker)
        system = _system(self.postgres, self.broker, self.api_url, folder, name, **values)
        inbox = Inbox(system.environment["DATABASE_URL"])
        try:
            yield system, inbox
        finally:
            inbox.close()

    def take(self, count: int) -> list[StripeLife]:
        """As many lives as it takes to have `count` events."""
        chosen: list[StripeLife] = []
        while sum(len(life.events) for life in chosen) < count:
            chosen.append(self.lives[len(chosen)])
        return chosen


@contextlib.contextmanager
def stage(postgres: Server, broker: Server, folder: Path, *, count: int) -> Iterator[Stage]:
    """Prepare the template for `count` lives and serve what Stripe answers about them."""
    _execute(postgres, f"CREATE DATABASE {_TEMPLATE}")
    api = StripeApi()
    with api.served() as url:
        system = _system(postgres, broker, url, folder, _TEMPLATE)
        system.orm("call_command('migrate', verbosity=0)")
        references = system.orm(_LIFE_ROWS + "prepare(given['count'])", count=count)
        with psycopg.connect(system.environment["DATABASE_URL"]) as connection:
            connection.execute(_TAKEOVERS)
        stories = itertools.islice(itertools.cycle(STORIES), count)
        lives = live([(story, API_VERSION) for story in stories], references)
        api.tell(lives)
        yield Stage(
            postgres=postgres, broker=broker, api_url=url, references=references, lives=lives
        )


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Return when the condition holds; fail when it does not within `seconds`."""
    ends_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends_at, f"not within {seconds} s"
        time.sleep(0.05)


def mixed(lives: Sequence[StripeLife], seed: int = 3) -> list[LifeEvent]:
    """The events of all lives side by side, a little out of order, some of them twice."""
    source = random.Random(seed)
    timed = []
    for life in lives:
        start = 0.7 * source.random()
        for index, event in enumerate(life.events):
            moment = start + 0.3 * index / len(life.events)
            timed.append((source.gauss(moment, 0.01), event))
            if source.random() < 0.03:
                timed.append((moment + 0.1 * source.random(), event))
    return [event for _, event in sorted(timed, key=lambda item: item[0])]


def check(system: Cobro, inbox: Inbox, lives: Sequence[StripeLife], *senders: Sender) -> None:
    """Nothing lost and nothing double, and the rows say what Stripe's objects say."""
    sent = {event.id for life in lives for event in life.events}
    assert set().union(*(sender.taken() for sender in senders)) == sent
    found = {event_id: (state, outcomes) for event_id, state, outcomes in inbox.query(_EFFECTS)}
    assert set(found) == sent
    assert inbox.count() == len(sent), "an event came in twice"
    lost = [event_id for event_id, (_, outcomes) in found.items() if not outcomes]
    double = [event_id for event_id, (_, outcomes) in found.items() if len(outcomes) > 1]
    assert (lost, double) == ([], [])
    assert {state for state, _ in found.values()} == {"processed"}
    assert {outcome for _, outcomes in found.values() for outcome in outcomes} <= _EFFECT
    script = INVARIANTS + _LIFE_ROWS + "stored(given['ids'])"
    rows = system.orm(script, ids=[life.customer_id for life in lives])
    wrong = [
        {name: (row[name], wanted[name]) for name in wanted if row[name] != wanted[name]}
        for row, wanted in zip(rows, map(told, lives), strict=True)
        if row != wanted
    ]
    assert not wrong, f"{len(wrong)} rows are wrong, here and there: {wrong[:5]}"


def check_takeovers(inbox: Inbox) -> list[Takeover]:
    """No lease was taken before it ran out; return all that were taken."""
    takeovers = inbox.takeovers()
    assert [each for each in takeovers if each.taken_at < each.claimed_until] == []
    return takeovers


def _system(
    postgres: Server, broker: Server, api_url: str, folder: Path, name: str, **values: str
) -> Cobro:
    own = {
        "DATABASE_URL": postgres.url.rpartition("/")[0] + f"/{name}",
        "REDIS_URL": broker.url,
        "STRIPE_API_BASE": api_url,
    }
    return configured(folder, **(own | values))


def _execute(server: Server, statement: str) -> None:
    url = server.url.rpartition("/")[0] + "/postgres"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def wipe(broker: Server) -> None:
    """Empty a broker that runs."""
    with redis.Redis.from_url(broker.url) as client:
        client.flushall()
