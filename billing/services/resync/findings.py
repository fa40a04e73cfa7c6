"""What a pass over a provider finds: counts per kind, and what differs."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from billing.services.sync import Difference


class Count(StrEnum):
    """What is counted of each kind.

    `missing here`: there, and no row of ours. `missing there`: a row of ours whose object the
    provider does not know any more. `unknown status`: a word that is none of ours. `not ours`: of a
    customer that is not ours. `failed`: could not be written, see the log.
    """

    MISSING_HERE = "missing here"
    MISSING_THERE = "missing there"
    DIFFERS = "differs"
    UNKNOWN_STATUS = "unknown status"
    UNREADABLE = "unreadable"
    FAILED = "failed"
    LISTED = "listed"
    EQUAL = "equal"
    WRITTEN = "written"
    NOT_OURS = "not ours"


UNEQUAL = (
    Count.MISSING_HERE,
    Count.MISSING_THERE,
    Count.DIFFERS,
    Count.UNKNOWN_STATUS,
    Count.UNREADABLE,
    Count.FAILED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One object that is not equal, by its remote id."""

    kind: str
    remote_id: str
    count: Count
    detail: str = ""
    differences: tuple[Difference, ...] = ()


@dataclass(kw_only=True)
class Outcome:
    """What one page came to; `next_cursor` '' behind the last."""

    next_cursor: str = ""
    remote_ids: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, finding: Finding) -> None:
        self.findings.append(finding)
        self.counts[finding.count] += 1


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a pass is: `counts` are those of the kind so far, `findings` those of this page."""

    provider: str
    kind: str
    number: int
    counts: Counter[str]
    findings: list[Finding]
    is_last: bool
