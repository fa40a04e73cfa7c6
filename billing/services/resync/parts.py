"""What a pass consists of: one part for each kind of object, parents first."""

import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from billing.errors import (
    CredentialsRejected,
    InvalidRequest,
    OutcomeUnknown,
    ProviderObjectMissing,
    ProviderUnavailable,
    RateLimited,
)
from billing.services.resync.findings import Outcome

T = TypeVar("T")
CHUNK = 100
_TRIES = 6
# The provider is away: the whole pass stops and goes on later.
STOPS = (ProviderUnavailable, RateLimited, CredentialsRejected, OutcomeUnknown)


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One pass over a provider. `started_at` is wall time; rows made later are not looked for.

    `found`: remote ids that are ours and missing here, so that a dry pass knows their children.
    `references`: those of the listed customers' references that name a row of ours. `renew`
    prolongs the lease: to be called within what may take long.
    """

    provider: str
    mode: str
    since: datetime | None
    is_dry: bool
    started_at: datetime
    renew: Callable[[], None]
    found: set[str] = field(default_factory=set)
    references: set[str] = field(default_factory=set)


class Part(ABC):
    """Reads one kind of object at the provider and brings our rows to it."""

    name: ClassVar[str]

    @abstractmethod
    def can_read(self, provider: str) -> bool:
        """Whether `provider` can list this kind."""

    @abstractmethod
    def page(self, this: Pass, cursor: str) -> Outcome:
        """Compare one page and, unless the pass is dry, write what differs."""

    @abstractmethod
    def unseen(self, this: Pass, seen: set[str]) -> Outcome:
        """Look singly for the rows whose objects were not listed."""


def asking(call: Callable[[], T]) -> T:
    """Call the provider; wait and ask again where it wants fewer calls. Raises what it raises."""
    for number in range(_TRIES):
        try:
            return call()
        except RateLimited as exc:
            if number == _TRIES - 1:
                raise
            time.sleep(exc.retry_after or 2**number)
    raise AssertionError("not reached")


def from_cursor(call: Callable[[str], T], cursor: str) -> T:
    """Call with `cursor`; from the beginning where the object that it names has gone since."""
    try:
        return asking(lambda: call(cursor))
    except (ProviderObjectMissing, InvalidRequest):
        if not cursor:
            raise
        return asking(lambda: call(""))


def chunks(items: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def uuids(texts: Sequence[str | None]) -> list[uuid.UUID]:
    """Those of `texts` that are UUIDs, as references of ours are."""
    found = []
    for text in texts:
        try:
            found.append(uuid.UUID(text or ""))
        except ValueError:
            continue
    return found


def shown(value: Any) -> str:
    """A value of a column, short enough for a line."""
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
