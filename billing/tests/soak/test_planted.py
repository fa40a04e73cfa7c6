"""The planted faults still fit the code, and what `make planted` makes of a report."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from billing.tests.soak import planted
from billing.tests.soak.faults import FAULTS, Edit, Fault

REPORT = """
<testsuites><testsuite>
  <testcase classname="billing.test_x" name="test_one[1]"/>
  <testcase classname="billing.test_x" name="test_one[2]"><failure message="no"/></testcase>
  <testcase classname="billing.test_x.TestIt" name="test_two"><failure message="no"/></testcase>
  <testcase classname="billing.test_x.TestIt" name="test_two"><error message="fixture"/></testcase>
  <testcase classname="billing.test_x" name="test_three"><skipped message="why"/></testcase>
  <testcase classname="billing.test_x" name="test_four"/>
</testsuite></testsuites>
"""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_fits_the_code_and_names_tests_that_exist(fault: Fault) -> None:
    for edit in fault.edits:
        assert (planted.ROOT / edit.file).read_text().count(edit.text) == 1, edit
    assert fault.tests
    for test in fault.tests:
        file, _, name = test.partition("::")
        assert name in set(_tests_in(planted.ROOT / file)), test


def test_each_fault_has_a_name_of_its_own() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def _tests_in(file: Path) -> Iterator[str]:
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.ClassDef):
            yield from (
                f"{node.name}::{inner.name}"
                for inner in node.body
                if isinstance(inner, ast.FunctionDef)
            )


def test_an_error_does_not_count_as_a_failure_nor_an_absence_as_either(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    prefix = "billing/test_x.py::"
    names = ("test_one", "TestIt::test_two", "test_three", "test_four", "test_five")
    ends = planted.outcomes(report, [prefix + name for name in names])
    assert list(ends.values()) == ["failed", "error", "skipped", "passed", "missing"]


def test_a_fault_that_no_longer_fits_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("a = 1\na = 1\n")
    edit = Edit(file="code.py", text="a = 1", replacement="a = 2")
    with pytest.raises(ValueError, match="2 times"):
        planted.plant(Fault(name="x", edits=(edit,), tests=("t",)), tmp_path)


def test_an_unknown_fault_is_refused_with_those_that_exist(capsys: pytest.CaptureFixture) -> None:
    assert planted.main(["nothing"]) == 2
    assert "no fault nothing; there are: events: no unique" in capsys.readouterr().out
