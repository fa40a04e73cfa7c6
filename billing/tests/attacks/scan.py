"""Where card numbers and secrets stand that should stand nowhere: tables, logs, Redis.

    findings = scan(database_url=..., log_folder=..., redis_url=..., secrets=secrets_of(environ))
    assert not findings

Tables and columns come from the database itself, so that a new one is looked at. A finding names
the place and never what was found.
"""

import base64
import binascii
import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import redis

from billing.cards import contains_card_number

_SECRET_NAMES = ("_KEY", "_SECRET", "_TOKEN", "_PASSWORD")
_PUBLIC_NAMES = ("_PUBLISHABLE_KEY", "_PUBLIC_KEY")
_SHORTEST_SECRET = 6
_BATCH = 500
_TABLES = """SELECT table_name FROM information_schema.tables
    WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY table_name"""
_SQLITE_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"


def secrets_of(environment: Mapping[str, str]) -> set[str]:
    """The values of an environment that nobody else may see, each of several by itself."""
    found = set()
    for name, value in environment.items():
        if name.endswith(_SECRET_NAMES) and not name.endswith(_PUBLIC_NAMES):
            found |= {each.strip() for each in value.split(",")}
    return {each for each in found if len(each) >= _SHORTEST_SECRET}


def scan(
    *,
    database_url: str,
    log_folder: Path | None = None,
    redis_url: str = "",
    secrets: Iterable[str] = (),
) -> list[str]:
    """Return the places that hold a card number or one of `secrets`; the best answer is []."""
    known = tuple(secrets)
    places = _cells(database_url)
    texts = [*_log_lines(log_folder)] if log_folder else []
    values = [*_redis_values(redis_url)] if redis_url else []
    findings: dict[str, None] = {}
    for place, value in (*places, *texts, *values):
        for what in _found(value, known):
            findings[f"{place}: {what}"] = None
    return list(findings)


def _found(value: object, secrets: tuple[str, ...]) -> Iterator[str]:
    leaves = list(_leaves(value))
    if any(contains_card_number(leaf) for leaf in leaves):
        yield "a card number"
    if any(secret in leaf for secret in secrets for leaf in leaves):
        yield "a secret"


def _leaves(value: object) -> Iterator[str]:
    """Each text in `value`, also within JSON and Base64; digits of different texts do not join."""
    if isinstance(value, bytes | memoryview):
        value = bytes(value).decode("utf-8", "replace")
    if isinstance(value, str):
        inner = _read(value)
        if inner is None:
            yield value
        else:
            yield from _leaves(inner)
    elif isinstance(value, Mapping):
        yield from (leaf for pair in value.items() for part in pair for leaf in _leaves(part))
    elif isinstance(value, list | tuple | set):
        yield from (leaf for item in value for leaf in _leaves(item))
    elif isinstance(value, int):
        yield str(value)
    elif isinstance(value, float) and value.is_integer():  # decimals are those of a duration
        yield f"{value:.0f}"


def _read(text: str) -> object | None:
    """What a text holds that is JSON, or Base64 of text; None for plain text."""
    if text[:1] in ("{", "["):
        with contextlib.suppress(ValueError, RecursionError):
            return list(json.loads(text, object_pairs_hook=_all_pairs))
    if len(text) >= 24 and not text.isdecimal():
        with contextlib.suppress(binascii.Error, ValueError):
            return [base64.b64decode(text, validate=True).decode()]
    return None


def _all_pairs(pairs: list[tuple[str, Any]]) -> list[Any]:
    """Every key and value, also of keys that come twice."""
    return [part for pair in pairs for part in pair]


def _cells(database_url: str) -> Iterator[tuple[str, object]]:
    """Every value of every column of every table. Not through Django, which tests keep closed."""
    with contextlib.closing(_connection(database_url)) as connection:
        cursor = connection.cursor()
        cursor.execute(_SQLITE_TABLES if database_url.startswith("sqlite") else _TABLES)
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT * FROM "{table}"')
            columns = [column[0] for column in cursor.description]
            while rows := cursor.fetchmany(_BATCH):
                for row in rows:
                    for column, value in zip(columns, row, strict=True):
                        yield f"{table}.{column}", value


def _connection(database_url: str) -> Any:
    if database_url.startswith("sqlite"):
        return sqlite3.connect(database_url.removeprefix("sqlite:///"))
    return psycopg.connect(database_url.replace("postgres://", "postgresql://"))


def _log_lines(folder: Path) -> Iterator[tuple[str, object]]:
    for path in sorted(folder.rglob("*.log")):
        for line in path.read_text(errors="replace").splitlines():
            yield path.name, line


def _redis_values(url: str) -> Iterator[tuple[str, object]]:
    client = redis.Redis.from_url(url)
    readers: dict[bytes, Any] = {
        b"string": client.get,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"hash": client.hgetall,
        b"zset": lambda key: client.zrange(key, 0, -1),
    }
    try:
        for key in client.scan_iter():
            place = f"Redis {key.decode('utf-8', 'replace')[:20]}"
            yield place, key
            # A kind that we do not know is an error here: it would go unread.
            kind = client.type(key)
            yield place, readers[kind](key) if kind != b"none" else None
    finally:
        client.close()
