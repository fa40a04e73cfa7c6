"""The parts of a provider's page that its events table knows best."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import ModuleType

Parts = Mapping[str, Callable[[], str]]


def filled(text: str, parts: Parts, refresh: str) -> str:
    """The page with its marked parts written anew."""
    part = re.compile(rf"(<!-- (\w+): {re.escape(refresh)} -->\n).*?(<!-- end -->)", re.DOTALL)
    return part.sub(lambda found: f"{found[1]}{parts[found[2]]()}{found[3]}", text)


def taken(events: ModuleType, head: tuple[str, str] = ("About", "Events")) -> str:
    kinds: dict[str, list[str]] = defaultdict(list)
    for event_type, kind in events.KINDS.items():
        kinds[kind.value].append(f"`{event_type}`")
    return table(head, [(kind, ", ".join(names)) for kind, names in kinds.items()])


def ignored(events: ModuleType) -> str:
    known = {*events.KINDS, *events.IGNORED}
    reasons: dict[str, list[str]] = defaultdict(list)
    for event_type, reason in events.IGNORED.items():
        reasons[reason].append(event_type)
    rows = [
        (reason.replace("*", r"\*"), _families(names, known)) for reason, names in reasons.items()
    ]
    return table(("Why not", "Events"), rows)


def table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    lines = [head, ("---", "---"), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _families(names: list[str], known: set[str]) -> str:
    """A family as one, `issuing_card.*`, where all that it has is among them."""
    shown = [
        _family(name, known) if _siblings(name, known) <= set(names) else name for name in names
    ]
    return ", ".join(f"`{each}`" for each in dict.fromkeys(shown))


def _family(name: str, known: set[str]) -> str:
    return f"{name.rpartition('.')[0]}.*" if len(_siblings(name, known)) > 1 else name


def _siblings(name: str, known: set[str]) -> set[str]:
    above = f"{name.rpartition('.')[0]}."
    return {each for each in known if each.startswith(above)}
