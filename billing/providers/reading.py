"""Reading lists in which one object may be odd: it must not cost the others."""

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TypeVar

from billing.errors import InvalidPayload
from billing.providers.types import JSON, Unreadable
from billing.providers.values import Incomplete, remote_id

logger = logging.getLogger(__name__)
T = TypeVar("T")


def readable(found: Iterable[tuple[JSON, datetime]], read: Callable[..., T]) -> Iterator[T]:
    """Map what a list holds. What cannot be mapped is logged and left out: it is nobody's look-up,
    and must not cost the rest."""
    for each, as_of in found:
        try:
            yield read(each, as_of=as_of)
        except Incomplete as exc:
            about = {"remote_id": remote_id(each), "reason": exc.message}
            logger.warning("object.unreadable", extra=about)


def sorted_out(
    found: Iterable[JSON], read: Callable[[JSON], T]
) -> tuple[tuple[T, ...], tuple[Unreadable, ...]]:
    """Map what a page holds: what can be mapped, and what cannot."""
    mapped: list[T] = []
    odd: list[Unreadable] = []
    for each in found:
        try:
            mapped.append(read(each))
        except (Incomplete, InvalidPayload) as exc:
            odd.append(Unreadable(id=remote_id(each), reason=exc.message))
    return tuple(mapped), tuple(odd)
