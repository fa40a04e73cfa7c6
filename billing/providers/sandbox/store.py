"""The sandbox's own SQLite file: connections, transactions, rows. Billing rules live elsewhere.

One file serves several namespaces (one per alias) and many threads and processes at once.
"""

import hashlib
import json
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from billing.errors import ProviderObjectMissing, ProviderUnavailable
from billing.providers.sandbox import events

BUSY_SECONDS = 20
SCHEMA_VERSION = 1
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS clock (one INTEGER PRIMARY KEY CHECK (one = 1),"
    " offset_us INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO clock VALUES (1, 0)",
    "CREATE TABLE IF NOT EXISTS namespaces (name TEXT PRIMARY KEY, mode TEXT NOT NULL,"
    " seed INTEGER, counter INTEGER NOT NULL DEFAULT 0)",
    "CREATE TABLE IF NOT EXISTS objects (seq INTEGER PRIMARY KEY, namespace TEXT NOT NULL,"
    " id TEXT NOT NULL, kind TEXT NOT NULL, customer_id TEXT NOT NULL, parent_id TEXT NOT NULL,"
    " body TEXT NOT NULL, hidden TEXT NOT NULL, due_at INTEGER, UNIQUE (namespace, id))",
    "CREATE INDEX IF NOT EXISTS objects_customer ON objects (namespace, kind, customer_id)",
    "CREATE INDEX IF NOT EXISTS objects_parent ON objects (namespace, kind, parent_id)",
    "CREATE INDEX IF NOT EXISTS objects_due ON objects (due_at) WHERE due_at IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS keys (namespace TEXT NOT NULL, key TEXT NOT NULL,"
    " fingerprint TEXT NOT NULL, answer TEXT NOT NULL, PRIMARY KEY (namespace, key))",
    "CREATE TABLE IF NOT EXISTS faults (namespace TEXT NOT NULL, name TEXT NOT NULL,"
    " value TEXT NOT NULL, PRIMARY KEY (namespace, name))",
    "CREATE TABLE IF NOT EXISTS deliveries (id INTEGER PRIMARY KEY, namespace TEXT NOT NULL,"
    " event_id TEXT NOT NULL, body TEXT NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL,"
    " due_at REAL NOT NULL, error TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (namespace, due_at)"
    " WHERE state = 'queued'",
)

_local = threading.local()
# Connections that a fork carried into a child. SQLite forbids using them there, and closing them
# could disturb the parent's, so the child keeps them unused.
_inherited: list[sqlite3.Connection] = []


@dataclass(slots=True)
class Record:
    """One stored object: `body` is what the API shows, `hidden` what only the engine knows."""

    kind: str
    id: str
    body: dict[str, Any]
    hidden: dict[str, Any] = field(default_factory=dict)
    due_at: int | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a list: `seq` is its place in it."""

    seq: int
    id: str
    body: dict[str, Any]


class Session:
    """The rows of one namespace inside one transaction, at one moment of billing time (`now`)."""

    def __init__(self, connection: sqlite3.Connection, namespace: str, now: int) -> None:
        self.connection = connection
        self.namespace = namespace
        self.now = now
        self._loaded: dict[str, Record] = {}
        self._changed: dict[str, str] = {}

    def new_id(self, prefix: str) -> str:
        """Return a fresh remote id: random, or the next of the namespace's seed."""
        row = self.connection.execute(
            "UPDATE namespaces SET counter = counter + 1 WHERE name = ? RETURNING seed, counter",
            (self.namespace,),
        ).fetchone()
        if row["seed"] is None:
            return f"{prefix}_{secrets.token_hex(12)}"
        text = f"{row['seed']}:{self.namespace}:{row['counter']}"
        return f"{prefix}_{hashlib.sha256(text.encode()).hexdigest()[:24]}"

    def count(self) -> int:
        """Return how many ids this namespace has given out: a running number for invoices."""
        row = self.connection.execute(
            "SELECT counter FROM namespaces WHERE name = ?", (self.namespace,)
        ).fetchone()
        return int(row["counter"])

    def find(self, kind: str, object_id: str) -> Record | None:
        if object_id in self._loaded:
            record = self._loaded[object_id]
            return record if record.kind == kind else None
        rows = self._select("id = ? AND kind = ?", (object_id, kind), "seq")
        return rows[0] if rows else None

    def find_any(self, object_id: str) -> Record | None:
        rows = self._select("id = ?", (object_id,), "seq")
        return rows[0] if rows else None

    def require(self, kind: str, object_id: str) -> Record:
        """Return the object or raise ProviderObjectMissing."""
        record = self.find(kind, object_id)
        if record is None:
            raise ProviderObjectMissing(f"no such {kind}: {object_id!r}")
        return record

    def of_customer(self, kind: str, customer_id: str, limit: int = -1) -> list[Record]:
        """Return the customer's objects of `kind`, newest first."""
        where = "kind = ? AND customer_id = ?"
        return self._select(where, (kind, customer_id), f"seq DESC LIMIT {int(limit)}")

    def of_parent(self, kind: str, parent_id: str) -> list[Record]:
        return self._select("kind = ? AND parent_id = ?", (kind, parent_id), "seq DESC")

    def of_kind(self, kind: str) -> list[Record]:
        return self._select("kind = ?", (kind,), "seq")

    def list_objects(self, kind: str, after: int, since: int, limit: int) -> list[Listed]:
        """Objects of `kind` behind place `after`, created at `since` (Unix time) or later."""
        rows = self.connection.execute(
            "SELECT seq, id, body FROM objects WHERE namespace = ? AND kind = ? AND seq > ?"
            " AND json_extract(body, '$.created') >= ? ORDER BY seq LIMIT ?",
            (self.namespace, kind, after, since, limit),
        )
        return [Listed(row["seq"], row["id"], json.loads(row["body"])) for row in rows]

    def list_deliveries(self, after: int, since: int, limit: int) -> list[Listed]:
        """Events that were queued behind place `after`, made at `since` (Unix time) or later."""
        rows = self.connection.execute(
            "SELECT id, event_id, body FROM deliveries WHERE namespace = ? AND id > ?"
            " AND json_extract(body, '$.created') >= ? ORDER BY id LIMIT ?",
            (self.namespace, after, since, limit),
        )
        return [Listed(row["id"], row["event_id"], json.loads(row["body"])) for row in rows]

    def _select(self, where: str, values: tuple[object, ...], order: str) -> list[Record]:
        sql = f"SELECT * FROM objects WHERE namespace = ? AND {where} ORDER BY {order}"  # noqa: S608
        rows = self.connection.execute(sql, (self.namespace, *values)).fetchall()
        return [self._load(row) for row in rows]

    def _load(self, row: sqlite3.Row) -> Record:
        # One instance per object and transaction, so that two readers cannot undo each other.
        found = self._loaded.get(row["id"])
        if found is None:
            found = Record(
                kind=row["kind"],
                id=row["id"],
                body=json.loads(row["body"]),
                hidden=json.loads(row["hidden"]),
                due_at=row["due_at"],
            )
            self._loaded[found.id] = found
        return found

    def save(self, record: Record, event_type: str = "") -> Record:
        """Write `record`; with `event_type` its event is queued when the unit of work ends."""
        customer, parent = events.ids(record.kind, record.body)
        self.connection.execute(
            "INSERT INTO objects (namespace, id, kind, customer_id, parent_id, body, hidden,"
            " due_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (namespace, id) DO UPDATE SET"
            " customer_id = excluded.customer_id, parent_id = excluded.parent_id,"
            " body = excluded.body, hidden = excluded.hidden, due_at = excluded.due_at",
            (
                self.namespace,
                record.id,
                record.kind,
                customer,
                parent,
                dumps(record.body),
                dumps(record.hidden),
                record.due_at,
            ),
        )
        self._loaded[record.id] = record
        if event_type:
            self._changed[record.id] = events.merged(self._changed.get(record.id), event_type)
        return record

    def flush(self) -> None:
        """Queue one event per changed object, parents first, holding its state as it is now."""
        changed, self._changed = self._changed, {}
        for object_id in sorted(changed, key=lambda each: events.rank(changed[each])):
            self.queue(changed[object_id], self._loaded[object_id].body)

    def queue(self, event_type: str, body: Mapping[str, object]) -> str:
        """Queue a delivery of `body` as an event of `event_type`; return the event's id."""
        event_id = self.new_id("evt")
        event = {
            "id": event_id,
            "type": event_type,
            "created": self.now,
            "api_version": events.API_VERSION,
            "mode": self._mode(),
            "data": {"object": body},
        }
        self.connection.execute(
            "INSERT INTO deliveries (namespace, event_id, body, state, tries, due_at, error)"
            " VALUES (?, ?, ?, 'queued', 0, ?, '')",
            (self.namespace, event_id, dumps(event), time.time()),
        )
        return event_id

    def _mode(self) -> str:
        row = self.connection.execute(
            "SELECT mode FROM namespaces WHERE name = ?", (self.namespace,)
        ).fetchone()
        return str(row["mode"])

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what was written inside when it ends in an exception."""
        self.connection.execute("SAVEPOINT unit")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK TO unit")
            self._loaded.clear()
            self._changed.clear()
            raise
        finally:
            self.connection.execute("RELEASE unit")


@dataclass(frozen=True, slots=True)
class Store:
    """Opens transactions on `path` for one namespace."""

    path: str
    namespace: str
    mode: str
    seed: int | None = None

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Hold the file's write lock; commit and queue events at the end, roll back on an error."""
        with begin(self.path, immediate=True) as connection:
            connection.execute(
                "INSERT INTO namespaces (name, mode, seed) VALUES (?, ?, ?) ON CONFLICT (name)"
                " DO UPDATE SET mode = excluded.mode, seed = excluded.seed",
                (self.namespace, self.mode, self.seed),
            )
            now = (wall_us() + offset_us(connection)) // 1_000_000
            session = Session(connection, self.namespace, now)
            yield session
            session.flush()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """See one consistent snapshot; `now` is never later than what the snapshot holds."""
        wall = wall_us()
        with begin(self.path, immediate=False) as connection:
            now = (wall + offset_us(connection)) // 1_000_000
            yield Session(connection, self.namespace, now)


@contextmanager
def begin(path: str, *, immediate: bool) -> Iterator[sqlite3.Connection]:
    """Run one transaction on this thread's connection; SQLite's errors mean ProviderUnavailable."""
    try:
        connection = connect(path)
        connection.execute("BEGIN IMMEDIATE" if immediate else "BEGIN")
        try:
            yield connection
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    except (sqlite3.Error, OSError) as exc:
        raise ProviderUnavailable(f"sandbox file {path}: {exc}", provider="sandbox") from exc


def connect(path: str) -> sqlite3.Connection:
    """Return this thread's connection to `path`, made anew after a fork or for a new file."""
    held: dict[str, tuple[tuple[int, ...], sqlite3.Connection]]
    held = _local.__dict__.setdefault("held", {})
    if path in held:
        identity, connection = held[path]
        if identity == _identity(path):
            return connection
        del held[path]
        _drop(identity, connection)
    connection = _open(path)
    held[path] = (_identity(path), connection)
    return connection


def close() -> None:
    """Close this thread's connections, of all files; each is opened again when it is needed."""
    for identity, connection in _local.__dict__.pop("held", {}).values():
        _drop(identity, connection)


def _drop(identity: tuple[int, ...], connection: sqlite3.Connection) -> None:
    if identity[0] != os.getpid():
        _inherited.append(connection)
    else:
        connection.close()


def _identity(path: str) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return (os.getpid(),)
    return (os.getpid(), status.st_dev, status.st_ino)


def _open(path: str) -> sqlite3.Connection:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
        _create_schema(connection)
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    # Switching to WAL does not wait for the busy time-out when two processes open a new file.
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _create_schema(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in SCHEMA:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def wall_us() -> int:
    """Return wall time in microseconds since 1970."""
    return time.time_ns() // 1000


def offset_us(connection: sqlite3.Connection) -> int:
    """Return how far billing time is ahead of wall time, in microseconds."""
    return int(connection.execute("SELECT offset_us FROM clock").fetchone()[0])


def dumps(value: object) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
