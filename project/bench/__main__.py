"""`python -m project.bench [--quick] [part ...]`; `make bench` calls it."""

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from project.bench.figures import Table, say
from project.bench.stack import Stack, running_stack
from project.tests.services import MissingProgram

PARTS = ("intake", "drain", "reads", "starts", "lookup", "decisions")


def main(arguments: list[str]) -> int:
    """Measure and print; 0 also where an aim is missed."""
    parser = argparse.ArgumentParser(prog="bench", description="Speed, as ratios to the limit.")
    parser.add_argument("--quick", action="store_true", help="small sizes, about two minutes")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(PARTS)}")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    started = time.monotonic()
    table = Table()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="cobro-bench-") as folder,
            running_stack(Path(folder)) as stack,
        ):
            for name in chosen.parts or PARTS:
                say(f"\n== {name} (after {time.monotonic() - started:.0f} s)")
                measure(name, stack, table, is_quick=chosen.quick)
    except MissingProgram as error:
        say(f"bench: {error}")
        return 1
    table.show()
    say(
        f"{os.cpu_count()} cores, {time.monotonic() - started:.0f} s; medians of alternating rounds"
    )
    return 0


def measure(name: str, stack: Stack, table: Table, *, is_quick: bool) -> None:
    # Django is set up by now, and not before.
    from project.bench import decisions, drain, intake, lookup, reads, starts

    rounds = 1 if is_quick else 3
    if name == "intake":
        intake.measure(stack, table, requests=2_000 if is_quick else 5_000, rounds=rounds)
    elif name == "drain":
        sizes = (4_000, 12_000, 50_000) if is_quick else (10_000, 100_000, 1_000_000)
        drain.measure(stack, table, small=sizes[0], large=sizes[1], stored=sizes[2], rounds=rounds)
    elif name == "reads":
        rows = 50_000 if is_quick else 1_000_000
        reads.measure(stack, table, rows=rows, rounds=rounds)
    elif name == "starts":
        starts.measure(stack, table, rounds=3 if is_quick else 5)
    elif name == "lookup":
        lookup.measure(stack, table, rounds=3 if is_quick else 5)
    else:
        decisions.measure(table, rounds=3 if is_quick else 5)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("Stopped.")
        sys.exit(130)
