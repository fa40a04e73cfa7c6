"""What is not signed by a configured secret, now, over these bytes, leaves nothing behind.

Without the check in any provider, `test_a_forgery_leaves_nothing` fails for its door.
"""

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import time_machine

from billing.checks import startup_errors
from billing.models import WebhookEvent
from billing.providers.sandbox import SandboxProvider
from billing.providers.stripe import StripeProvider
from billing.registry import providers
from billing.tests.attacks.conftest import SECRETS, post
from billing.tests.integration.hostile import FORGERIES, Door, Headers

pytestmark = pytest.mark.django_db
NOW = 1_800_000_000
BLANKS: list[Any] = [None, "", " ", ",", " , ", [], [""], ["", " "]]
EMPTY_KEYS = ["whsec_", "whsec_ ", "whsec_====", "whsec_!!!!"]
# Not one delivery with a name or a blank that HTTP servers refuse: those go over the wire.
ON_THE_WIRE = {"name with underscores", "name with a blank", "many headers"}


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__(level=0)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """All that any logger writes."""
    handler, root = Lines(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(0)
    yield handler.records
    root.removeHandler(handler)
    root.setLevel(level)


def body_of(door: Door, event_id: str = "1") -> bytes:
    return json.dumps(door.event(event_id)).encode()


def assert_refused(answer: Any) -> None:
    assert (answer.status_code, answer.content) == (400, b'{"status": "refused"}')


@pytest.fixture
def _unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a body ends the test: nothing may be parsed before it is verified."""

    def read(*args: Any) -> Any:
        pytest.fail("a delivery was parsed before it was verified")

    for backend in (SandboxProvider, StripeProvider):
        monkeypatch.setattr(backend, "parse_webhook_event", read)


@pytest.mark.usefixtures("_unread")
def test_a_forgery_leaves_nothing(
    door: Door, records: list[logging.LogRecord], django_assert_num_queries: Any
) -> None:
    """No row, no query, nothing parsed, and in the log a network and the name of the door."""
    body = body_of(door)
    for name, forge in FORGERIES.items():
        if name in ON_THE_WIRE:
            continue
        records.clear()
        with django_assert_num_queries(0):
            answer = post(door, body, forge(door, body))
        assert answer.status_code == 400, name
        assert_refused(answer)
        told = [record for record in records if record.name.startswith("billing")]
        assert [record.getMessage() for record in told] == ["webhook.refused"], name
        assert vars(told[0])["network"] == "127.0.0.0/24"
        everything = " ".join(str(vars(record)) for record in records)
        for secret in (body[:30].decode(), "a@example.com", "v1,", "v1="):
            assert secret not in everything, name


def test_every_other_door_refuses_what_one_provider_signed(doors: dict[str, Door]) -> None:
    for name, door in doors.items():
        body = body_of(door)
        for other in doors.values():
            answer = post(replace(other, sign=door.sign), body)
            if other is door:
                assert answer.status_code == 200, name
            else:
                assert_refused(answer)
    assert WebhookEvent.objects.count() == len(doors)


@pytest.mark.parametrize(
    ("seconds", "is_taken"), [(-299, 1), (-300, 1), (299, 1), (300, 1), (-301, 0), (301, 0)]
)
def test_five_minutes_either_way(door: Door, seconds: int, is_taken: bool) -> None:
    with time_machine.travel(NOW, tick=False):
        body = body_of(door)
        answer = post(door, body, door.sign(body, at=NOW + seconds))
    assert answer.status_code == (200 if is_taken else 400)
    assert WebhookEvent.objects.count() == is_taken


class TestRotation:
    OLD, NEW, RETIRED = "whsec_b2xk", "whsec_bmV3", "whsec_cmV0aXJlZA=="

    @pytest.fixture(autouse=True)
    def _two_secrets(self, door: Door, settings: Any) -> None:
        configure(settings, door, [self.NEW, self.OLD])

    @pytest.mark.parametrize("key", [OLD, NEW])
    def test_each_of_several_secrets_is_right(self, door: Door, key: str) -> None:
        body = body_of(door)
        assert post(door, body, door.sign(body, key=key)).status_code == 200

    @pytest.mark.parametrize("key", [RETIRED, "whsec_"])
    def test_no_other_is(self, door: Door, key: str) -> None:
        body = body_of(door)
        assert_refused(post(door, body, door.sign(body, key=key)))

    @pytest.mark.parametrize("position", ["first", "last"])
    def test_one_right_signature_among_several(self, door: Door, position: str) -> None:
        """So a provider signs while its secret is rotated."""
        body = body_of(door)
        [*others, (name, right)] = door.sign(body, key=self.OLD)
        [*_, (_, wrong)] = door.sign(body, key=self.RETIRED)
        order = (right, wrong) if position == "first" else (wrong, right)
        assert post(door, body, [*others, (name, joined(door, *order))]).status_code == 200

    def test_only_wrong_ones(self, door: Door) -> None:
        body = body_of(door)
        [*others, (name, wrong)] = door.sign(body, key=self.RETIRED)
        assert_refused(post(door, body, [*others, (name, joined(door, wrong, wrong))]))


def joined(door: Door, *values: bytes) -> bytes:
    """Several signatures in the provider's way: `t=..,v1=..,v1=..`, or `v1,.. v1,..`."""
    if not values[0].startswith(b"t="):
        return b" ".join(values)
    stamp = values[0].partition(b",")[0]
    return b",".join([stamp, *(value.partition(b",")[2] for value in values)])


def configure(settings: Any, door: Door, secret: Any) -> None:
    alias = door.path.rpartition("/")[2]
    options = settings.BILLING_PROVIDERS[alias]["OPTIONS"]
    options["webhook_secret" if alias == "stripe" else "secret"] = secret
    providers.reset()


class TestNoSecret:
    @pytest.mark.parametrize("secret", BLANKS, ids=repr)
    def test_nothing_passes(self, door: Door, settings: Any, secret: Any) -> None:
        configure(settings, door, secret)
        body = body_of(door)
        for key in ("", " ", ",", "None", "whsec_", SECRETS["stripe"]):
            for forged in forgeries(body, key.encode()):
                assert_refused(post(door, body, forged))
        assert not WebhookEvent.objects.exists()

    @pytest.mark.parametrize("secret", EMPTY_KEYS)
    def test_a_secret_without_a_key_in_it(self, doors: Any, settings: Any, secret: str) -> None:
        """Standard Webhooks reads the key from behind the prefix; nothing there is no key."""
        door = doors["conekta"]
        configure(settings, door, secret)
        body = body_of(door)
        for forged in forgeries(body, b""):
            assert_refused(post(door, body, forged))

    @pytest.mark.parametrize("secret", BLANKS[:5], ids=repr)
    def test_production_does_not_start(self, settings: Any, secret: Any) -> None:
        settings.ENVIRONMENT = "production"
        options = {"api_key": "_".join(["sk", "live", "fake"]), "webhook_secret": secret}
        settings.BILLING_PROVIDERS = {
            "stripe": {
                "BACKEND": "billing.providers.stripe.StripeProvider",
                "MODE": "live",
                "OPTIONS": options,
                "SETTINGS": {"webhook_secret": "STRIPE_WEBHOOK_SECRET"},
            }
        }
        assert any(error.startswith("STRIPE_WEBHOOK_SECRET is blank") for error in startup_errors())


def forgeries(body: bytes, key: bytes) -> Iterator[Headers]:
    """What somebody signs who guesses that the key is `key`, in both schemes."""
    import time

    stamp = str(int(time.time())).encode()
    sign: Callable[[bytes], Any] = lambda message: hmac.new(key, message, hashlib.sha256)  # noqa: E731
    stripes = sign(stamp + b"." + body).hexdigest().encode()
    yield [("Stripe-Signature", b"t=" + stamp + b",v1=" + stripes)]
    standard = base64.b64encode(sign(b"msg_1." + stamp + b"." + body).digest())
    yield [
        ("webhook-id", b"msg_1"),
        ("webhook-timestamp", stamp),
        ("webhook-signature", b"v1," + standard),
    ]
