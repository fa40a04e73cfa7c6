"""Webhook deliveries: queued in the file by calls and clock moves, posted on wall time."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

import requests

from billing.errors import ProviderObjectMissing
from billing.providers.sandbox import faults, signatures
from billing.providers.sandbox.signatures import Secrets
from billing.providers.sandbox.store import Record, Session, Store

BACKOFF_SECONDS = (1, 2, 5, 10, 30, 60, 120, 300, 600)
MAX_TRIES = 10
TIMEOUT = (3, 20)
# While one process posts a delivery, no other takes it; longer than two posts can last.
LEASE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Delivery:
    id: int
    event_id: str
    body: bytes
    tries: int
    copies: int = 1


def queued(session: Session) -> list[Delivery]:
    """Return what waits, due or not, oldest first."""
    return _select(session, time.time() + 10**9, -1)


def mark_taken(session: Session, deliveries: Iterable[Delivery]) -> None:
    """Take deliveries out of the queue: somebody else hands them over."""
    for delivery in deliveries:
        _mark(session, delivery, "taken")


def requeue(session: Session, event_id: str) -> Record:
    """Let the delivery of an event begin anew, due now; raise ProviderObjectMissing."""
    found = session.connection.execute(
        "UPDATE deliveries SET state = 'queued', tries = 0, due_at = ?, error = '' WHERE"
        " namespace = ? AND event_id = ? RETURNING event_id",
        (time.time(), session.namespace, event_id),
    ).fetchall()
    if not found:
        raise ProviderObjectMissing(f"no such event: {event_id!r}")
    return Record("event", event_id, {"id": event_id})


def deliver_due(store: Store, url: str, secret: Secrets, limit: int) -> int:
    """Post what is due to `url`; return how many posts were answered with 2xx."""
    if not _has_due(store):
        return 0
    with store.write() as session:
        ids = [delivery.id for delivery in _planned(session, limit)]
    accepted = 0
    with requests.Session() as http:
        http.trust_env = False
        for delivery_id in ids:
            delivery = _claim(store, delivery_id)
            if delivery is not None:
                accepted += _post(store, http, url, secret, delivery)
    return accepted


def _has_due(store: Store) -> bool:
    with store.read() as session:
        return bool(_due(session, 1))


def _planned(session: Session, limit: int) -> list[Delivery]:
    due = _due(session, limit)
    is_reordered = bool(faults.current(session).get("reorder"))
    return due[::-1] if is_reordered else due


def _due(session: Session, limit: int) -> list[Delivery]:
    delay = faults.current(session).get("delay_seconds", 0)
    return _select(session, time.time() - delay, limit)


def _select(session: Session, until: float, limit: int) -> list[Delivery]:
    rows = session.connection.execute(
        "SELECT id, event_id, body, tries FROM deliveries WHERE namespace = ? AND"
        " state = 'queued' AND due_at <= ? ORDER BY id LIMIT ?",
        (session.namespace, until, limit),
    )
    return [
        Delivery(row["id"], row["event_id"], row["body"].encode(), row["tries"]) for row in rows
    ]


def _claim(store: Store, delivery_id: int) -> Delivery | None:
    """Take one delivery for this process; None when it was taken or the fault `drop` lost it."""
    with store.write() as session:
        row = session.connection.execute(
            "UPDATE deliveries SET due_at = ?, tries = tries + 1 WHERE id = ? AND"
            " state = 'queued' AND due_at <= ? RETURNING id, event_id, body, tries",
            (time.time() + LEASE_SECONDS, delivery_id, time.time()),
        ).fetchone()
        if row is None:
            return None
        copies = 2 if faults.current(session).get("duplicate") else 1
        delivery = Delivery(row["id"], row["event_id"], row["body"].encode(), row["tries"], copies)
        if faults.loses(session):
            _mark(session, delivery, "dropped")
            return None
        return delivery


def _post(
    store: Store, http: requests.Session, url: str, secret: Secrets, delivery: Delivery
) -> int:
    accepted, error = 0, ""
    for _ in range(delivery.copies):
        headers = signatures.sign(secret, delivery.event_id, delivery.body)
        headers["content-type"] = "application/json"
        error = _send(http, url, headers, delivery.body)
        accepted += not error
    with store.write() as session:
        if not error:
            _mark(session, delivery, "sent")
        else:
            _retry(session, delivery, error)
    return accepted


def _send(http: requests.Session, url: str, headers: dict[str, str], body: bytes) -> str:
    """Post once; return '' or what went wrong."""
    try:
        answer = http.post(url, data=body, headers=headers, timeout=TIMEOUT, allow_redirects=False)
    except requests.RequestException as exc:
        return type(exc).__name__
    return "" if 200 <= answer.status_code < 300 else f"HTTP {answer.status_code}"


def _retry(session: Session, delivery: Delivery, error: str) -> None:
    if delivery.tries >= MAX_TRIES:
        _mark(session, delivery, "failed", error)
        return
    due_at = time.time() + BACKOFF_SECONDS[delivery.tries - 1]
    session.connection.execute(
        "UPDATE deliveries SET due_at = ?, error = ? WHERE id = ?", (due_at, error, delivery.id)
    )


def _mark(session: Session, delivery: Delivery, state: str, error: str = "") -> None:
    session.connection.execute(
        "UPDATE deliveries SET state = ?, error = ? WHERE id = ?", (state, error, delivery.id)
    )


def counts(session: Session) -> dict[str, int]:
    """Return how many deliveries are in each state."""
    rows = session.connection.execute(
        "SELECT state, count(*) AS n FROM deliveries WHERE namespace = ? GROUP BY state",
        (session.namespace,),
    )
    return {row["state"]: row["n"] for row in rows}
