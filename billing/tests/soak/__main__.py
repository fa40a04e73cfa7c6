"""Runs the soak's long form: `python -m billing.tests.soak [block ...]`; `make soak` calls it."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from project.tests.services import MissingProgram, postgres_server, redis_server

# Seconds that a block may take; together no more than 35 minutes.
BLOCKS = {
    "crashes": 750,
    "poison": 130,
    "money": 480,
    "races": 330,
    "attacks": 330,
}
CLEAN_UP_SECONDS = 60


@dataclass(kw_only=True)
class Result:
    """What became of a block; `figures` are what its tests measured."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    figures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped} ({self.seconds:.0f} s)"


def main(names: Sequence[str]) -> int:
    """Run the named blocks, or all; 0 when every test of each passed."""
    unknown = [name for name in names if name not in BLOCKS]
    if unknown:
        say(f"soak: no block {', '.join(unknown)}; there are {', '.join(BLOCKS)}.")
        return 2
    chosen = {name: BLOCKS[name] for name in names or BLOCKS}
    say(f"soak: {', '.join(chosen)}; at most {sum(chosen.values()) / 60:.0f} minutes.")
    try:
        with (
            tempfile.TemporaryDirectory(prefix="cobro-soak-") as folder,
            postgres_server() as postgres,
            redis_server() as redis,
        ):
            environment = {
                **os.environ,
                "SOAK": "1",
                "DATABASE_URL": postgres.url,
                "REDIS_URL": redis.url,
            }
            results = {
                name: run_block(name, seconds, environment, Path(folder))
                for name, seconds in chosen.items()
            }
    except MissingProgram as error:
        say(f"soak: {error}")
        return 1
    return summary(results)


def run_block(name: str, seconds: int, environment: Mapping[str, str], folder: Path) -> Result:
    """Run one block's tests; what the time limit cuts off counts as failed."""
    say(f"\n== {name}: at most {seconds} s")
    report = folder / f"{name}.xml"
    started = time.monotonic()
    options = ["-m", f"soak(block='{name}')", f"--timeout={seconds}", f"--junitxml={report}"]
    options += ["-o", "junit_family=xunit1"]  # xunit2 has no place for what tests measured
    # In a session of its own, so that a Ctrl-C reaches it once, through us.
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "pytest", *options], env=environment, start_new_session=True
    )
    in_time = True
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        in_time = False
        end(process)
    except KeyboardInterrupt:
        end(process)
        raise
    result = read(report)
    result.seconds = time.monotonic() - started
    if not in_time:
        # The test that was interrupted is written down as it began: without a failure.
        result.passed = max(0, result.passed - 1)
        result.failed += 1
        result.figures.append(f"{name} took longer than its {seconds} s and was ended")
    elif process.returncode and not result.failed:
        result.failed += 1
        result.figures.append(f"pytest ended with status {process.returncode}")
    tell(name, result)
    return result


def end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt pytest, so that its fixtures end their processes; kill it when that takes long."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(CLEAN_UP_SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def read(report: Path) -> Result:
    """Count what pytest wrote down; an absent report is a result without tests."""
    result = Result()
    if not report.exists():
        return result
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - written by pytest here
        if case.find("failure") is not None or case.find("error") is not None:
            result.failed += 1
        elif case.find("skipped") is not None:
            result.skipped += 1
        else:
            result.passed += 1
        result.figures += [
            f"{case.get('name')}: {each.get('name')} = {each.get('value')}"
            for each in case.iter("property")
        ]
    return result


def tell(name: str, result: Result) -> None:
    say(f"{name}: {result}")
    for figure in result.figures:
        say(f"    {figure}")


def summary(results: Mapping[str, Result]) -> int:
    total = Result()
    say("\n== soak")
    for name, result in results.items():
        say(f"{name}: {result}")
        total.passed += result.passed
        total.failed += result.failed
        total.skipped += result.skipped
        total.seconds += result.seconds
    say(f"all blocks: {total}")
    return 1 if total.failed or total.skipped else 0


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
