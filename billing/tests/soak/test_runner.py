"""`make soak` itself: what it counts, and what it says when something is missing."""

import os
from pathlib import Path
from typing import Any

import pytest

from billing.tests.soak import __main__ as soak
from project.tests import services

REPORT = """
<testsuites><testsuite>
  <testcase name="good"><properties><property name="p95, ms" value="7"/></properties></testcase>
  <testcase name="bad"><failure message="no"/></testcase>
  <testcase name="broken"><error message="fixture"/></testcase>
  <testcase name="left out"><skipped message="why"/></testcase>
</testsuite></testsuites>
"""


def test_failures_and_errors_are_counted_apart_from_what_passed(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    result = soak.read(report)
    assert (result.passed, result.failed, result.skipped) == (1, 2, 1)
    assert result.figures == ["good: p95, ms = 7"]


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (soak.Result(passed=3), 0),
        (soak.Result(passed=3, failed=1), 1),
        (soak.Result(passed=3, skipped=1), 1),
    ],
)
def test_only_a_run_without_failure_and_without_skip_is_a_success(
    result: soak.Result, status: int
) -> None:
    assert soak.summary({"races": result}) == status


def test_a_block_that_takes_too_long_is_ended_and_failed(tmp_path: Path) -> None:
    result = soak.run_block("races", 1, os.environ, tmp_path)
    assert result.failed >= 1
    assert "took longer than its 1 s" in result.figures[-1]


def test_a_missing_server_is_one_line_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(services, "_DEBIAN", tmp_path)
    assert soak.main(["races"]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "soak: initdb is missing. Install it with: apt-get install postgresql"


def test_an_unknown_block_is_refused_with_those_that_exist(capsys: Any) -> None:
    assert soak.main(["raeces"]) == 2
    assert "no block raeces; there are crashes, poison" in capsys.readouterr().out
