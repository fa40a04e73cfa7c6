"""Billing time of a sandbox file: wall time plus one offset that all its stand-ins share."""

import os
from datetime import UTC, datetime, timedelta

from billing.providers.sandbox import store


def offset(path: str | os.PathLike[str]) -> timedelta:
    """Return how far billing time is ahead of wall time; zero when there is no file yet."""
    name = os.fspath(path)
    if not os.path.exists(name):
        return timedelta(0)
    return timedelta(microseconds=store.offset_us(store.connect(name)))


def now(path: str | os.PathLike[str]) -> datetime:
    """Return billing time, aware UTC."""
    return datetime.now(UTC) + offset(path)


def moment(seconds: int) -> datetime:
    """Return the aware UTC time of a Unix stamp; ValueError when it is out of range."""
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (OverflowError, OSError) as exc:
        raise ValueError(f"{seconds} is not a time") from exc


def stamp(value: datetime) -> int:
    """Return whole Unix seconds, rounded down."""
    return int(value.timestamp() // 1)
