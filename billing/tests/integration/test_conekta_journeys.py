"""Mexican customers' journeys through the whole system, with a Conekta account behind a port.

As `test_journeys` for Stripe: web process, worker, PostgreSQL, Redis; webhooks in every order, or
all lost and then `manage.py billing_sync`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import pytest

from billing.tests.accounts.server import CALL_TAKES, served
from billing.tests.conekta_account import ConektaAccount
from billing.tests.conekta_account.journal import Journal
from billing.tests.conekta_account.signing import public_key, signed
from billing.tests.integration.conekta_journeys import (
    ENDS,
    PLANNED,
    MexicanBuyer,
    canceled_with_the_period,
    told,
)
from billing.tests.integration.harness import Cobro, cobro, open_shell
from billing.tests.integration.journey_world import (
    LOST,
    ORDERS,
    SETTLE_SECONDS,
    Case,
    World,
    live,
    live_all,
    results_of,
    wrong_ends,
)

pytestmark = [pytest.mark.postgres, pytest.mark.processes]

TOLD = ("as sent", "shuffled twice")


@pytest.fixture(scope="module")
def account() -> ConektaAccount:
    return ConektaAccount(now=datetime.now(UTC).replace(microsecond=0), step=CALL_TAKES)


@pytest.fixture(scope="module")
def journal(account: ConektaAccount) -> Journal:
    return Journal(account)


@pytest.fixture(scope="module")
def system(account: ConektaAccount, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cobro]:
    folder = tmp_path_factory.mktemp("cobro")
    values = {
        "DJANGO_SETTINGS_MODULE": "billing.tests.integration.journey_settings",
        "CONEKTA_TEST_KEY": "key_fake",
        "CONEKTA_WEBHOOK_PUBLIC_KEY": public_key(),
        "WEB_THREADS": "8",
    }
    with (
        served(account, calls=folder / "conekta-calls.jsonl") as url,
        cobro(folder, CONEKTA_API_BASE=url, **values) as running,
        open_shell(running) as shown,
    ):
        yield shown


@pytest.fixture(scope="module")
def world(system: Cobro) -> World:
    world = World(system, alias="conekta", sign=signed(), country="MX")
    world.rows("publish", provider="conekta", currency="MXN")
    return world


def test_every_journey_ends_as_expected_in_every_order(
    world: World, account: ConektaAccount, journal: Journal
) -> None:
    """Those whose webhooks are lost come last: what repairs their rows would repair others' too."""
    kind, of_conekta = partial(MexicanBuyer, account=account), partial(told, account)
    told_cases = [(journey, order) for journey in ENDS for order in TOLD]
    results, sent = live_all(world, journal, told_cases, kind, of_conekta)
    assert 0 < sent["already_received"] < sent["accepted"]
    lost_cases = [(each, LOST) for each in ENDS]
    results |= live_all(world, journal, lost_cases, kind, of_conekta)[0]
    assert wrong_ends(results, ENDS) == {}
    assert world.rows("open_ends") == {"operations": [], "events": []}


def test_a_planned_end_outlives_the_worker(
    world: World, system: Cobro, account: ConektaAccount, journal: Journal
) -> None:
    """It falls due while no worker runs. The next one, asked twice, calls Conekta once for each of
    them, and not at all where it was undone."""
    cases: list[Case] = [(journey, order) for journey in PLANNED for order in (*TOLD, LOST)]
    names = [f"{journey.__name__} {order}" for journey, order in cases]
    owners = world.owners(names, partial(MexicanBuyer, account=account))
    live(world, journal, cases, owners)
    assert system.processes["worker"].end()
    world.rows("let_planned_ends_fall_due")
    system.processes["worker"].start()
    assert world.rows("planned_ends_left", seconds=SETTLE_SECONDS) == 0
    canceled = [
        len(account.sent("POST", f"customers/{each.customer_id}/subscriptions/{id_}/cancel"))
        for each in owners
        for id_ in [each.remote["id"]]
    ]
    assert canceled == [int(journey is canceled_with_the_period) for journey, _ in cases]
    world.deliver(
        [
            ORDERS[order](journal.take(each.customer_id))
            for (_, order), each in zip(cases, owners, strict=True)
        ]
    )
    world.synchronise()
    results = results_of(world, cases, owners, partial(told, account))
    assert wrong_ends(results, PLANNED) == {}
    assert world.rows("open_ends") == {"operations": [], "events": []}
