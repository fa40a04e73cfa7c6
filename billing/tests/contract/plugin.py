"""At the end of a run: what was asked of providers, counted per operation and held to the contract.

Each process writes a file of its own (pytest-xdist's workers too); the first process adds them up.
The run fails for a violation, and a run of the whole suite for an operation that was never asked.
"""

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from billing.tests.contract import ledger
from billing.tests.contract.checks import Contract
from billing.tests.contract.operations import OPERATIONS
from billing.tests.providers.stripe.shared_contract import CHECKER

_FOLDER = pytest.StashKey[Path]()
_FOUND = pytest.StashKey[list[str]]()
_INPUT = "provider_calls"
_BAD = "FAILED"
JSON = dict[str, Any]


def pytest_configure(config: pytest.Config) -> None:
    given = getattr(config, "workerinput", {}).get(_INPUT)
    config.stash[_FOLDER] = Path(given or tempfile.mkdtemp(prefix="provider-calls-"))
    ledger.watch()


def pytest_unconfigure() -> None:
    ledger.unwatch()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput[_INPUT] = str(node.config.stash[_FOLDER])


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    path = config.stash[_FOLDER] / f"{os.getpid()}.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in ledger.CALLS))
    if hasattr(config, "workerinput"):
        return
    is_whole = _is_whole(config) and session.exitstatus == pytest.ExitCode.OK
    found = list(findings(list(_read(path.parent)), is_whole=is_whole))
    config.stash[_FOUND] = found
    shutil.rmtree(path.parent)
    if any(map(is_bad, found)) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    found = terminalreporter.config.stash.get(_FOUND, [])
    if found:
        terminalreporter.section("requests to providers")
        terminalreporter.write_line("\n".join(found))


def _is_whole(config: pytest.Config) -> bool:
    """Whether nothing of the suite was left out that asks providers."""
    chosen = ("keyword", "--database-only", "collectonly", "lf", "stepwise", "deselect", "ignore")
    return (
        config.args_source is pytest.Config.ArgsSource.TESTPATHS
        and config.getoption("markexpr") in ("", "not postgres")
        and not any(config.getoption(each, default=None) for each in chosen)
    )


def findings(calls: Sequence[JSON], *, is_whole: bool) -> Iterator[str]:
    """What a run prints about its calls, line by line; one that `is_bad` makes it fail."""
    if not calls and not is_whole:
        return
    if not CHECKER.exists():
        word = _BAD if os.environ.get("CI") else "Skipped:"
        yield f"{word} {len(calls)} requests; ../shared/contract is not beside this checkout"
        return
    contract = Contract()
    counts = Counter(contract.operation(each) for each in calls)
    for operation, count in sorted(counts.items()):
        yield f"{count:6} {operation}"
    wrong = [line for each in calls for line in contract.violations(each)]
    yield f"{len(calls):6} requests, {len(wrong)} violations of the published contract"
    yield from (f"{_BAD} {each}" for each in wrong)
    if is_whole:
        yield from (f"{_BAD} never asked: {each}" for each in never_asked(counts))


def is_bad(line: str) -> bool:
    return line.startswith(_BAD)


def never_asked(counts: Counter[str]) -> list[str]:
    """Capabilities' operations without a request."""
    return [
        f"{each} ({provider}: {capability})"
        for provider, capabilities in OPERATIONS.items()
        for capability, operations in capabilities.items()
        for each in operations
        if not counts[each]
    ]


def _read(folder: Path) -> Iterator[JSON]:
    """Keys of different processes have nothing to do with each other."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            call = json.loads(line)
            yield call | {"group": f"{path.stem} {call['group']}"}
