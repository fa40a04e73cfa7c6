"""The doors of Celery."""

from typing import Any

import pytest
from celery import current_app, shared_task

from billing import tasks
from billing.logs import request_id
from billing.models import WebhookEvent
from billing.queue import REQUEST_ID_HEADER
from billing.tests.services import sandbox_objects as objects


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


class TestRequestId:
    """In a real worker: integration/test_operation."""

    @pytest.fixture
    def look(self) -> Any:
        @shared_task(name="billing.tests.look")
        def look() -> str:
            return request_id.get()

        yield look
        current_app.tasks.pop("billing.tests.look")

    def test_a_task_logs_under_the_id_of_the_request_that_woke_it(self, look: Any) -> None:
        assert look.apply(headers={REQUEST_ID_HEADER: "from-a-request"}).get() == "from-a-request"
        assert request_id.get() == ""

    def test_what_beat_scheduled_logs_under_the_tasks_own(self, look: Any) -> None:
        result = look.apply()
        assert result.get() == result.id


class TestSweep:
    @pytest.mark.django_db(transaction=True)
    def test_it_finds_what_nobody_woke(self, sandbox: Any, settings: Any) -> None:
        """A wake-up may be lost: what beat has done every some seconds must find the event."""
        objects.make_price()
        objects.make_customer("001")
        objects.deliver("evt_1", "subscription.updated", objects.subscription("001"))
        pace = settings.BILLING_SWEEP_SECONDS
        assert pace <= 15
        for entry in settings.CELERY_BEAT_SCHEDULE.values():
            if entry["schedule"] == pace:
                current_app.tasks[entry["task"]].apply(throw=True)
        assert WebhookEvent.objects.get().state == "processed"
