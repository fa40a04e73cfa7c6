"""Malformed and forged posts to the running web, and what the worker makes of the signed ones."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from billing.tests.accounts.server import served
from billing.tests.conekta_account import ConektaAccount
from billing.tests.conekta_account.signing import public_key
from billing.tests.integration.harness import STRIPE_SECRET, Cobro, cobro
from billing.tests.integration.hostile import (
    Door,
    Post,
    conekta_door,
    posts,
    request,
    sandbox_door,
    send,
    stripe_door,
)
from billing.tests.integration.stripe_api import StripeApi
from billing.tests.soak import long_or_short
from project.tests.processes import status_of

pytestmark = [pytest.mark.processes, pytest.mark.soak(block="attacks")]
COUNT, CONEKTA_COUNT = long_or_short(1500, 250), long_or_short(1500, 500)
SEED = 20261122
NEXT_SECRET = "whsec_the_next_one_while_rotating"
MIB = 1024 * 1024
_PREPARE = """
from billing.conf import conf
owner = Organization.objects.create(name="Target")
row = Customer.objects.create(organization=owner, provider="stripe", mode="test")
answer = [str(row.pk), conf.providers["polar"]["OPTIONS"]["secret"]]
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cobro]:
    with (
        StripeApi().served() as url,
        served(ConektaAccount()) as conekta_url,
        cobro(
            tmp_path_factory.mktemp("cobro"),
            STRIPE_API_BASE=url,
            STRIPE_WEBHOOK_SECRET=f"{NEXT_SECRET}, {STRIPE_SECRET}",
            CONEKTA_TEST_KEY="key_fake",
            CONEKTA_API_BASE=conekta_url,
            CONEKTA_WEBHOOK_PUBLIC_KEY=public_key().replace("\n", "\\n"),
            DEBUG="false",
        ) as running_system,
    ):
        yield running_system


@pytest.fixture(scope="module")
def doors(system: Cobro) -> tuple[Door, Door]:
    reference, secret = system.orm(_PREPARE)
    return stripe_door(STRIPE_SECRET, reference), sandbox_door("polar", secret)


def test_nothing_breaks_and_nothing_forged_stays(system: Cobro, doors: tuple[Door, Door]) -> None:
    before = system.orm("answer = WebhookEvent.objects.count()")
    sent = [post for door in doors for post in posts(door, COUNT, SEED)]
    sent += posts(conekta_door(), CONEKTA_COUNT, SEED)
    assert len(sent) == 2 * COUNT + CONEKTA_COUNT
    with ThreadPoolExecutor(4) as senders:
        answers = list(senders.map(lambda post: send(system.port, post.raw), sent))
    for post, (status, text) in zip(sent, answers, strict=True):
        check(post, status, text)
    accepted = sum(1 for status, text in answers if status == 200 and '"accepted"' in text)
    assert accepted > 50
    events = system.settled_events(before + accepted)
    assert len(events) == before + accepted
    settled = ("processed", "waiting", "ignored")
    assert [event for event in events if event["state"] not in settled] == []
    assert status_of(f"{system.url}/healthz") == 200
    assert "Internal Server Error" not in system.logs()["web"]


def test_the_window_and_the_secrets(system: Cobro, doors: tuple[Door, Door]) -> None:
    for door in doors:
        for seconds, expected in ((-290, 200), (290, 200), (-301, 400), (310, 400)):
            body = json.dumps(door.event(f"window{seconds}")).encode()
            headers = door.sign(body, at=time.time() + seconds)
            assert send(system.port, request(door, headers, body))[0] == expected, (
                door.path,
                seconds,
            )
    door = doors[0]
    for key in (NEXT_SECRET, STRIPE_SECRET):
        body = json.dumps(door.event(f"rotated{key}")).encode()
        assert send(system.port, request(door, door.sign(body, key=key), body))[0] == 200


@pytest.mark.parametrize("is_chunked", [False, True])
def test_too_large_is_answered_while_the_sender_has_more(
    system: Cobro, doors: tuple[Door, Door], is_chunked: bool
) -> None:
    coding = ("Transfer-Encoding", b"chunked")
    length = ("Content-Length", str(MIB + 1).encode())
    for door in doors:
        start = request(door, [coding if is_chunked else length], b"")
        with socket.create_connection(("127.0.0.1", system.port), timeout=10) as connection:
            connection.sendall(start)
            if is_chunked:
                for _ in range(17):
                    connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            assert connection.recv(12) == b"HTTP/1.1 413"


def test_a_mebibyte_and_no_more(system: Cobro, doors: tuple[Door, Door]) -> None:
    """Chunked or not, the last byte decides."""
    for number, door in enumerate(doors):
        event = door.event(f"large{number}") | {"extra": ""}
        filling = MIB - len(json.dumps(event))
        for more, status in ((0, 200), (1, 413)):
            body = json.dumps(event | {"extra": "x" * (filling + more)}).encode()
            signed = door.sign(body)
            assert send(system.port, request(door, signed, body))[0] == status
            chunks = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
            headers = [*signed, ("Transfer-Encoding", b"chunked")]
            assert send(system.port, request(door, headers, chunks))[0] == status


def test_slow_bodies_hold_nobody_up(system: Cobro, doors: tuple[Door, Door]) -> None:
    """Three that come byte by byte: a process has a fourth thread, and the cut ends are refused."""
    door = doors[0]
    body = json.dumps(door.event("slow")).encode()
    start = request(door, door.sign(body), body)[: -len(body)]
    with contextlib.ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", system.port), timeout=10))
            for _ in range(3)
        ]
        for connection in slow:
            connection.sendall(start)
        for number in range(10):
            for connection in slow:
                connection.sendall(body[number : number + 1])
            quick = json.dumps(door.event(f"quick{number}")).encode()
            begun = time.monotonic()
            assert send(system.port, request(door, door.sign(quick), quick))[0] == 200
            assert time.monotonic() - begun < 2
    stored = system.orm(
        "answer = WebhookEvent.objects.filter(provider_event_id='evt_slow').count()"
    )
    assert stored == 0


def test_the_processes_are_the_ones_that_were_started(system: Cobro) -> None:
    log = (system.folder / "web.log").read_text()
    assert log.count("Booting worker") <= 2
    assert "Internal Server Error" not in log
    assert status_of(f"{system.url}/healthz") == 200


def check(post: Post, status: int, text: str) -> None:
    """Refused by an answer or, where it was no HTTP, by hanging up."""
    assert status == 0 or 200 <= status < 500, (post.name, status)
    if post.is_forged:
        assert status != 200, post.name
    else:
        assert status in (200, 400), (post.name, status)
    assert "Traceback" not in text
