"""Forged and malformed posts to the real Conekta, verified by RSA key or by shared secret."""

import base64
import hashlib
import hmac
import itertools
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from billing.models import WebhookEvent
from billing.providers.conekta import ConektaProvider
from billing.registry import providers
from billing.tests.attacks.conftest import post
from billing.tests.attacks.test_signatures import ON_THE_WIRE, assert_refused
from billing.tests.conekta_account.signing import public_key
from billing.tests.integration.hostile import (
    FORGERIES,
    NOT_OBJECTS,
    Door,
    Headers,
    conekta_door,
    is_forged,
)

pytestmark = pytest.mark.django_db
COUNT = 500
SECRET = "a-shared-secret-made-up"
PEM = public_key()


def by_hmac(body: bytes, key: str = SECRET) -> str:
    return hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


MODES: dict[str, tuple[dict[str, str], Door]] = {
    "rsa": ({"webhook_public_key": PEM}, conekta_door()),
    "hmac": ({"webhook_secret": SECRET}, conekta_door(by_hmac)),
}


@pytest.fixture(params=list(MODES))
def door(request: pytest.FixtureRequest, settings: Any, sandbox: Any) -> Door:
    options, door = MODES[request.param]
    settings.BILLING_PROVIDERS["conekta"] = {
        "BACKEND": "billing.providers.conekta.ConektaProvider",
        "MODE": "test",
        "OPTIONS": {"api_key": "key_fake", **options},
    }
    providers.reset()
    return door


def confusions(body: bytes) -> Iterator[Headers]:
    """What is made of the public key, which all may know, or of no key at all."""
    signed = [hashlib.sha256(body)]
    for key in (PEM, PEM.strip(), PEM.replace("\n", "\\n"), PEM.replace("\n", ""), "", "None"):
        signed.append(hmac.new(key.encode(), body, hashlib.sha256))
    for each in signed:
        for value in (each.hexdigest(), base64.b64encode(each.digest()).decode()):
            yield [("Digest", value.encode())]
            yield [("Digest", f"SHA-256={value}".encode())]


def hostile(door: Door, chance: random.Random) -> Iterator[tuple[str, Headers, bytes]]:
    """Posts of which none may be accepted, without end; each kind of them first."""
    other = next(each for _, each in MODES.values() if each is not door)
    forgeries = {name: each for name, each in FORGERIES.items() if name not in ON_THE_WIRE}
    body = _body(door, "written")
    for name, forge in forgeries.items():
        headers = forge(door, body)
        if is_forged(door, body, headers):
            yield name, headers, body
    for headers in (*confusions(body), other.sign(body), door.sign(body, key="another-company")):
        yield f"confusion {headers}", headers, body
    for each in (*NOT_OBJECTS, *(json.dumps(odd).encode() for odd in _odd(door))):
        yield f"rightly signed {each[:60]!r}", door.sign(each), each
    while True:
        flipped = bytearray(_body(door, str(chance.random())))
        headers = door.sign(bytes(flipped))
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        yield "a flipped bit", headers, bytes(flipped)
        yield "the other mode", other.sign(bytes(flipped)), bytes(flipped)
        name, forge = chance.choice(list(forgeries.items()))
        yield f"{name}, over noise", forge(door, b"{}"), chance.randbytes(1000)


def _body(door: Door, event_id: str) -> bytes:
    return json.dumps(door.event(event_id)).encode()


def _odd(door: Door) -> Iterator[dict[str, Any]]:
    """Rightly signed, and no event that Conekta would send."""
    for name in ("id", "type", "data"):
        for value in (None, 5, [], "", "\x00", "x" * 300 if name != "data" else "x"):
            yield door.event("odd") | {name: value}
    for value in ("1661445644", -1, 10**20, True, [], {}):
        yield door.event("odd") | {"created_at": value}
    for value in (None, [], {}, {"id": None}, {"id": 5}, {"id": "4242424242424242"}):
        yield door.event("odd") | {"data": {"object": value}}


def test_none_of_five_hundred_is_accepted(door: Door) -> None:
    posts = itertools.islice(hostile(door, random.Random(20261130)), COUNT)
    answers = [(name, post(door, body, headers).status_code) for name, headers, body in posts]
    assert len(answers) == COUNT
    assert [each for each in answers if each[1] != 400] == []
    assert not WebhookEvent.objects.exists()


def test_what_is_rightly_signed_is_taken_once(door: Door) -> None:
    body = _body(door, "right")
    for _ in range(3):
        assert post(door, body).status_code == 200
    assert [each.provider_event_id for each in WebhookEvent.objects.all()] == ["evt_right"]


def test_nothing_is_read_before_it_is_verified(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*args: Any) -> Any:
        pytest.fail("a delivery was parsed before it was verified")

    monkeypatch.setattr(ConektaProvider, "parse_webhook_event", read)
    body = _body(door, "unread")
    for headers in confusions(body):
        assert_refused(post(door, body, headers))


def test_an_event_of_the_other_mode_changes_nothing(door: Door) -> None:
    body = json.dumps(door.event("live") | {"livemode": True}).encode()
    assert post(door, body).status_code == 200
    assert [each.state for each in WebhookEvent.objects.all()] == ["ignored"]
