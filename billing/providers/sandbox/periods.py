"""Billing periods counted from their anchor, so that 31 Jan is followed by 28 Feb and 31 Mar."""

from calendar import monthrange
from datetime import datetime

from billing.enums import BillingInterval

_MONTHS = {BillingInterval.MONTHLY: 1, BillingInterval.YEARLY: 12}


def boundary(anchor: datetime, interval: BillingInterval, count: int) -> datetime:
    """Return where period `count` begins; period 0 begins at `anchor`."""
    months = anchor.month - 1 + count * _MONTHS[interval]
    year, month = anchor.year + months // 12, months % 12 + 1
    day = min(anchor.day, monthrange(year, month)[1])
    return anchor.replace(year=year, month=month, day=day)
