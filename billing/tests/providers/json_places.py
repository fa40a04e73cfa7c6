"""Places in JSON, and copies of it with another value in one of them."""

from collections.abc import Iterator
from typing import Any

GONE = object()
Where = tuple[str | int, ...]


def places(value: Any, above: Where = ()) -> Iterator[Where]:
    """Where something stands in JSON, containers before what is in them."""
    inside = value.items() if isinstance(value, dict) else []
    inside = enumerate(value) if isinstance(value, list) else inside
    for key, each in inside:
        yield (*above, key)
        yield from places(each, (*above, key))


def where_of(path: str) -> Where:
    """The place that a dotted path means: `lines.data.0.amount`."""
    return tuple(int(key) if key.isdigit() else key for key in path.split("."))


def with_value(source: Any, where: Where, value: object) -> Any:
    """A copy of `source` with `value` there, GONE to take it away, sharing what is beside it."""
    key, *rest = where
    copied = source.copy()
    if rest:
        copied[key] = with_value(source[key], tuple(rest), value)
    elif value is GONE:
        del copied[key]
    else:
        copied[key] = value
    return copied
