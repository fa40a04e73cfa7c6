"""Plants faults, one at a time, and asks that named tests turn red: `make planted`.

    python -m billing.tests.soak.planted [name of a fault ...]

A safeguard that no test would miss is not guarded. Each fault takes one away in a copy of the tree,
and every test that it names must fail there, by an assertion and not by an error in collection;
unchanged, the same tests must pass. Ends with 1 when a fault lived.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from billing.tests.soak.faults import FAULTS, Fault
from project.tests.services import MissingProgram, postgres_server, redis_server

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 300
Outcomes = Mapping[str, str]


@dataclass(kw_only=True)
class Runner:
    """Runs tests in a copy of the tree, on the servers that were started for it."""

    folder: Path
    servers: Mapping[str, str]

    def run(
        self, tests: Sequence[str], fault: Fault | None = None, *, needs_servers: bool = False
    ) -> Outcomes:
        """Return what became of each of `tests`: passed, failed, error, skipped or missing."""
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            tree, report = Path(place, "tree"), Path(place, "report.xml")
            copy_tree(tree)
            if fault:
                plant(fault, tree)
            with contextlib.suppress(subprocess.TimeoutExpired):  # no report: nothing turned red
                subprocess.run(  # noqa: S603
                    [*_PYTEST, f"--junitxml={report}", *tests],
                    cwd=tree,
                    env=self._environment(Path(place), needs_servers=needs_servers),
                    capture_output=True,
                    timeout=SECONDS if fault else 3 * SECONDS,
                    start_new_session=True,
                )
            return outcomes(report, tests)

    def _environment(self, place: Path, *, needs_servers: bool) -> dict[str, str]:
        """SQLite where that is enough: PostgreSQL makes its test database anew for each fault."""
        own = {
            "ENV_FILE": os.devnull,
            "QUEUE_DIR": str(place / "queue"),
            "SANDBOX_PATH": str(place / "sandbox.sqlite3"),
            # A fault may keep a file's size and second, which is all that a cached module knows.
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DATABASE_URL", "REDIS_URL", "PYTHONPATH", "SOAK")
        }
        return kept | own | (dict(self.servers) if needs_servers else {})


_PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-o", "junit_family=xunit1"]


def main(names: Sequence[str]) -> int:
    """Plant the named faults, or all; 0 when each was found."""
    unknown = [name for name in names if name not in {fault.name for fault in FAULTS}]
    if unknown:
        known = ", ".join(fault.name for fault in FAULTS)
        say(f"planted: no fault {', '.join(unknown)}; there are: {known}.")
        return 2
    chosen = [fault for fault in FAULTS if not names or fault.name in names]
    try:
        with (
            tempfile.TemporaryDirectory(prefix="cobro-planted-") as folder,
            servers_for(chosen) as servers,
        ):
            return plant_all(chosen, Runner(folder=Path(folder), servers=servers))
    except MissingProgram as error:
        say(f"planted: {error}")
        return 1


@contextlib.contextmanager
def servers_for(faults: Sequence[Fault]) -> Iterator[dict[str, str]]:
    """A PostgreSQL and a Redis of our own, started only for faults that SQLite would hide."""
    if not any(fault.needs_servers for fault in faults):
        yield {}
        return
    with postgres_server() as postgres, redis_server() as redis:
        yield {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url}


def plant_all(faults: Sequence[Fault], runner: Runner) -> int:
    started = time.monotonic()
    red = not_passed(runner, faults)
    for test, outcome in red.items():
        say(f"not green without a fault: {test} ({outcome})")
    if red:
        return 1
    lived = 0
    for fault in faults:
        ends = runner.run(fault.tests, fault, needs_servers=fault.needs_servers)
        survived = [test for test, end in ends.items() if end != "failed"]
        lived += bool(survived)
        say(f"{'LIVED' if survived else 'found'}  {fault.name}")
        for test in survived:
            say(f"       not red: {test}")
    seconds = time.monotonic() - started
    say(f"\n{len(faults) - lived} found, {lived} lived ({seconds:.0f} s)")
    return 1 if lived else 0


def not_passed(runner: Runner, faults: Sequence[Fault]) -> Outcomes:
    """Those of the named tests that do not pass in the tree as it is."""
    ends: dict[str, str] = {}
    for needs_servers in (False, True):
        chosen = [fault for fault in faults if fault.needs_servers is needs_servers]
        tests = list(dict.fromkeys(test for fault in chosen for test in fault.tests))
        if tests:
            ends |= runner.run(tests, needs_servers=needs_servers)
    return {test: end for test, end in ends.items() if end != "passed"}


def copy_tree(target: Path) -> None:
    """Copy what git knows, as it stands in the working tree."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source, copy = ROOT / name, target / name
        if source.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)


def plant(fault: Fault, tree: Path) -> None:
    """Write the fault into `tree`; the text that it replaces must stand there exactly once."""
    for edit in fault.edits:
        file = tree / edit.file
        text = file.read_text()
        if text.count(edit.text) != 1:
            raise ValueError(f"{fault.name}: its text stands {text.count(edit.text)} times")
        file.write_text(text.replace(edit.text, edit.replacement))


def outcomes(report: Path, tests: Sequence[str]) -> Outcomes:
    """What became of each test; of several cases of one test, the worst."""
    ends = dict.fromkeys(tests, "missing")
    if not report.exists():
        return ends
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - written by pytest here
        name = f"{case.get('classname')}.{str(case.get('name')).partition('[')[0]}"
        for test in tests:
            if _dotted(test) == name:
                ends[test] = max(ends[test], _end(case), key=_WORST.index)
    return ends


# An error, as in a fixture, outweighs a failure: it would hide that nothing was asserted.
_WORST = ["missing", "skipped", "passed", "failed", "error"]


def _end(case: ElementTree.Element) -> str:
    tags = {child.tag for child in case}
    if "error" in tags:
        return "error"
    return "failed" if "failure" in tags else "skipped" if "skipped" in tags else "passed"


def _dotted(test: str) -> str:
    """A test's id as pytest's report writes it."""
    return test.replace(".py::", ".").replace("::", ".").replace("/", ".")


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command


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
