"""Stripe's published objects as consistent lives, signed by the official SDK, in every order."""

import functools
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
import responses
from django.test import Client

from billing.models import StateChange, WebhookEvent
from billing.registry import providers
from billing.services import webhooks
from billing.tests.integration.harness import STRIPE_KEY, STRIPE_SECRET, Cobro, cobro
from billing.tests.integration.life_rows import prepare, stored, told
from billing.tests.integration.stripe_api import StripeApi
from billing.tests.stripe_life import (
    API_VERSION,
    STEPS,
    STORIES,
    LifeEvent,
    StripeLife,
    live,
    sign,
)
from billing.tests.stripe_versions import OLDER

ENDS = {
    "recovered": ("active", {"paid": 2}),
    "past due": ("past_due", {"paid": 1, "open": 1}),
    "over": ("canceled", {"paid": 2}),
    "gone": ("canceled", {"paid": 1}),
    "upgraded": ("canceled", {"paid": 3}),
    "refunded": ("active", {"paid": 2}),
    "sent back": ("active", {"paid": 1}),
    "charged back": ("active", {"paid": 2}),
}
# An old version's events are only a reason to read, and what is gone by then names nobody.
TOLD = [
    *((story, API_VERSION) for story in STEPS),
    *((story, OLDER[0]) for story in STORIES if story != "gone"),
    *(("upgraded", version) for version in OLDER),
]
Orders = dict[str, Callable[[Sequence[LifeEvent]], Sequence[LifeEvent]]]


def shuffled(seed: int) -> Callable[[Sequence[LifeEvent]], list[LifeEvent]]:
    return lambda events: random.Random(seed).sample(events, len(events))


def twice_shuffled(events: Sequence[LifeEvent]) -> list[LifeEvent]:
    return shuffled(7)([*events, *events])


ORDERS: Orders = {
    "reversed": lambda events: events[::-1],
    "as sent": list,
    "each twice": lambda events: [each for event in events for each in (event, event)],
    "twice, shuffled": twice_shuffled,
    **{f"shuffled {seed}": shuffled(seed) for seed in range(3)},
}


@pytest.fixture
def stripe(settings: Any) -> Iterator[None]:
    settings.BILLING_NUDGE_WINDOW_MS = 1
    settings.BILLING_PROVIDERS = {
        "stripe": {
            "BACKEND": "billing.providers.stripe.StripeProvider",
            "MODE": "test",
            "OPTIONS": {"api_key": STRIPE_KEY, "webhook_secret": STRIPE_SECRET},
        }
    }
    yield
    providers.reset()


@pytest.fixture
def api() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def post(event: LifeEvent) -> str:
    answer = Client().post(
        "/webhooks/stripe",
        data=event.body,
        content_type="application/json",
        headers={"Stripe-Signature": sign(event.body, STRIPE_SECRET)},
    )
    assert answer.status_code == 200
    return str(answer.json()["status"])


def check(lives: Sequence[StripeLife], stories: Sequence[tuple[str, str]]) -> None:
    """Everything is processed, once, and the rows say what Stripe's objects say."""
    left = WebhookEvent.objects.exclude(state="processed")
    assert list(left.values("event_type", "state", "outcome", "error_message")) == []
    sent = sum(len(life.events) for life in lives)
    assert WebhookEvent.objects.count() == sent
    assert StateChange.objects.exclude(event_id=None).count() == sent
    check_rows(stored([life.customer_id for life in lives]), lives, stories)


def check_rows(
    rows: Sequence[Any], lives: Sequence[StripeLife], stories: Sequence[tuple[str, str]]
) -> None:
    assert rows == [told(life) for life in lives]
    for row, (story, _) in zip(rows, stories, strict=True):
        (subscription,) = row["subscriptions"].values()
        invoices = Counter(each["status"] for each in row["invoices"].values())
        assert (subscription["status"], invoices) == ENDS[story]


@pytest.mark.parametrize("story", TOLD, ids="-".join)
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("stripe")
def test_every_order_ends_alike(api: responses.RequestsMock, story: tuple[str, str]) -> None:
    """Each order is a life of its own; they are delivered side by side, in rounds."""
    orders = list(ORDERS.values())[:: 1 if story[1] == API_VERSION else 3]
    stories = [story] * len(orders)
    lives = live(stories, prepare(len(stories)))
    StripeApi(lives).register(api)
    queues = [list(order(life.events)) for life, order in zip(lives, orders, strict=True)]
    while any(queues):
        for queue in filter(None, queues):
            post(queue.pop(0))
        webhooks.drain()
    check(lives, stories)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("stripe")
def test_one_batch_ends_alike(api: responses.RequestsMock) -> None:
    stories = TOLD * 2
    lives = live(stories, prepare(len(stories)))
    StripeApi(lives).register(api)
    events = [event for life in lives for event in life.events]
    answers = Counter(post(event) for event in twice_shuffled(events))
    assert answers == {"accepted": len(events), "already_received": len(events)}
    webhooks.drain()
    check(lives, stories)


@pytest.fixture(scope="module")
def remote() -> Iterator[tuple[StripeApi, str]]:
    api = StripeApi()
    with api.served() as url:
        yield api, url


@pytest.fixture(scope="module")
def system(
    remote: tuple[StripeApi, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cobro]:
    with cobro(tmp_path_factory.mktemp("cobro"), STRIPE_API_BASE=remote[1]) as running_system:
        yield running_system


@pytest.mark.processes
def test_running_processes_end_alike(system: Cobro, remote: tuple[StripeApi, str]) -> None:
    """Four senders at once; each life in an order of its own, every event at least once."""
    lives = live(TOLD, system.orm(_RUN + "prepare(given['count'])", count=len(TOLD)))
    remote[0].tell(lives)
    orders = itertools.cycle(ORDERS.values())
    queues = [list(order(life.events)) for life, order in zip(lives, orders, strict=False)]
    with ThreadPoolExecutor(4) as senders:
        answers = list(
            senders.map(functools.partial(post_all, f"{system.url}/webhooks/stripe"), queues)
        )
    sent = Counter(itertools.chain.from_iterable(answers))
    events = system.settled_events(sent["accepted"], is_patient=True)
    assert sent["accepted"] == len(events) == sum(len(life.events) for life in lives)
    assert sent.total() == sum(map(len, queues))
    assert [event for event in events if event["state"] != "processed"] == []
    rows = system.orm(_RUN + "stored(given['ids'])", ids=[life.customer_id for life in lives])
    check_rows(rows, lives, TOLD)


_RUN = "from billing.tests.integration.life_rows import prepare, stored; answer = "


def post_all(url: str, events: Sequence[LifeEvent]) -> list[str]:
    answers = []
    with requests.Session() as session:
        for event in events:
            headers = {"Stripe-Signature": sign(event.body, STRIPE_SECRET)}
            answer = session.post(url, data=event.body, headers=headers, timeout=20)
            assert answer.status_code == 200
            answers.append(str(answer.json()["status"]))
    return answers
