from datetime import UTC, datetime

import pytest

from billing.enums import BillingInterval
from billing.providers.sandbox.periods import boundary


@pytest.mark.parametrize(
    ("anchor", "interval", "expected"),
    [
        ("2027-01-31", "monthly", ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"]),
        ("2028-01-31", "monthly", ["2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"]),
        ("2027-11-30", "monthly", ["2027-11-30", "2027-12-30", "2028-01-30", "2028-02-29"]),
        ("2028-02-29", "yearly", ["2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28"]),
    ],
)
def test_periods_keep_the_day_of_their_anchor(
    anchor: str, interval: str, expected: list[str]
) -> None:
    start = datetime.fromisoformat(f"{anchor}T10:20:30+00:00")
    found = [boundary(start, BillingInterval(interval), count) for count in range(4)]
    assert [f"{each:%Y-%m-%d}" for each in found] == expected
    assert all(f"{each:%H:%M:%S}" == "10:20:30" for each in found)


def test_a_leap_day_comes_back() -> None:
    start = datetime(2028, 2, 29, tzinfo=UTC)
    assert boundary(start, BillingInterval.YEARLY, 4) == datetime(2032, 2, 29, tzinfo=UTC)
