"""Bodies that no provider sends, signed and unsigned: a 4xx, or stored and settled; never a 5xx."""

import gzip
import json
from typing import Any

import pytest

from billing.models import WebhookEvent
from billing.services import webhooks
from billing.tests.attacks.conftest import each_backend, post
from billing.tests.integration.hostile import NOT_OBJECTS, Door
from billing.tests.services.sandbox_objects import make_due

pytestmark = pytest.mark.django_db
drained = pytest.mark.django_db(transaction=True)  # no provider is asked within a transaction
MIB = 1024 * 1024
DIGITS = "9" * 4000
# Written in place of the object's `extra` field: what one reader takes and another does not.
TAKEN = {
    "a float that overflows": "1e400",
    "a negative one": "-1e400",
    "a float of no size": "1e-400",
    "400 digits": "9" * 400,
    "4,000 digits": DIGITS,
    "400 negative digits": "-" + "9" * 400,
    "64 bits and one": str(2**63),
    "128 bits": str(2**128),
    "minus zero": "-0.0",
    "NUL": '"a\\u0000b"',
    "NUL as a key": '{"\\u0000": 1}',
    "a lone high surrogate": '"\\ud800"',
    "a lone low surrogate": '"\\udfff"',
    "a surrogate as a key": '{"\\ud800": {"\\udc00": "\\ud800"}}',
    "surrogates the wrong way round": '"\\udc00\\ud800"',
    "a pair": '"\\ud83d\\udcb8"',
    "noncharacters": '"\\uffff\\ufffe"',
    "written backwards": '"\\u202e\\u2066"',
    "controls": '"\\u0001\\u001b[2J\\r\\n"',
    "raw DEL": '"\x7f\x85\u2028"',
    "90 levels": "[" * 90 + "]" * 90,
    "90 objects": '{"a":' * 90 + "1" + "}" * 90,
    "100,000 members": "[" + "0," * 100_000 + "0]",
    "20,000 keys": "{" + ",".join(f'"k{number}": 1' for number in range(20_000)) + "}",
    "a key that comes twice": '{"a": 1, "a": {"b": 2}}',
    "an empty key": '{"": ""}',
    "prototypes": '{"__proto__": {"a": 1}, "constructor": {}, "__class__": "x"}',
    "a long key": '{"' + "k" * 100_000 + '": 1}',
    "0.9 MB of text": '"' + "x" * 900_000 + '"',
    "0.9 MB of escapes": '"' + "\\u0000" * 150_000 + '"',
    "0.9 MB of digits": '"' + "4242 " * 180_000 + '"',
}
REFUSED = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "minus Infinity": "-Infinity",
    "5,000 digits": "9" * 5000,
    "a million digits": "9" * 1_000_000,
    "100,000 levels": "[" * 100_000 + "]" * 100_000,
    "100,000 objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "150 levels": "[" * 150 + "]" * 150,
    "a raw NUL": '"\x00"',
    "a raw line break": '"\n"',
    "half an escape": '"\\ud8"',
    "an unknown escape": '"\\x41"',
    "leading zeros": "007",
    "hexadecimal": "0x10",
    "a plus": "+1",
    "a bare point": ".5",
    "a comma too many": "[1,]",
    "a comment": "1 /* one */",
    "single quotes": "'a'",
}

CONTENT_TYPES = [
    "", "x", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "application/json; charset=utf-16", "\xff", "application/json" * 500,
]  # fmt: skip


def body_with(door: Door, extra: str, event_id: str = "1") -> bytes:
    event = door.event(event_id)
    event["data"]["object"]["extra"] = "EXTRA"
    return json.dumps(event).replace('"EXTRA"', extra).encode("utf-8", "surrogatepass")


def settle() -> None:
    """Drain until nothing is due; each event must have come to an end that says why."""
    webhooks.drain()
    make_due()
    webhooks.drain()
    for event in WebhookEvent.objects.all():
        assert event.state in ("processed", "ignored", "waiting"), event.error_message[-2000:]
        assert event.outcome


@drained
@each_backend
def test_odd_values_are_stored_and_settled(door: Door) -> None:
    for number, (name, extra) in enumerate(TAKEN.items()):
        body = body_with(door, extra, str(number))
        assert post(door, body).status_code == 200, name
        assert post(door, body + b" ", door.sign(body)).status_code == 400, name
    assert WebhookEvent.objects.count() == len(TAKEN)
    settle()


@each_backend
def test_what_is_no_json_is_refused_though_signed(
    door: Door, django_assert_num_queries: Any
) -> None:
    bodies = {name: body_with(door, extra) for name, extra in REFUSED.items()}
    bodies |= {repr(body[:30]): body for body in NOT_OBJECTS}
    whole = body_with(door, "1")
    bodies |= {
        "a byte order mark": b"\xef\xbb\xbf" + whole,
        "UTF-16": whole.decode().encode("utf-16"),
        "UTF-32": whole.decode().encode("utf-32"),
        "Latin-1": whole.replace(b'"EXTRA"', b'"\xe9"').replace(b"1}}", b'"\xe9"}}'),
        "overlong UTF-8": body_with(door, '"EXTRA"').replace(b"EXTRA", b"\xc0\x80"),
        "a surrogate in UTF-8": body_with(door, '"\ud800"'),
        "cut": whole[:-1],
        "two objects": whole + whole,
        "rubbish behind": whole + b"\x00",
        "in a list": b"[" + whole + b"]",
        "as text": json.dumps(whole.decode()).encode(),
        "gzip": gzip.compress(whole),
        "a form": b"payload=" + whole,
    }
    with django_assert_num_queries(0):
        for name, body in bodies.items():
            for headers in (door.sign(body), []):
                answer = post(door, body, headers)
                assert answer.status_code == 400, name
                assert answer.content == b'{"status": "refused"}', name


@each_backend
def test_the_content_type_proves_nothing(door: Door) -> None:
    for content_type in CONTENT_TYPES:
        body = body_with(door, "1", content_type[:40])
        assert post(door, body, content_type=content_type).status_code == 200
        assert post(door, body, [], content_type=content_type).status_code == 400
    assert WebhookEvent.objects.count() == len(CONTENT_TYPES)


@each_backend
def test_a_content_encoding_is_not_undone(door: Door) -> None:
    """The bytes as they came were signed; a packed body is no JSON, an unpacked one is."""
    body = body_with(door, "1")
    packed = gzip.compress(body)
    for sent, signed, status in (
        (packed, packed, 400),
        (packed, body, 400),
        (body, packed, 400),
        (body, body, 200),
    ):
        answer = post(door, sent, door.sign(signed), HTTP_CONTENT_ENCODING="gzip")
        assert answer.status_code == status
    assert WebhookEvent.objects.count() == 1


@each_backend
def test_a_small_packed_body_is_not_blown_up(door: Door) -> None:
    bomb = gzip.compress(b" " * 50 * MIB)
    assert len(bomb) < MIB
    assert post(door, bomb, HTTP_CONTENT_ENCODING="gzip").status_code == 400


@each_backend
@pytest.mark.parametrize(("size", "status"), [(MIB, 200), (MIB + 1, 413), (3 * MIB, 413)])
def test_the_size(door: Door, size: int, status: int) -> None:
    filling = size - len(body_with(door, '""'))
    body = body_with(door, f'"{"x" * filling}"')
    assert len(body) == size
    assert post(door, body).status_code == status
    assert post(door, body, []).status_code == (413 if size > MIB else 400)
    assert WebhookEvent.objects.count() == (status == 200)


@each_backend
def test_of_a_key_that_comes_twice_the_last_counts(door: Door) -> None:
    body = body_with(door, "1").replace(b'"id": "evt_1"', b'"id": "evt_first", "id": "evt_1"')
    assert post(door, body).status_code == 200
    assert WebhookEvent.objects.get().provider_event_id == "evt_1"
