"""`python -m project.mutants [target ...]`; `make mutants` calls it.

Changes the code that decides about money one small thing at a time and runs the tests that cover
it: a change that no test notices is printed as alive. mutmut does both, in a copy of the tree, so
that no changed source stays behind; why it and what is alive for good stands in docs/mutants.md.
"""

import configparser
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MUTMUT = str(Path(sys.executable).with_name("mutmut"))
LIMIT_PERCENT = 15
AT_ONCE = "2"
# Whatever else mutmut says of a mutant is alive here, also "no tests".
NOTICED = {"killed", "timeout"}

NEEDLESS = ("cacheprovider", "schemathesis", "xdist", "unraisableexception", "threadexception")
# Making the database takes longer than most mutants' tests.
PREPARED_DATABASE = """

@pytest.fixture(scope="session")
def django_db_setup():
    import os, shutil
    from django.db import connections

    mine = "{database}-" + str(os.getpid())
    shutil.copy("{database}", mine)
    connections.settings["default"]["NAME"] = mine
    yield
    connections.close_all()
    os.unlink(mine)
"""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Sources to change, and the quickest tests that cover them, below billing/."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]


# The smallest first.
TARGETS = {
    "lifecycle": Target(sources=("lifecycle.py",), tests=("test_lifecycle.py",)),
    "money": Target(sources=("money.py",), tests=("test_money.py",)),
    "signatures": Target(
        sources=("providers/*/signatures.py",),
        tests=(
            "providers/conekta/test_signatures.py",
            "providers/stripe/test_signatures.py",
            "providers/sandbox/test_signatures.py",
        ),
    ),
    "routing": Target(sources=("routing.py",), tests=("test_routing.py",)),
    "services-routing": Target(
        sources=("services/routing.py", "services/evidence.py", "services/rule_sets.py"),
        tests=(
            "services/test_routing.py",
            "services/test_evidence.py",
            "services/test_rule_sets.py",
        ),
    ),
    "sync-kinds": Target(
        sources=("services/sync/kinds/*",),
        tests=("services/test_kinds.py", "services/test_sync.py"),
    ),
    "sync-returned": Target(
        sources=("services/sync/returned.py",),
        tests=("services/test_kinds.py", "services/test_refunds.py"),
    ),
    "sync-surplus": Target(
        sources=("services/sync/surplus.py",),
        tests=("services/test_vouchers.py",),
    ),
    "sync-comparison": Target(
        sources=("services/sync/comparison.py", "services/sync/drift.py"),
        tests=("services/test_resync.py", "services/test_sync.py"),
    ),
    "sync": Target(
        sources=(
            "services/sync/links.py",
            "services/sync/projection.py",
            "services/sync/upsert.py",
        ),
        tests=("services/test_sync.py", "services/test_projection.py"),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of the mutants of a target; `alive` are mutmut's names of those unnoticed."""

    total: int
    alive: tuple[str, ...]

    @property
    def percent(self) -> float:
        return 100 * len(self.alive) / self.total

    def __str__(self) -> str:
        alive = len(self.alive)
        return (
            f"{self.total} mutants, {self.total - alive} killed, "
            f"{alive} alive ({self.percent:.1f} %)"
        )


class Broken(Exception):
    """mutmut could not do its work: most often, the tests fail without any change."""


def main(names: Sequence[str]) -> int:
    """Run the named targets, or all; 0 when under 15 per cent are alive of each."""
    if unknown := [name for name in names if name not in TARGETS]:
        say(f"mutants: no target {', '.join(unknown)}; there are {', '.join(TARGETS)}.")
        return 2
    started = time.monotonic()
    try:
        outcomes = {name: run(name) for name in names or TARGETS}
    except Broken as error:
        say(f"mutants: {error}")
        return 1
    say(f"\nAll after {time.monotonic() - started:.0f} s:")
    for name, outcome in outcomes.items():
        say(f"{name:<16} {outcome}")
    alive = tuple(one for outcome in outcomes.values() for one in outcome.alive)
    total = Outcome(total=sum(outcome.total for outcome in outcomes.values()), alive=alive)
    say(f"{'together':<16} {total}")
    return int(any(outcome.percent >= LIMIT_PERCENT for outcome in outcomes.values()))


def run(name: str) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="cobro-mutants-") as folder:
        copy = Path(folder) / "tree"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".?*", "var", "__pycache__"))
        prepare_database(copy)
        configure(copy, TARGETS[name])
        output = mutmut(copy, "run", "--max-children", AT_ONCE)
        outcome = count(copy)
        if not outcome.total:
            raise Broken(f"{name}: nothing was tested\n{output[-3_000:]}")
        alive = "".join(changed_lines(mutmut(copy, "show", one)) for one in outcome.alive)
        say(f"\n{alive}{name}: {outcome}")
        return outcome


def changed_lines(shown: str) -> str:
    """Of a mutant as mutmut shows it: its name, and the lines before and after."""
    lines = [line for line in shown.splitlines() if line.startswith(("# ", "-", "+"))]
    return "\n".join(line for line in lines if not line.startswith(("---", "+++"))) + "\n"


def prepare_database(copy: Path) -> None:
    """Migrate once; each mutant's process starts with a copy, whatever the one before left."""
    database = copy / "migrated.sqlite3"
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0"],
        cwd=copy,
        env={**os.environ, "DATABASE_URL": f"sqlite:///{database}"},
        check=True,
    )
    with (copy / "conftest.py").open("a") as file:
        file.write(PREPARED_DATABASE.format(database=database))


def configure(copy: Path, target: Target) -> None:
    """mutmut reads setup.cfg; the project's own settings for pytest stay as they are."""
    lists = {
        "source_paths": ["billing/"],
        "only_mutate": [f"billing/{source}" for source in target.sources],
        "also_copy": ["project", "geo", "conftest.py", "pytest.ini"],
        "pytest_add_cli_args_test_selection": [f"billing/tests/{test}" for test in target.tests],
        # Hypothesis refuses to run a method of a test class twice in one process.
        "process_isolation": ["forkserver"],
        # What never ends is noticed, too; what takes time and tells nothing here is left out.
        "pytest_add_cli_args": ["--timeout=20", "--tb=no", *without(*NEEDLESS)],
    }
    config = configparser.ConfigParser()
    config["mutmut"] = {key: "\n".join(values) for key, values in lists.items()}
    with (copy / "setup.cfg").open("w") as file:
        config.write(file)


def without(*plugins: str) -> list[str]:
    return [part for plugin in plugins for part in ("-p", f"no:{plugin}")]


def mutmut(copy: Path, *arguments: str) -> str:
    # In CI Hypothesis sets no deadline, draws the same examples each time and keeps none.
    environment = {**os.environ, "CI": "true"}
    process = subprocess.Popen(
        [MUTMUT, *arguments],
        cwd=copy,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    try:
        output, _ = process.communicate()
    finally:
        # After a Ctrl-C, what it forked as well.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        raise Broken(f"mutmut {arguments[0]} failed:\n{output[-3_000:]}")
    return output


def count(copy: Path) -> Outcome:
    lines = mutmut(copy, "results", "--all", "true").splitlines()
    found = dict(line.strip().rsplit(": ", 1) for line in lines if ": " in line)
    alive = tuple(name for name, status in found.items() if status not in NOTICED)
    return Outcome(total=len(found), alive=alive)


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
