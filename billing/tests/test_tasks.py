"""The doors of Celery."""

import pytest

from billing import tasks


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(tasks, "enqueue", names.append)
    return names


class TestAlone:
    def test_only_one_drain_of_a_kind_runs_in_a_process(self, woken: list[str]) -> None:
        inner: list[int] = []

        def drain() -> tuple[int, bool]:
            inner.append(tasks._alone("a", lambda: (99, False)))
            inner.append(tasks._alone("b", lambda: (7, False)))
            return 1, False

        assert tasks._alone("a", drain) == 1
        assert inner == [0, 7]

    def test_a_wake_up_during_a_drain_is_not_lost(self, woken: list[str]) -> None:
        tasks._alone("a", lambda: (tasks._alone("a", lambda: (0, False)), False))
        assert woken == ["a"]

    def test_it_goes_on_while_there_is_more(self, woken: list[str]) -> None:
        tasks._alone("a", lambda: (5, True))
        tasks._alone("a", lambda: (0, False))
        assert woken == ["a"]

    def test_a_drain_that_breaks_lets_the_next_one_run(self, woken: list[str]) -> None:
        def broken() -> tuple[int, bool]:
            raise RuntimeError

        with pytest.raises(RuntimeError):
            tasks._alone("a", broken)
        assert tasks._alone("a", lambda: (3, False)) == 3
