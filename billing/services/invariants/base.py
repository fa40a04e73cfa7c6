"""What a statement is, and how it is checked."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

Find = Callable[[], QuerySet[Any, Any] | list[str]]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """`find` returns what violates it: a flat query set of keys, or a list of names."""

    name: str
    sentence: str
    find: Find


@dataclass(frozen=True, kw_only=True)
class Finding:
    """How often a statement is violated, with some of the keys."""

    statement: Statement
    count: int
    examples: list[str]


STATEMENTS: dict[str, Statement] = {}


def statement(sentence: str) -> Callable[[Find], Find]:
    """Register a function of this package; its name is the statement's."""

    def register(find: Find) -> Find:
        name = find.__name__
        STATEMENTS[name] = Statement(name=name, sentence=sentence, find=find)
        return find

    return register


def check(names: Sequence[str] = (), *, examples: int = 5) -> Iterator[Finding]:
    """Check the statements of `names`, or all: one query for each that holds, two for others."""
    for name in names or STATEMENTS:
        yield _check(STATEMENTS[name], examples)


def _check(found: Statement, examples: int) -> Finding:
    violations = found.find()
    shown = [str(key) for key in violations[: max(examples, 1)]]
    count = len(violations) if isinstance(violations, list) else 0
    if shown and isinstance(violations, QuerySet):
        count = violations.count()
    return Finding(statement=found, count=count, examples=shown[:examples])
