"""Billing time: periods, access, cycles. Queue time (leases, back-off) is always wall time."""

from datetime import datetime
from typing import cast

from django.utils.module_loading import import_string

from billing.conf import conf


def now() -> datetime:
    """Return billing time, aware UTC, from the function that BILLING_CLOCK names."""
    return cast(datetime, import_string(conf.clock)())
