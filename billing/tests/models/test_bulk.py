"""Rows written in one statement are stored as Django would store them, on either database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from billing.models import Customer, Organization, bulk

pytestmark = pytest.mark.django_db
STAMP = datetime(2026, 11, 30, 1, 2, 3, 456789, tzinfo=UTC)
DATA = {
    "text": "\"quoted\" \\ back 'single' {brace} \u00e9 \U0001f600",
    "none": None,
    "list": [1.5],
}


@pytest.fixture
def organization() -> Organization:
    return Organization.objects.create(name="Acme")


def customer(organization: Organization, number: int, **more: Any) -> Customer:
    return Customer(
        organization=organization,
        provider="pay",
        mode=f"mode{number}",
        provider_customer_id=f"cus_{number}",
        provider_data=DATA,
        **more,
    )


def test_every_column_comes_back_as_it_was_given(organization: Organization) -> None:
    given = customer(organization, 1, name='"; \\ %s', provider_version=STAMP, sync_seq=2**62)
    bulk.write([given, customer(organization, 2)])
    assert not given._state.adding
    stored = Customer.objects.get(pk=given.pk)
    for field in Customer._meta.concrete_fields:
        assert getattr(stored, field.attname) == getattr(given, field.attname), field.name
    other = Customer.objects.get(mode="mode2")
    assert (other.provider_version, other.sync_seq, other.name) == (None, 0, "")


def test_a_stored_row_gets_the_named_columns_only(organization: Organization) -> None:
    row = customer(organization, 1, name="before", email="a@example.com")
    row.save()
    created_at, old_stamp = row.created_at, row.updated_at
    Customer.objects.update(updated_at=old_stamp - timedelta(days=1))
    row.name, row.email = "after", "b@example.com"
    bulk.write([row, customer(organization, 2)], columns=["name", "organization_id", "updated_at"])
    row.refresh_from_db()
    assert (row.name, row.email, row.created_at) == ("after", "a@example.com", created_at)
    assert row.updated_at >= old_stamp
    assert Customer.objects.count() == 2


def test_another_row_in_the_way_is_an_error(organization: Organization) -> None:
    row = customer(organization, 1)
    row.save()
    for rows, columns in (([customer(organization, 1)], ["name"]), ([row], [])):
        with pytest.raises(IntegrityError), transaction.atomic():
            bulk.write(rows, columns=columns)
    assert Customer.objects.count() == 1


def test_nothing_to_write_is_no_statement(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        bulk.write([], columns=["name"])


def test_many_rows_are_one_statement(
    organization: Organization, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        bulk.write([customer(organization, number) for number in range(5)])


def test_what_is_not_json_is_refused(organization: Organization) -> None:
    row = customer(organization, 1)
    row.provider_data = {"odd": object()}
    with pytest.raises(TypeError):
        bulk.write([row])
