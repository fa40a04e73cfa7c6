"""Posts that no provider sends: forged ones, malformed ones, and hostile content rightly signed."""

import base64
import contextlib
import gzip
import hashlib
import hmac
import itertools
import json
import random
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from billing.tests.conekta_account.signing import digest

Headers = list[tuple[str, bytes]]
JSON = dict[str, Any]
_MIB = 1024 * 1024
_RLO = "\u202e"
_STRANGER = f"whsec_{base64.b64encode(b'sandbox-only-polar').decode()}"
_RETIRED = "whsec_cmV0aXJlZA=="


@dataclass(frozen=True, kw_only=True)
class Post:
    """What goes over the wire. A forged one must leave no row, whatever it says."""

    name: str
    raw: bytes
    is_forged: bool


@dataclass(frozen=True, kw_only=True)
class Door:
    """One address of ours: how its provider signs, and an event as its provider writes it."""

    path: str
    sign: Callable[..., Headers]
    event: Callable[[str], JSON]


def stripe_door(secret: str, customer_reference: str) -> Door:
    def sign(body: bytes, *, at: float | None = None, key: str = secret) -> Headers:
        stamp = str(int(time.time() if at is None else at)).encode()
        digest = hmac.new(key.encode(), stamp + b"." + body, hashlib.sha256).hexdigest()
        return [("Stripe-Signature", b"t=" + stamp + b",v1=" + digest.encode())]

    seconds = itertools.count(int(time.time()))

    def event(event_id: str) -> JSON:
        told = {"id": "cus_target", "object": "customer", "email": "a@example.com"}
        told |= {"metadata": {"cobro_reference": customer_reference}}
        return {
            "id": f"evt_{event_id}",
            "object": "event",
            "type": "customer.updated",
            "created": next(seconds),
            "livemode": False,
            "api_version": "2026-10-28.endive",
            "data": {"object": told},
        }

    return Door(path="/webhooks/stripe", sign=sign, event=event)


def sandbox_door(alias: str, secret: str) -> Door:
    """A sandbox signs as Standard Webhooks say."""

    def sign(body: bytes, *, at: float | None = None, key: str = secret) -> Headers:
        stamp = str(int(time.time() if at is None else at)).encode()
        message = b"msg_1." + stamp + b"." + body
        secret_bytes = base64.b64decode(key.removeprefix("whsec_"))
        digest = base64.b64encode(hmac.new(secret_bytes, message, hashlib.sha256).digest())
        return [
            ("webhook-id", b"msg_1"),
            ("webhook-timestamp", stamp),
            ("webhook-signature", b"v1," + digest),
        ]

    def event(event_id: str) -> JSON:
        return {
            "id": f"evt_{event_id}",
            "type": "customer.updated",
            "created": int(time.time()),
            "mode": "sandbox",
            "api_version": "sandbox-1",
            "data": {"object": {"id": f"cus_{event_id}", "email": "a@example.com"}},
        }

    return Door(path=f"/webhooks/{alias}", sign=sign, event=event)


def by_rsa(body: bytes, key: str = "") -> str:
    """As Conekta signs; any key but its own is another company's."""
    return digest(body, 1 if key else 0)


def conekta_door(sign: Callable[..., str] = by_rsa) -> Door:
    """Conekta signs no time, so what was signed once is signed for ever."""

    def signed(body: bytes, *, at: float | None = None, **key: str) -> Headers:
        return [("Digest", sign(body, **key).encode())]

    def event(event_id: str) -> JSON:
        told = {"id": f"cus_{event_id}", "object": "customer", "email": "a@example.com"}
        return {
            "id": f"evt_{event_id}",
            "object": "event",
            "type": "customer.updated",
            "created_at": int(time.time()),
            "livemode": False,
            "data": {"object": told, "previous_attributes": {}},
        }

    return Door(path="/webhooks/conekta", sign=signed, event=event)


def send(port: int, raw: bytes) -> tuple[int, str]:
    """Return the status and the text that the server answers with; 0 when it only hangs up."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        # A refusal may come, and the line be cut in some way, before all is sent.
        with contextlib.suppress(OSError):
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                answer += chunk
    head, _, text = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    return (int(words[1]) if len(words) > 1 else 0), text.decode("latin-1")


def posts(door: Door, count: int, seed: int) -> list[Post]:
    """`count` posts to `door`: every written one, then mixtures, by `seed` the same ones."""
    written = [*_forged(door), *_malformed(door), *_signed(door)]
    mixed = _mixtures(door, random.Random(seed))
    made = [*written[:count], *(next(mixed) for _ in range(count - len(written)))]
    assert len(made) == count
    return made


def request(
    door: Door, headers: Headers, body: bytes, *, method: str = "POST", path: str = ""
) -> bytes:
    """A request as a well-behaved client writes it, but for what it is given."""
    names = {name.lower() for name, _ in headers}
    start = f"{method} {path or door.path} HTTP/1.1\r\n".encode()
    given = [
        ("Host", b"127.0.0.1"),
        ("Connection", b"close"),
        ("Content-Type", b"application/json"),
    ]
    length = [("Content-Length", str(len(body)).encode())]
    if names & {"content-length", "transfer-encoding"}:
        length = []
    lines = [name.encode() + b": " + value + b"\r\n" for name, value in [*given, *length, *headers]]
    return start + b"".join(lines) + b"\r\n" + body


# forged: the signature is not right


def _forged(door: Door) -> Iterator[Post]:
    for number, (name, change) in enumerate(FORGERIES.items()):
        body = _dump(door.event(f"forged{number}"))
        headers = change(door, body)
        if is_forged(door, body, headers):
            yield Post(name=name, raw=request(door, headers, body), is_forged=True)


def is_forged(door: Door, body: bytes, headers: Headers) -> bool:
    """What changes a signed time, say, changes nothing where none is signed."""
    return headers != door.sign(body)


def _each(change: Callable[[bytes], bytes]) -> Callable[[Door, bytes], Headers]:
    """Change the value of every header of a good signature."""
    return lambda door, body: [(name, change(value)) for name, value in door.sign(body)]


def _last(change: Callable[[bytes], bytes]) -> Callable[[Door, bytes], Headers]:
    """Change the signature itself and leave the rest."""

    def changed(door: Door, body: bytes) -> Headers:
        *others, (name, value) = door.sign(body)
        return [*others, (name, change(value))]

    return changed


def _at(seconds: float) -> Callable[[Door, bytes], Headers]:
    return lambda door, body: door.sign(body, at=time.time() + seconds)


def _stamp(stamp: bytes) -> Callable[[Door, bytes], Headers]:
    """Another time than the one that was signed."""

    def changed(door: Door, body: bytes) -> Headers:
        now = str(int(time.time())).encode()
        return [(name, value.replace(now, stamp)) for name, value in door.sign(body)]

    return changed


FORGERIES: dict[str, Callable[[Door, bytes], Headers]] = {
    "no header": lambda door, body: [],
    "empty header": _each(lambda value: b""),
    "only blanks": _each(lambda value: b"   "),
    "sent twice": lambda door, body: door.sign(body) * 2,
    "two that differ": lambda door, body: [*door.sign(body), *door.sign(b"other")],
    "another secret": lambda door, body: door.sign(body, key="whsec_YW5vdGhlcg=="),
    "empty secret": lambda door, body: door.sign(body, key="whsec_"),
    "another provider's secret": lambda door, body: door.sign(body, key=_STRANGER),
    "a secret that was retired": lambda door, body: door.sign(body, key=_RETIRED),
    "another body": lambda door, body: door.sign(body + b" "),
    "the same JSON, written otherwise": lambda door, body: door.sign(b" " + body),
    "an empty body": lambda door, body: door.sign(b""),
    "301 s old": _at(-301),
    "ten minutes old": _at(-600),
    "ten minutes ahead": _at(600),
    "years ahead": _at(1e9),
    "1970": lambda door, body: door.sign(body, at=0),
    "no time": _stamp(b""),
    "time is text": _stamp(b"now"),
    "time is negative": _stamp(b"-1"),
    "time is a float": _stamp(b"1.5e9"),
    "time is huge": _stamp(b"9" * 400),
    "time in other digits": _stamp("\u0661\u0662\u0663".encode()),
    "time in Latin-1": _stamp(b"\xb2\xb3"),
    "time is nan": _stamp(b"nan"),
    "time with underscores": _stamp(b"1_7"),
    "signature cut": _last(lambda value: value[:-7]),
    "signature cut by one": _last(lambda value: value[:-1]),
    "signature too long": _last(lambda value: value[:30] + value[20:]),
    "signature in capitals": _last(lambda value: value.upper()),
    "signature of another kind": _last(lambda value: value.replace(b"v1", b"v0")),
    "signature without kind": _last(lambda value: value.replace(b"v1", b"")),
    "signature is not ASCII": _last(lambda value: value + "\u00e9\u20ac".encode()),
    "signature is Latin-1": _last(lambda value: value[:-2] + b"\xe9\xff"),
    "signature in full width": _last(lambda value: b"v1,v1=" + "\uff41\uff42".encode() * 32),
    "bad base64": _last(lambda value: b"v1,===="),
    "base64 with one letter": _last(lambda value: b"v1,A"),
    "thousand signatures": _last(lambda value: b"v1=00,v1,AA== " * 500),
    "header of 60 KB": _last(lambda value: b"v1," + b"A" * 60_000),
    "header with NUL": _last(lambda value: value[:-1] + b"\x00"),
    "header with a line break": _last(lambda value: value[:5] + b"\r\n X: " + value[5:]),
    "header with a bare LF": _last(lambda value: value[:5] + b"\nX-Injected: " + value[5:]),
    "commas only": _each(lambda value: b",,,,,,"),
    "equals only": _each(lambda value: b"====="),
    "JSON as header": _each(lambda value: b'{"t": 1, "v1": null}'),
    "name with underscores": lambda door, body: [
        (name.replace("-", "_"), value) for name, value in door.sign(body)
    ],
    "name with a blank": lambda door, body: [(f"{n} ", value) for n, value in door.sign(body)],
    "another provider's headers": lambda door, body: [("Digest", b"AAAA"), ("Authorization", b"x")],
    "many headers": lambda door, body: [(f"X-{number}", b"1") for number in range(150)],
}


# malformed: HTTP that is wrong, though the signature of the body would be right


def _malformed(door: Door) -> Iterator[Post]:
    body = _dump(door.event("malformed"))
    signed = door.sign(body)
    for method in (
        "GET",
        "PUT",
        "DELETE",
        "PATCH",
        "HEAD",
        "OPTIONS",
        "TRACE",
        "BREW",
        "post",
        "P\u00d6ST",
    ):
        yield _raw(f"verb {method}", request(door, signed, body, method=method))
    for length in (
        b"-1",
        b"+5",
        b"abc",
        b"1e3",
        b"0x10",
        b"",
        b"9" * 30,
        b"99999999",
        b"5, 5",
        b"\xb2",
    ):
        headers = [*signed, ("Content-Length", length)]
        yield _raw(f"length {length!r}", request(door, headers, body))
    for length in (len(body) + 10, len(body) - 10, 0, 1):
        headers = [*signed, ("Content-Length", str(length).encode())]
        # The whole body came before the line was closed: what is there is rightly signed.
        is_whole = length > len(body)
        yield _raw(f"length {length}", request(door, headers, body), is_forged=not is_whole)
    two = [*signed, ("Content-Length", b"5"), ("Content-Length", str(len(body)).encode())]
    yield _raw("two lengths", request(door, two, body))
    chunked = [*signed, ("Transfer-Encoding", b"chunked")]
    whole = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    yield _raw("chunked", request(door, chunked, whole), is_forged=False)
    for chunks in (
        b"zz\r\n" + body,
        b"-5\r\nabc",
        b"fffffffffffffffff\r\nx",
        b"5\r\nab",
        b"",
        whole[:-9],
    ):
        yield _raw(f"chunks {chunks[:9]!r}", request(door, chunked, chunks))
    yield _raw("chunked and length", request(door, [*chunked, two[-1]], whole))
    yield _raw("unknown coding", request(door, [*signed, ("Transfer-Encoding", b"gzip")], body))
    large = b'{"a": "' + b"x" * _MIB + b'"}'
    yield _raw("more than 1 MiB", request(door, door.sign(large), large))
    yield _raw("1 GiB promised", request(door, [*signed, ("Content-Length", b"1073741824")], body))
    for path in (
        "/webhooks/nobody",
        "/webhooks/",
        "/webhooks/%00",
        "/webhooks/" + "a" * 5000,
        f"{door.path}/more",
        "/webhooks/../admin/",
        "*",
        "//",
        "/webhooks/\u00e9",
    ):
        yield _raw(f"path {path[:30]}", request(door, signed, body, path=path))
    slash = request(door, signed, body, path=f"{door.path}%2f")
    yield _raw("slash in disguise", slash, is_forged=False)
    plain = request(door, signed, body)
    yield _raw("no host", plain.replace(b"Host: 127.0.0.1\r\n", b""), is_forged=False)
    yield _raw("strange host", plain.replace(b"127.0.0.1", b"evil.example"), is_forged=False)
    yield _raw("HTTP 9", plain.replace(b"HTTP/1.1", b"HTTP/9.9"))
    yield _raw("no version", plain.replace(b" HTTP/1.1", b""))
    yield _raw("only a line break", b"\r\n\r\n")
    yield _raw("nothing", b"")
    yield _raw("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200)
    yield _raw("headers without end", plain.partition(b"\r\n\r\n")[0])
    packed = gzip.compress(body)
    for signed_bytes in (packed, body):
        headers = [*door.sign(signed_bytes), ("Content-Encoding", b"gzip")]
        yield _raw("gzip", request(door, headers, packed))


def _raw(name: str, raw: bytes, *, is_forged: bool = True) -> Post:
    return Post(name=name, raw=raw, is_forged=is_forged)


# signed: the signature is right, the content hostile


def _signed(door: Door) -> Iterator[Post]:
    for body in NOT_OBJECTS:
        yield Post(
            name=f"signed body {body[:30]!r}",
            raw=request(door, door.sign(body), body),
            is_forged=True,
        )
    for number, (path, value) in enumerate(_fields()):
        event = door.event(f"field{number}")
        _put(event, path, value)
        body = _dump(event)
        raw = request(door, door.sign(body), body)
        yield Post(name=f"{'.'.join(path)} = {value!r:.40}", raw=raw, is_forged=False)


_DEEP = b"[" * 100_000 + b"]" * 100_000
NOT_OBJECTS = [
    b"", b" ", b"\x00", b"null", b"true", b"1", b'"text"', b"[]", b"[{}]", b"{", b"{}",
    b'{"id": 1}', b"\xff\xfe", b"\xef\xbb\xbf{}", b'{"id": "\xe9"}', b"\xed\xa0\x80",
    b"{'id': 'x'}", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}', b'{"a": 1e999}',
    b'{"a": -1e999}', b'{"a": 01}', b'{"a": ' + b"9" * 5000 + b"}", b'{"a": ' * 5000, _DEEP,
    b'{"a":' * 200 + b"1" + b"}" * 200, b"id=1&type=2", b"<xml/>", b'{"id": "a"} {"id": "b"}',
    b'{"id": "x", "type": "y", "created": 1, "data": ' + _DEEP + b"}",
    '{"id": "\U0001f4b8"}'.encode("utf-16"),
]  # fmt: skip
_TOP = ("id", "type", "created", "api_version", "data", "livemode", "mode", "object")
ODD: list[Any] = [
    None, "", " ", "\x00", "a\x00b", "\ud800", "x" * 300, "x" * 5000, "\U0001f4b8" * 50, _RLO,
    0, -1, 2**31, 2**63, 10**40, -(10**40), 1.5, True, False, [], {}, [[]], {"id": {}},
    ["x"] * 1000, "__proto__", "' OR 1=1 --", "<script>alert(1)</script>", "{{7*7}}", "%s%n",
    "../../etc/passwd",
]  # fmt: skip


def _fields() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every odd value somewhere, every field at least once."""
    places = [(name,) for name in _TOP]
    inner = ("id", "object", "customer", "email", "name", "metadata", "created", "invoice_settings")
    places += [("data", "object"), *(("data", "object", name) for name in inner)]
    for number, value in enumerate(ODD * 2):
        yield places[number % len(places)], value
    yield ("data", "object", "\x00key\ud800"), "value"
    yield ("data", "object", "metadata"), {"cobro_reference": "\x00", "\ud800": "\udfff"}
    yield ("data", "object", "extra"), _nested(90)
    yield ("data", "object", "extra"), "y" * 900_000


def _nested(depth: int) -> JSON:
    found: JSON = {}
    for _ in range(depth):
        found = {"a": found}
    return found


def _put(event: JSON, path: tuple[str, ...], value: Any) -> None:
    *parents, name = path
    for parent in parents:
        event = event[parent]
    event[name] = value


def _mixtures(door: Door, chance: random.Random) -> Iterator[Post]:
    """A forged signature over a hostile body, or bytes flipped after signing, without end."""
    bodies = [*NOT_OBJECTS, b"\x00" * 5000, b"\xff" * 5000]
    forgeries = list(FORGERIES.items())
    while True:
        name, forge = chance.choice(forgeries)
        body = chance.choice(bodies)
        if chance.random() < 0.3:
            body = chance.randbytes(chance.randrange(1, 2000))
        if chance.random() < 0.5:
            yield _raw(f"{name}, over {body[:20]!r}", request(door, forge(door, body), body))
            continue
        signed = bytearray(_dump(door.event(f"flipped{chance.random()}")))
        headers = door.sign(bytes(signed))
        signed[chance.randrange(len(signed))] ^= 1 << chance.randrange(8)
        yield _raw("a flipped bit", request(door, headers, bytes(signed)))


def _dump(event: JSON) -> bytes:
    return json.dumps(event).encode()
