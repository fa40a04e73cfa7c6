"""A figure of the table: measured round by round, judged by its median."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

NAME_WIDTH = 66


@dataclass(kw_only=True)
class Figure:
    """`aim` is the most that it may be, with `at_least` the least; None is for information."""

    name: str
    values: Sequence[float] = ()
    aim: float | None = None
    at_least: bool = False
    unit: str = ""
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        if not self.values:
            return "not built"
        if self.aim is None:
            return ""
        is_met = self.median >= self.aim if self.at_least else self.median <= self.aim
        return "met" if is_met else "MISSED"


@dataclass(kw_only=True)
class Table:
    """The figures in their order; each is printed as soon as it is known."""

    figures: list[Figure] = field(default_factory=list)

    def add(self, *figures: Figure) -> None:
        for figure in figures:
            self.figures.append(figure)
            say("  " + line(figure))

    def show(self) -> None:
        say("")
        head = f"{'figure':<{NAME_WIDTH}} {'median':>9} {'min..max':>19} {'aim':>8}"
        say(head)
        say("-" * (len(head) + 9))
        for figure in self.figures:
            say(line(figure))
            if figure.note:
                say(f"    {figure.note}")
        missed = sum(figure.verdict == "MISSED" for figure in self.figures)
        met = sum(figure.verdict == "met" for figure in self.figures)
        say(f"\n{met} aims met, {missed} missed")


def line(figure: Figure) -> str:
    if not figure.values:
        return f"{figure.name:<{NAME_WIDTH}} {'-':>9} {'':>19} {'':>8} {figure.verdict}"
    spread = f"{number(min(figure.values))}..{number(max(figure.values))}"
    sign = ">=" if figure.at_least else "<="
    aim = "" if figure.aim is None else f"{sign} {number(figure.aim)}"
    median = number(figure.median) + figure.unit
    text = f"{figure.name:<{NAME_WIDTH}} {median:>9} {spread:>19} {aim:>8} {figure.verdict}"
    return text.rstrip()


def number(value: float) -> str:
    """Three significant digits, whole where it is large."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def ratios(over: Iterable[float], under: Iterable[float]) -> list[float]:
    """Round by round: each divided by the one that was measured beside it."""
    return [one / other for one, other in zip(over, under, strict=True)]


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def say(text: str) -> None:
    print(text, flush=True)
