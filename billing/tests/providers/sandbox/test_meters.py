"""Usage is summed per meter and customer, each reference once."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from billing.enums import Aggregation
from billing.errors import InvalidRequest, OutcomeUnknown, ProviderObjectMissing
from billing.providers.types import MeterRequest, Ref, UsageReport
from billing.testing import key
from billing.tests.providers.sandbox.conftest import Driver


def report(driver: Driver, customer: Ref, amount: str, **changes: object) -> UsageReport:
    usage = UsageReport(
        reference=key(),
        event_name="calls",
        customer_id=customer.id,
        value=Decimal(amount),
        occurred_at=driver.provider.get_customer(customer).as_of,
    )
    usage = replace(usage, **changes)
    driver.provider.report_usage(usage, idempotency_key=key())
    return usage


def meter(driver: Driver, aggregation: Aggregation = Aggregation.SUM, name: str = "calls") -> str:
    request = MeterRequest(event_name=name, name="Calls", aggregation=aggregation)
    return driver.provider.create_meter(request, idempotency_key=key()).id


def test_per_customer_and_meter(driver: Driver) -> None:
    meter(driver)
    meter(driver, name="storage")
    one, other = driver.customer(), driver.customer()
    for value in ("2", "0.5"):
        report(driver, one, value)
    report(driver, other, "7")
    report(driver, one, "100", event_name="storage")
    assert driver.provider.usage_total("calls", one) == Decimal("2.5")
    assert driver.provider.usage_total("calls", other) == 7
    assert driver.provider.usage_total("storage", one) == 100
    assert driver.provider.usage_total("storage", other) == 0


def test_a_reference_counts_once_under_any_key(driver: Driver) -> None:
    meter(driver)
    customer = driver.customer()
    usage = report(driver, customer, "5")
    driver.provider.report_usage(usage, idempotency_key=key())
    driver.provider.report_usage(replace(usage, value=Decimal(9)), idempotency_key=key())
    assert driver.provider.usage_total("calls", customer) == 5


def test_a_lost_answer_counts_once(driver: Driver) -> None:
    meter(driver)
    customer = driver.customer()
    driver.provider.set_faults(timeout_after_success=1)
    with pytest.raises(OutcomeUnknown):
        report(driver, customer, "5", reference="row-1")
    report(driver, customer, "5", reference="row-1")
    assert driver.provider.usage_total("calls", customer) == 5


@pytest.mark.parametrize(
    ("aggregation", "total"), [(Aggregation.SUM, 8), (Aggregation.COUNT, 3), (Aggregation.LAST, 4)]
)
def test_as_the_meter_aggregates(driver: Driver, aggregation: Aggregation, total: int) -> None:
    """The last by its own time, whenever it was reported."""
    meter(driver, aggregation)
    customer = driver.customer()
    now = driver.provider.get_customer(customer).as_of
    for value, hours in (("1", 3), ("4", 0), ("3", 1)):
        report(driver, customer, value, occurred_at=now - timedelta(hours=hours))
    assert driver.provider.usage_total("calls", customer) == total


def test_nothing_is_the_last_of_nothing(driver: Driver) -> None:
    meter(driver, Aggregation.LAST)
    assert driver.provider.usage_total("calls", driver.customer()) == 0


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"event_name": "nothing"}, "event_name"),
        ({"value": Decimal("NaN")}, "value"),
    ],
)
def test_what_is_not_counted_is_told(
    driver: Driver, changes: dict[str, object], param: str
) -> None:
    meter(driver)
    with pytest.raises(InvalidRequest) as refused:
        report(driver, driver.customer(), "1", **changes)
    assert refused.value.param == param


@pytest.mark.parametrize("age", [timedelta(days=36), timedelta(minutes=-6)])
def test_usage_of_another_time_is_not_counted(driver: Driver, age: timedelta) -> None:
    meter(driver)
    customer = driver.customer()
    now = driver.provider.get_customer(customer).as_of
    with pytest.raises(InvalidRequest):
        report(driver, customer, "1", occurred_at=now - age)


def test_nobody_s_usage_is_not_counted(driver: Driver) -> None:
    meter(driver)
    customer = driver.customer()
    usage = report(driver, customer, "1")
    with pytest.raises(ProviderObjectMissing):
        driver.provider.report_usage(
            replace(usage, reference=key(), customer_id="cus_none"), idempotency_key=key()
        )


def test_a_meter_keeps_its_aggregation(driver: Driver) -> None:
    first = meter(driver)
    assert meter(driver) == first
    with pytest.raises(InvalidRequest):
        meter(driver, Aggregation.COUNT)
