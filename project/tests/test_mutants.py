"""`make mutants`: what it names is there, and how it counts."""

import pytest

from project.mutants import ROOT, TARGETS, Outcome, changed_lines, main


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_s_sources_and_tests_are_there(name: str) -> None:
    target = TARGETS[name]
    assert all(list((ROOT / "billing").glob(source)) for source in target.sources)
    assert all((ROOT / "billing/tests" / test).is_file() for test in target.tests)


def test_every_signature_and_all_of_sync_are_a_target_s() -> None:
    covered = {
        path
        for target in TARGETS.values()
        for source in target.sources
        for path in (ROOT / "billing").glob(source)
    }
    for pattern in ("providers/**/signatures.py", "services/sync/**/[a-z]*.py"):
        assert set((ROOT / "billing").glob(pattern)) <= covered


def test_figures() -> None:
    outcome = Outcome(total=40, alive=("one", "two"))
    assert str(outcome) == "40 mutants, 38 killed, 2 alive (5.0 %)"


def test_a_mutant_is_shown_by_its_lines() -> None:
    shown = "# a.b_1: survived\n--- a\n+++ a\n@@ -1 +1 @@\n same\n-old\n+new\n"
    assert changed_lines(shown) == "# a.b_1: survived\n-old\n+new\n"


def test_an_unknown_target_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monet"]) == 2
    assert "no target monet; there are lifecycle, money" in capsys.readouterr().out
