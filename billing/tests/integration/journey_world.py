"""Our processes as customers, a provider and the operator meet them, and how journeys are lived
through: all at once on one system, round by round.

A journey goes in rounds, each ended by `yield`: then the webhooks of the round are delivered, or
lost, before the next begins.
"""

import json
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import requests

from billing.tests.accounts.account import JSON
from billing.tests.accounts.journal import EventJournal, Sign, post_all
from billing.tests.integration.harness import Cobro

BUYERS_AT_ONCE = 4
SETTLE_SECONDS = 60
LOST = "lost"
Order = Callable[[list[JSON]], list[JSON]]
Call = Callable[[str, str, JSON | None, str], tuple[int, JSON]]
Journey = Callable[[Any], Iterator[None]]
Case = tuple[Journey, str]


def shuffled_twice(events: list[JSON]) -> list[JSON]:
    return random.Random(7).sample([*events, *events], 2 * len(events))


ORDERS: dict[str, Order] = {
    "as sent": list,
    "reversed": lambda events: events[::-1],
    "shuffled twice": shuffled_twice,
    LOST: lambda events: [],
}

_ROWS = "from billing.tests.integration import journey_rows; answer = journey_rows."


@dataclass(kw_only=True)
class Owner:
    """An organization of ours, whose customer at the provider has its name: `call` asks our API.

    `call(method, path, body, key)` returns the answer's status and JSON; `staff(function, ...)`
    does for the organization what our own staff does, see `journey_rows`.
    """

    name: str
    call: Call
    staff: Callable[..., Any]
    subscription: str = ""

    @property
    def customer_id(self) -> str:
        """At the provider."""
        raise NotImplementedError

    def ask(self, method: str, path: str, body: JSON | None = None, status: int = 200) -> JSON:
        """One request with a key of its own, which must be answered with `status`."""
        answered, answer = self.call(method, path, body, str(uuid.uuid4()))
        assert answered == status, (self.name, method, path, answered, answer)
        return answer

    def subscribe(self, token: str, plan: str = "startup", status: int = 201) -> JSON:
        return self._subscribe({"plan": plan, "payment_method_token": token}, status)

    def _subscribe(self, body: JSON, status: int) -> JSON:
        answer = self.ask("POST", "/subscriptions", {"interval": "monthly"} | body, status)
        self.subscription = answer.get("id", "")
        return answer

    def change(self, **changes: Any) -> JSON:
        return self.ask("PATCH", f"/subscriptions/{self.subscription}", changes)

    def cancel(self, *, at_period_end: bool = True) -> JSON:
        flag = str(at_period_end).lower()
        path = f"/subscriptions/{self.subscription}?at_period_end={flag}"
        return self.ask("DELETE", path)

    def add_card(self, token: str) -> JSON:
        """A new card that everything is paid with from now on, what is owed too."""
        return self.ask("POST", "/payment-methods", {"token": token, "is_default": True}, 201)

    def refund(self, amount_minor: int | None = None, key: str = "") -> tuple[int, str]:
        """Staff sends back the customer's only payment; the outcome as the API would answer it."""
        status, word = self.staff(
            "refund", customer_id=self.customer_id, amount_minor=amount_minor, key=key
        )
        return status, word


class World:
    """`alias` is the provider whose deliveries `sign` signs, `country` where the owners are."""

    def __init__(self, system: Cobro, *, alias: str, sign: Sign, country: str) -> None:
        self._system = system
        self._alias = alias
        self._sign = sign
        self._country = country
        self._accepted = 0

    def rows(self, name: str, **given: Any) -> Any:
        """Call a function of `journey_rows` where the database is."""
        return self._system.orm(f"{_ROWS}{name}(**given)", **given)

    def owners(self, names: Sequence[str], kind: Callable[..., Any]) -> list[Any]:
        """New organizations of these names, as `kind` of Owner."""
        tokens = self.rows("owners", names=names, country=self._country)
        return [
            kind(name=name, call=self._caller(token), staff=self.rows)
            for name, token in zip(names, tokens, strict=True)
        ]

    def _caller(self, token: str) -> Call:
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
        sent = post_all(f"{self._system.url}/webhooks/{self._alias}", self._sign, queues)
        self._accepted += sent["accepted"]
        self._system.settled_events(self._accepted, seconds=SETTLE_SECONDS, is_patient=True)
        return sent

    def synchronise(self) -> None:
        self._system.orm(f"call_command('billing_sync', {self._alias!r}, verbosity=0)")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What the rows and the provider's objects say in the end of one journey in one order."""

    end: JSON
    stored: JSON
    told: JSON
    whole: JSON


def live(
    world: World, journal: EventJournal, cases: Sequence[Case], owners: Sequence[Owner]
) -> Counter[str]:
    """Let all cases happen side by side, each to its owner, round by round; return what intake
    answered."""
    rounds = [journey(owner) for (journey, _), owner in zip(cases, owners, strict=True)]
    sent: Counter[str] = Counter()
    while _advance(rounds):
        queues = [
            ORDERS[order](journal.take(owner.customer_id))
            for (_, order), owner in zip(cases, owners, strict=True)
        ]
        if any(queues):
            sent += world.deliver(queues)
        else:
            world.synchronise()
    return sent


def _advance(rounds: Sequence[Iterator[None]]) -> bool:
    """Let every journey go on by a round; whether one did."""
    with ThreadPoolExecutor(BUYERS_AT_ONCE) as owners:
        return any(list(owners.map(_goes_on, rounds)))


def _goes_on(journey: Iterator[None]) -> bool:
    return next(journey, "over") is None


def live_all(
    world: World,
    journal: EventJournal,
    cases: Sequence[Case],
    kind: Callable[..., Any],
    told: Callable[[str], JSON],
) -> tuple[dict[Case, Result], Counter[str]]:
    """Live all cases with new owners; return how they end, and what intake answered. `told` is what
    the provider's objects say of a customer, by its id."""
    owners = world.owners([f"{journey.__name__} {order}" for journey, order in cases], kind)
    sent = live(world, journal, cases, owners)
    return results_of(world, cases, owners, told), sent


def results_of(
    world: World,
    cases: Sequence[Case],
    owners: Sequence[Owner],
    told: Callable[[str], JSON],
) -> dict[Case, Result]:
    ids = [owner.customer_id for owner in owners]
    return {
        case: Result(**found, told=told(each))
        for case, each, found in zip(cases, ids, world.rows("read", ids=ids), strict=True)
    }


def wrong_ends(results: Mapping[Case, Result], ends: Mapping[Journey, JSON]) -> JSON:
    """Where rows end otherwise than `ends` says, than the provider's objects, or than in another
    order; by case."""
    wrong = {
        f"{journey.__name__} {order}": _differences(result, first, ends[journey])
        for (journey, order), result in results.items()
        if (first := results[journey, "as sent"])
    }
    return {name: found for name, found in wrong.items() if found}


def _differences(result: Result, first: Result, end: JSON) -> JSON:
    pairs = {
        "end": (result.end, end),
        "rows and provider": (result.stored, result.told),
        "columns": (result.whole, first.whole),
    }
    return {
        f"{what}: {part}": (found[part], wanted[part])
        for what, (found, wanted) in pairs.items()
        for part in wanted
        if found[part] != wanted[part]
    }
