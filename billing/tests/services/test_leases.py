"""Claims on a queue table."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from billing.errors import LeaseLost
from billing.models import OutboxMessage
from billing.services import leases
from billing.tests.services.sandbox_objects import side_by_side

pytestmark = pytest.mark.django_db(transaction=True)


def make(count: int) -> list[OutboxMessage]:
    now = timezone.now()
    return [
        OutboxMessage.objects.create(
            topic="t",
            dedupe_key=str(number),
            next_attempt_at=now - timedelta(seconds=count - number),
        )
        for number in range(count)
    ]


def test_the_longest_due_come_first_and_the_limit_holds() -> None:
    rows = make(5)
    _, first = leases.claim(OutboxMessage.objects.all(), limit=3)
    _, second = leases.claim(OutboxMessage.objects.all(), limit=3)
    assert [row.pk for row in first + second] == [row.pk for row in rows]


def test_what_is_not_due_is_left() -> None:
    make(1)
    OutboxMessage.objects.update(next_attempt_at=timezone.now() + timedelta(minutes=1))
    assert leases.claim(OutboxMessage.objects.all(), limit=3)[1] == []


def test_a_lease_that_ran_out_is_free() -> None:
    make(1)
    _, first = leases.claim(OutboxMessage.objects.all(), limit=3)
    OutboxMessage.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    _, second = leases.claim(OutboxMessage.objects.all(), limit=3)
    assert [row.pk for row in first] == [row.pk for row in second]


def test_marking_gives_the_lease_back() -> None:
    make(2)
    claim_id, rows = leases.claim(OutboxMessage.objects.all(), limit=3)
    leases.mark(OutboxMessage, claim_id, rows, state="done")
    assert set(OutboxMessage.objects.values_list("state", "claim_id")) == {("done", None)}
    leases.mark(OutboxMessage, claim_id, [])


def test_one_lease_lost_rolls_all_back() -> None:
    make(2)
    claim_id, rows = leases.claim(OutboxMessage.objects.all(), limit=3)
    OutboxMessage.objects.filter(pk=rows[0].pk).update(claim_id=None)
    with pytest.raises(LeaseLost, match="1 of 2"), transaction.atomic():
        leases.mark(OutboxMessage, claim_id, rows, state="done")
    assert set(OutboxMessage.objects.values_list("state", flat=True)) == {"pending"}


def test_workers_side_by_side_share_the_rows() -> None:
    make(40)
    claims = side_by_side(*[lambda: leases.claim(OutboxMessage.objects.all(), limit=10)] * 4)
    claimed = [row.pk for _, rows in claims for row in rows]
    assert len(claimed) == len(set(claimed))
    if connection.vendor == "sqlite":
        assert len(claimed) == 40


def test_pauses_double_with_jitter_up_to_an_hour() -> None:
    for attempts, seconds in [(1, 10), (2, 20), (5, 160), (30, 3600), (10_000, 3600)]:
        pause = (leases.back_off(attempts) - timezone.now()).total_seconds()
        assert 0.79 * seconds < pause < 1.21 * seconds
    assert len({leases.back_off(3).microsecond for _ in range(20)}) > 1
