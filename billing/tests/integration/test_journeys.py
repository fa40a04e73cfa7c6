"""Customers' journeys through the whole system: REST API, web process, worker, PostgreSQL, Redis,
and a Stripe account behind a port. All of them at once on one system, each in every way in which
webhooks may arrive; where all are lost, `manage.py billing_sync` makes up for them.
"""

import json
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from billing.tests.accounts.account import JSON
from billing.tests.accounts.faults import Fault
from billing.tests.accounts.journal import post_all
from billing.tests.accounts.server import CALL_TAKES, served
from billing.tests.integration.harness import STRIPE_SECRET, Cobro, cobro, open_shell
from billing.tests.integration.journeys import (
    ENDS,
    Buyer,
    Call,
    Journey,
    told,
)
from billing.tests.integration.losses import LOSSES, Loss, objects_of
from billing.tests.stripe_account import StripeAccount
from billing.tests.stripe_account.journal import Journal, signed

pytestmark = [pytest.mark.postgres, pytest.mark.processes]

BUYERS_AT_ONCE = 4
SENDINGS = 3  # of each call by the SDK
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
        sent = post_all(f"{self._system.url}/webhooks/stripe", signed(STRIPE_SECRET), queues)
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
        Buyer(name=name, call=world.caller(token), staff=world.rows, account=account)
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
    results = {
        case: Result(**found, told=told(account, each))
        for case, each, found in zip(cases, ids, world.rows("read", ids=ids), strict=True)
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
def journal(account: StripeAccount) -> Journal:
    return Journal(account)


@pytest.fixture(scope="module")
def system(account: StripeAccount, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cobro]:
    folder = tmp_path_factory.mktemp("cobro")
    settings = "billing.tests.integration.journey_settings"
    with (
        served(account, calls=folder / "stripe-calls.jsonl") as url,
        cobro(
            folder, STRIPE_API_BASE=url, DJANGO_SETTINGS_MODULE=settings, WEB_THREADS="8"
        ) as running,
        open_shell(running) as shown,
    ):
        yield shown


@pytest.fixture(scope="module")
def world(system: Cobro) -> World:
    world = World(system)
    world.rows("publish")
    return world


def test_every_journey_ends_as_expected_in_every_order(
    world: World, account: StripeAccount, journal: Journal
) -> None:
    """Those whose webhooks are lost come last: what repairs their rows would repair others' too."""
    told_cases = [(journey, order) for journey in ENDS for order in ORDERS if order != LOST]
    results, sent = live(world, account, journal, told_cases)
    assert 0 < sent["already_received"] < sent["accepted"]
    lost_cases = [(each, LOST) for each in ENDS]
    results |= live(world, account, journal, lost_cases)[0]
    wrong = {
        f"{journey.__name__} {order}": differences(results[journey, order], first, ENDS[journey])
        for journey, order in results
        if (first := results[journey, "as sent"])
    }
    assert {name: found for name, found in wrong.items() if found} == {}
    assert world.rows("open_ends") == {"operations": [], "events": []}


def differences(result: Result, first: Result, end: JSON) -> JSON:
    """Where rows end otherwise than expected, than Stripe's objects, or than in another order."""
    pairs = {
        "end": (result.end, end),
        "rows and Stripe": (result.stored, result.told),
        "columns": (result.whole, first.whole),
    }
    return {
        f"{what}: {part}": (found[part], wanted[part])
        for what, (found, wanted) in pairs.items()
        for part in wanted
        if found[part] != wanted[part]
    }


@dataclass(frozen=True, kw_only=True)
class Lost:
    """One write whose answer is lost, by whom, and what the customer had at Stripe before."""

    buyer: Buyer
    loss: Loss
    had: Counter[str]
    key: str


def test_a_write_whose_answer_is_lost_has_one_effect(
    world: World, account: StripeAccount, journal: Journal
) -> None:
    """The SDK's own repetitions run out, the client is told that the outcome is unknown and repeats
    its request: Stripe is asked with the same key, and the answer alone puts our rows right."""
    names = [f"{each.__name__} lost" for each in LOSSES]
    tokens = world.rows("owners", names=names)
    buyers = [
        Buyer(name=name, call=world.caller(token), staff=world.rows, account=account)
        for name, token in zip(names, tokens, strict=True)
    ]
    with ThreadPoolExecutor(len(LOSSES)) as threads:
        losses = list(threads.map(lambda make, buyer: make(buyer), LOSSES, buyers))
        world.deliver([journal.take(buyer.customer_id) for buyer in buyers])
        cases = [
            Lost(buyer=buyer, loss=loss, had=objects_of(buyer), key=str(uuid.uuid4()))
            for buyer, loss in zip(buyers, losses, strict=True)
        ]
        for each in cases:
            lost = each.loss
            account.break_next(Fault.HANG, lost.method, lost.path, times=SENDINGS, **lost.params)
        unknown = list(threads.map(ask, cases))
        assert [status for status, _ in unknown] == [503] * len(cases), unknown
        assert [each.loss.is_done() for each in cases] == [True] * len(cases)
        again = list(threads.map(ask, cases))
    ids = [buyer.customer_id for buyer in buyers]
    stored = [each["stored"] for each in world.rows("read", ids=ids)]
    wrong = {
        each.buyer.name: found
        for each, (status, _), rows in zip(cases, again, stored, strict=True)
        if (found := wrong_after(each, status, rows))
    }
    assert wrong == {}
    assert world.rows("open_ends") == {"operations": [], "events": []}


def ask(case: Lost) -> tuple[int, JSON]:
    return case.loss.ask(case.key)


def wrong_after(case: Lost, status: int, stored: JSON) -> JSON:
    """What is not as it must be once the request was repeated."""
    loss, buyer = case.loss, case.buyer
    remote = told(buyer.account, buyer.customer_id)
    keys = buyer.account.keys(loss.place, **loss.params)
    checks = {
        "answer": status in (200, 201),
        "one effect": objects_of(buyer) == case.had + loss.adds,
        "still done": loss.is_done(),
        "one key": len(keys) >= SENDINGS and (len(set(keys)) == 1 or loss.method == "DELETE"),
        **{f"rows: {part}": stored[part] == remote[part] for part in loss.shows},
    }
    return {
        name: (status, keys, stored, remote) for name, is_right in checks.items() if not is_right
    }
