"""When a service is left alone."""

from typing import Any

import pytest

from geo import circuit


@pytest.fixture(autouse=True)
def _noon(time_machine: Any) -> None:
    time_machine.move_to("2026-11-22 12:00:00Z", tick=False)


def test_it_opens_after_failures_in_a_row_and_closes_by_itself(time_machine: Any) -> None:
    for _ in range(circuit.FAILURES):
        assert not circuit.is_open("ipapi")
        circuit.record_failure("ipapi")
    assert circuit.is_open("ipapi")
    assert not circuit.is_open("ip_api")
    time_machine.move_to("2026-11-22 12:05:01Z", tick=False)
    assert not circuit.is_open("ipapi")


def test_one_more_failure_opens_it_again_until_a_success(time_machine: Any) -> None:
    for _ in range(circuit.FAILURES):
        circuit.record_failure("ipapi")
    time_machine.move_to("2026-11-22 12:05:01Z", tick=False)
    circuit.record_failure("ipapi")
    assert circuit.is_open("ipapi")
    time_machine.move_to("2026-11-22 12:10:02Z", tick=False)
    circuit.record_success("ipapi")
    circuit.record_failure("ipapi")
    assert not circuit.is_open("ipapi")


def test_it_opens_at_once_for_as_long_as_the_service_says(time_machine: Any) -> None:
    circuit.record_failure("ipapi", retry_after=3600)
    time_machine.move_to("2026-11-22 12:59:58Z", tick=False)
    assert circuit.is_open("ipapi")
    time_machine.move_to("2026-11-22 13:00:01Z", tick=False)
    assert not circuit.is_open("ipapi")


def test_the_day_s_budget_closes_the_day(settings: Any, time_machine: Any) -> None:
    settings.GEO_DAILY_BUDGET = {"ipapi": 2}
    assert circuit.take_from_budget("ipapi")
    assert not circuit.is_open("ipapi")
    assert circuit.take_from_budget("ipapi")
    assert circuit.is_open("ipapi")
    assert not circuit.take_from_budget("ipapi")
    time_machine.move_to("2026-11-22 23:59:58Z", tick=False)
    assert circuit.is_open("ipapi")
    time_machine.move_to("2026-11-23 00:00:01Z", tick=False)
    assert not circuit.is_open("ipapi")
    assert circuit.take_from_budget("ipapi")


def test_a_service_without_a_budget_is_not_counted(settings: Any) -> None:
    settings.GEO_DAILY_BUDGET = {"ipapi": 0}
    assert all(circuit.take_from_budget("ip_api") for _ in range(5))
    assert not circuit.take_from_budget("ipapi")
