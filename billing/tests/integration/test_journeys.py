"""Customers' journeys through the whole system: REST API, web process, worker, PostgreSQL, Redis,
and a Stripe account behind a port. All of them at once on one system, each in every way in which
webhooks may arrive; where all are lost, `manage.py billing_sync` makes up for them.
"""

import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import pytest

from billing.tests.accounts.account import JSON
from billing.tests.accounts.faults import Fault
from billing.tests.accounts.server import CALL_TAKES, served
from billing.tests.integration.harness import STRIPE_SECRET, Cobro, cobro, open_shell
from billing.tests.integration.journey_world import LOST, ORDERS, World, live_all, wrong_ends
from billing.tests.integration.journeys import ENDS, Buyer, told
from billing.tests.integration.losses import LOSSES, Loss, objects_of
from billing.tests.stripe_account import StripeAccount
from billing.tests.stripe_account.journal import Journal, signed

pytestmark = [pytest.mark.postgres, pytest.mark.processes]

SENDINGS = 3  # of each call by the SDK


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
    world = World(system, alias="stripe", sign=signed(STRIPE_SECRET), country="DE")
    world.rows("publish", provider="stripe", currency="USD")
    return world


def test_every_journey_ends_as_expected_in_every_order(
    world: World, account: StripeAccount, journal: Journal
) -> None:
    """Those whose webhooks are lost come last: what repairs their rows would repair others' too."""
    kind, of_stripe = partial(Buyer, account=account), partial(told, account)
    told_cases = [(journey, order) for journey in ENDS for order in ORDERS if order != LOST]
    results, sent = live_all(world, journal, told_cases, kind, of_stripe)
    assert 0 < sent["already_received"] < sent["accepted"]
    lost_cases = [(each, LOST) for each in ENDS]
    results |= live_all(world, journal, lost_cases, kind, of_stripe)[0]
    assert wrong_ends(results, ENDS) == {}
    assert world.rows("open_ends") == {"operations": [], "events": []}


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
    buyers: list[Buyer] = world.owners(names, partial(Buyer, account=account))
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
