"""Reading single values out of a provider's JSON, whatever stands there. Pure.

A wrong type counts as absent: an odd optional field must not cost us the whole object.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from billing.errors import ProviderError
from billing.providers.types import JSON

_CURRENCY = re.compile(r"[A-Z]{3}")
_ID_LENGTH = 255
_INT32 = 2**31 - 1
_LATEST = 253_402_300_799  # the year 9999, the last that datetime holds


class Incomplete(ProviderError):
    """The object lacks what every object of its kind has; nothing can be mapped from it."""


def text(value: object) -> str:
    """Return text as it is, anything else as ''."""
    return value if isinstance(value, str) else ""


def remote_id(value: object) -> str:
    """Return an id that stands as text or as the expanded object; '' when there is none that
    could be a provider's (Stripe, API reference: at most 255 characters)."""
    found = text(value.get("id") if isinstance(value, Mapping) else value)
    return found if len(found) <= _ID_LENGTH else ""


def whole(value: object) -> int | None:
    """Return an integer, None for anything else (booleans too)."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def natural(value: object, limit: int = _INT32) -> int | None:
    """Return an integer from 0 to `limit`, None for anything else."""
    number = whole(value)
    return number if number is not None and 0 <= number <= limit else None


def moment(value: object) -> datetime | None:
    """Return Unix seconds as an aware time."""
    seconds = whole(value)
    if seconds is None or not 0 <= seconds <= _LATEST:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def iso_moment(value: object) -> datetime | None:
    """Return an ISO 8601 time that names its zone as an aware UTC time, None for anything else."""
    try:
        found = datetime.fromisoformat(text(value))
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def decimal(value: object) -> Decimal | None:
    """Return a number that is written as text (Stripe's `unit_amount_decimal`) or as an integer."""
    try:
        number = Decimal(text(value) or str(whole(value)))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def part(source: object, *names: str) -> JSON:
    """Return the object under a path of names; empty where it is absent, null or only an id."""
    for name in names:
        source = source.get(name) if isinstance(source, Mapping) else None
    return source if isinstance(source, Mapping) else {}


def items(value: object) -> list[JSON]:
    """Return the objects of a list, or of a list object, which holds them in `data`."""
    found = value.get("data") if isinstance(value, Mapping) else value
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def required_id(source: JSON) -> str:
    """Return the object's own id; raise Incomplete when it has none."""
    return remote_id(source) or incomplete(source, "id")


def currency(source: JSON) -> str:
    """Return the ISO 4217 code in capitals; raise Incomplete when there is none."""
    return optional_currency(source) or incomplete(source, "currency")


def optional_currency(source: JSON) -> str:
    """Return the ISO 4217 code in capitals, '' for anything else: Stripe writes small letters."""
    code = text(source.get("currency")).upper()
    return code if _CURRENCY.fullmatch(code) else ""


def incomplete(source: JSON, name: str) -> str:
    """Raise Incomplete: the object has no `name`."""
    raise Incomplete(f"the {text(source.get('object'))[:40] or 'object'} has no {name}")
