"""How deliveries and calls misbehave on request. Stored in the file, per namespace.

Numbers count down to zero, where the fault is over; 0, False and None end a fault.

drop                    n: the next n deliveries are lost; 0.1: each with that chance; True: all
duplicate               True: every delivery is posted twice
reorder                 True: the deliveries that are due are posted newest first
delay_seconds           n: deliveries become due n seconds of wall time later
answer_500              n: the next n API calls raise ProviderUnavailable and do nothing
timeout_after_success   n: the next n writes have their effect, then raise OutcomeUnknown
"""

import json
import random
from collections.abc import Mapping

from billing.providers.sandbox.store import Session

NAMES = frozenset(
    {"drop", "duplicate", "reorder", "delay_seconds", "answer_500", "timeout_after_success"}
)
_COUNTED = frozenset({"answer_500", "timeout_after_success"})


def set_faults(session: Session, faults: Mapping[str, object]) -> None:
    """Set the faults named; others stay. ValueError for an unknown name or a wrong value."""
    for name, value in faults.items():
        _check(name, value)
        session.connection.execute(
            "INSERT INTO faults VALUES (?, ?, ?) ON CONFLICT (namespace, name)"
            " DO UPDATE SET value = excluded.value",
            (session.namespace, name, json.dumps(value or 0)),
        )


def _check(name: str, value: object) -> None:
    if name not in NAMES:
        raise ValueError(f"unknown fault {name!r}; known: {', '.join(sorted(NAMES))}")
    allowed = int if name in _COUNTED else (bool, int, float)
    is_flag = isinstance(value, bool) and value and name in _COUNTED
    if value is not None and (is_flag or not isinstance(value, allowed) or float(value) < 0):
        raise ValueError(f"fault {name} does not take {value!r}")


def current(session: Session) -> dict[str, float]:
    """Return the faults that are on."""
    rows = session.connection.execute(
        "SELECT name, value FROM faults WHERE namespace = ?", (session.namespace,)
    )
    values = {row["name"]: json.loads(row["value"]) for row in rows}
    return {name: value for name, value in values.items() if value}


def take(session: Session, name: str) -> bool:
    """Use up one of a counted fault; False when none is left."""
    left = current(session).get(name, 0)
    if left > 0:
        set_faults(session, {name: int(left) - 1})
    return left > 0


def loses(session: Session) -> bool:
    """Whether `drop` takes the next delivery, using up one of a counted `drop`."""
    drop = current(session).get("drop", 0)
    if drop is True or not drop:
        return bool(drop)
    if isinstance(drop, float):
        return random.random() < drop  # noqa: S311
    return take(session, "drop")
