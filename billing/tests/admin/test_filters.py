"""The filters of the admin's lists: what they find, and that an index finds it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory

from billing import clock
from billing.admin.filters import RenewalFilter
from billing.models import Customer, Organization, Subscription

pytestmark = pytest.mark.django_db


def ending_within(days: str) -> Any:
    chosen = RenewalFilter(
        RequestFactory().get("/"), {RenewalFilter.parameter_name: [days]}, Subscription, None
    )
    return chosen.queryset(RequestFactory().get("/"), Subscription.objects.all())


def test_periods_that_end_soon() -> None:
    organization = Organization.objects.create(name="Acme")
    customer = Customer.objects.create(organization=organization, provider="pay")
    for days in (-1, 0.5, 6, 29, 31):
        Subscription.objects.create(
            organization=organization,
            customer=customer,
            provider="pay",
            slot=None,
            current_period_end=clock.now() + timedelta(days=days),
        )
    assert [ending_within(days).count() for days in ("1", "7", "30", "31", "x")] == [1, 2, 3, 5, 5]


def test_periods_that_end_soon_are_found_by_an_index() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")  # the table is small here
    assert "billing_sub_period_end" in ending_within("7").order_by().values("pk").explain()
