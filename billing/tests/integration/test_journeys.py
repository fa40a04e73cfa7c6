"""Customers' journeys through the whole system: REST API, web process, worker, PostgreSQL, Redis,
and a Stripe account behind a port. All of them at once on one system, each in every way in which
webhooks may arrive; where all are lost, `manage.py billing_sync` makes up for them.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from billing.tests.integration.harness import STRIPE_SECRET, Cobro, cobro
from billing.tests.integration.journeys import ENDS, Buyer, Call, Journey, told
from billing.tests.stripe_account import StripeAccount
from billing.tests.stripe_account.account import JSON
from billing.tests.stripe_account.journal import Journal, post_all
from billing.tests.stripe_account.server import CALL_TAKES, served

pytestmark = [pytest.mark.postgres, pytest.mark.processes]

BUYERS_AT_ONCE = 4
SETTLE_SECONDS = 60
LOST = "lost"
Order = Callable[[list[JSON]], list[JSON]]


def shuffled_twice(events: list[JSON]) -> list[JSON]:
    return random.Random(7).sample([*events, *events], 2 * len(events))


ORDERS: dict[str, Order] = {
    "as sent": list,
    "reversed": lambda events: events[::-1],
    "shuffled twice": shuffled_twice,
    LOST: lambda events: [],
}

_ROWS = "from billing.tests.integration import journey_rows; answer = journey_rows."
Case = tuple[Journey, str]


class World:
    """Our processes, as the journeys' customers, Stripe and the operator meet them."""

    def __init__(self, system: Cobro) -> None:
        self._system = system
        self._accepted = 0

    def rows(self, name: str, **given: Any) -> Any:
        """Call a function of `journey_rows` where the database is."""
        return self._system.orm(f"{_ROWS}{name}(**given)", **given)

    def caller(self, token: str) -> Call:
        def call(method: str, path: str, body: JSON | None, key: str) -> tuple[int, JSON]:
            answer = requests.request(
                method,
                f"{self._system.url}/api/v1/billing{path}",
                json=body,
                headers={"Authorization": f"Token {token}", "Idempotency-Key": key},
                timeout=60,
            )
            return answer.status_code, json.loads(answer.text or "{}")

        return call

    def deliver(self, queues: Sequence[list[JSON]]) -> Counter[str]:
        """Post the queues side by side and wait until the worker has done what they ask."""
        sent = post_all(f"{self._system.url}/webhooks/stripe", STRIPE_SECRET, queues)
        self._accepted += sent["accepted"]
        self._system.settled_events(self._accepted, seconds=SETTLE_SECONDS, is_patient=True)
        return sent

    def synchronise(self) -> None:
        self._system.orm("call_command('billing_sync', 'stripe', verbosity=0)")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What the rows and Stripe's objects say in the end of one journey in one order."""

    end: JSON
    stored: JSON
    told: JSON
    whole: JSON


def live(
    world: World, account: StripeAccount, journal: Journal, cases: Sequence[Case]
) -> tuple[dict[Case, Result], Counter[str]]:
    """Let all cases happen side by side, round by round; also what intake answered."""
    names = [f"{journey.__name__} {order}" for journey, order in cases]
    tokens = world.rows("owners", names=names)
    buyers = [
        Buyer(name=name, call=world.caller(token), account=account)
        for name, token in zip(names, tokens, strict=True)
    ]
    rounds = [journey(buyer) for (journey, _), buyer in zip(cases, buyers, strict=True)]
    sent: Counter[str] = Counter()
    while advance(rounds):
        queues = [
            ORDERS[order](journal.take(buyer.customer_id))
            for (_, order), buyer in zip(cases, buyers, strict=True)
        ]
        if any(queues):
            sent += world.deliver(queues)
        else:
            world.synchronise()
    ids = [buyer.customer_id for buyer in buyers]
    found = zip(*(world.rows(name, ids=ids) for name in ("ends", "stored", "whole")), strict=True)
    results = {
        case: Result(end=end, stored=stored, whole=whole, told=told(account, each))
        for case, each, (end, stored, whole) in zip(cases, ids, found, strict=True)
    }
    return results, sent


def advance(rounds: Sequence[Iterator[None]]) -> bool:
    """Let every journey go on by a round; whether one did."""
    with ThreadPoolExecutor(BUYERS_AT_ONCE) as buyers:
        return any(list(buyers.map(_goes_on, rounds)))


def _goes_on(journey: Iterator[None]) -> bool:
    return next(journey, "over") is None


@pytest.fixture(scope="module")
def account() -> StripeAccount:
    return StripeAccount(now=datetime.now(UTC).replace(microsecond=0), step=CALL_TAKES)


@pytest.fixture(scope="module")
def system(account: StripeAccount, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cobro]:
    folder = tmp_path_factory.mktemp("cobro")
    with (
        served(account, calls=folder / "stripe-calls.jsonl") as url,
        cobro(folder, STRIPE_API_BASE=url, BILLING_CARD_RATE="1000/hour") as running,
    ):
        yield running


@pytest.fixture(scope="module")
def world(system: Cobro) -> World:
    world = World(system)
    world.rows("publish")
    return world


@dataclass(frozen=True, kw_only=True)
class Outcome:
    results: dict[Case, Result]
    sent: Counter[str]
    open_ends: JSON


@pytest.fixture(scope="module")
def outcome(world: World, account: StripeAccount) -> Outcome:
    """Those whose webhooks are lost come last: what repairs their rows would repair others' too."""
    journal = Journal(account)
    told_cases = [(journey, order) for journey in ENDS for order in ORDERS if order != LOST]
    results, sent = live(world, account, journal, told_cases)
    lost, _ = live(world, account, journal, [(journey, LOST) for journey in ENDS])
    return Outcome(results=results | lost, sent=sent, open_ends=world.rows("open_ends"))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("journey", ENDS, ids=lambda each: each.__name__)
class TestJourneys:
    def test_ends_as_expected(self, outcome: Outcome, journey: Journey, order: str) -> None:
        assert outcome.results[journey, order].end == ENDS[journey]

    def test_rows_say_what_stripe_says(
        self, outcome: Outcome, journey: Journey, order: str
    ) -> None:
        result = outcome.results[journey, order]
        assert result.stored == result.told

    def test_no_order_shows_in_the_rows(
        self, outcome: Outcome, journey: Journey, order: str
    ) -> None:
        first = outcome.results[journey, "as sent"]
        assert outcome.results[journey, order].whole == first.whole


def test_nothing_is_left_open(outcome: Outcome) -> None:
    assert outcome.open_ends == {"operations": [], "events": []}
    assert 0 < outcome.sent["already_received"] < outcome.sent["accepted"]
