"""Whole lists of the sandbox, over more than one page."""

from datetime import timedelta

import pytest

from billing.errors import InvalidRequest, ProviderObjectMissing
from billing.providers.sandbox import SandboxProvider
from billing.providers.sandbox.store import Record
from billing.providers.types import Ref
from billing.testing import key
from billing.tests.providers.sandbox.conftest import Driver, MakeSandbox


def test_all_pages_oldest_first(sandbox: SandboxProvider, driver: Driver) -> None:
    ids = [driver.customer().id for _ in range(230)]
    pages = [sandbox.list_customers()]
    while pages[-1].next_cursor:
        pages.append(sandbox.list_customers(cursor=pages[-1].next_cursor))
    assert [len(page.items) for page in pages] == [100, 100, 30]
    assert [data.id for page in pages for data in page.items] == ids


def test_a_page_that_is_exactly_full_is_the_last(sandbox: SandboxProvider, driver: Driver) -> None:
    for _ in range(100):
        driver.customer()
    assert sandbox.list_customers().next_cursor == ""


def test_what_is_made_while_the_pages_are_read_comes_too(
    sandbox: SandboxProvider, driver: Driver
) -> None:
    for _ in range(101):
        driver.customer()
    first = sandbox.list_customers()
    late = driver.customer()
    rest = sandbox.list_customers(cursor=first.next_cursor)
    assert [data.id for data in rest.items][1:] == [late.id]


def test_only_what_was_created_since(sandbox: SandboxProvider, driver: Driver) -> None:
    old = driver.start()
    sandbox.advance_clock(timedelta(days=2))
    new = driver.start()
    since = driver.now(new).as_of - timedelta(days=1)
    assert [data.id for data in sandbox.list_subscriptions(since=since).items] == [new.id]
    assert old.id in [data.id for data in sandbox.list_subscriptions().items]


def test_each_stand_in_lists_its_own(make_sandbox: MakeSandbox) -> None:
    one, other = make_sandbox("conekta"), make_sandbox("polar")
    Driver(one).customer()
    assert other.list_customers().items == ()


def test_one_that_cannot_be_mapped_is_told(sandbox: SandboxProvider, driver: Driver) -> None:
    fine = driver.customer()
    with sandbox._store.write() as session:
        session.save(Record("customer", "cus_odd", {"id": "cus_odd", "created": session.now}))
    page = sandbox.list_customers()
    assert [data.id for data in page.items] == [fine.id]
    (told,) = page.unreadable
    assert told.id == "cus_odd"
    assert told.reason


def test_a_cursor_of_no_list(sandbox: SandboxProvider) -> None:
    with pytest.raises(InvalidRequest):
        sandbox.list_customers(cursor="cus_1")


def test_events_stay_listed_when_they_are_taken(sandbox: SandboxProvider, driver: Driver) -> None:
    driver.start()
    queued = [body for _, body in sandbox.pending_deliveries(take=True)]
    assert [each.body for each in sandbox.list_events().items] == queued


def test_adopting_changes_the_reference_only(sandbox: SandboxProvider, driver: Driver) -> None:
    ref = driver.customer()
    before = sandbox.get_customer(ref)
    after = sandbox.adopt_customer(ref, "row-1", idempotency_key=key())
    assert dict(after.raw) == {**before.raw, "reference": "row-1"}
    with pytest.raises(ProviderObjectMissing):
        sandbox.adopt_customer(Ref(id="cus_none"), "row-1", idempotency_key=key())
