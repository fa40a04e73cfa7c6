"""Reading what stands in an alias's OPTIONS. Pure."""

from collections.abc import Sequence


def secrets_of(value: object) -> tuple[str, ...]:
    """Return the secrets in an option: text, comma-separated text or a list; blanks left out."""
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, Sequence):
        return ()
    return tuple(each.strip() for each in given if isinstance(each, str) and each.strip())
