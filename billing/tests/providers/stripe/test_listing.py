"""Whole lists at Stripe, over more than one page."""

import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from billing.enums import EventKind, PaymentState, SubscriptionStatus
from billing.errors import InvalidRequest, ProviderObjectMissing
from billing.providers.stripe import StripeProvider
from billing.providers.types import Ref, SubscriptionRequest
from billing.testing import customer_request, key
from billing.tests.accounts.account import NOW
from billing.tests.stripe_account import StripeAccount
from billing.tests.stripe_life import StripeLife


def asked(account: StripeAccount, path: str) -> list[dict[str, list[str]]]:
    urls = [urlsplit(call["url"]) for call in account.calls if call["method"] == "GET"]
    return [parse_qs(url.query) for url in urls if url.path == f"/v1/{path}"]


def add_customers(account: StripeAccount, count: int) -> list[str]:
    made = [account.make("customer", "cus", email="", name="", discount=None) for _ in range(count)]
    for each in made:
        each |= {"currency": None}
    return [each["id"] for each in made]


def add_life(account: StripeAccount, life: StripeLife) -> StripeLife:
    account.lives[life.subscription_id] = life
    account.objects |= {remote_id: each for (_, remote_id), each in life.objects.items()}
    return life


@pytest.fixture
def life(account: StripeAccount) -> StripeLife:
    life = StripeLife(customer_reference="cus-row", subscription_reference="sub-row")
    for step in (life.sign_up, life.subscribe, life.pay, life.refund_part, life.dispute):
        step()
    return add_life(account, life)


def test_all_pages_newest_first(stripe: StripeProvider, account: StripeAccount) -> None:
    ids = add_customers(account, 250)
    pages = [stripe.list_customers()]
    while pages[-1].next_cursor:
        pages.append(stripe.list_customers(cursor=pages[-1].next_cursor))
    assert [len(page.items) for page in pages] == [100, 100, 50]
    assert [data.id for page in pages for data in page.items] == ids[::-1]
    assert asked(account, "customers") == [
        {"limit": ["100"]},
        {"limit": ["100"], "starting_after": [ids[150]]},
        {"limit": ["100"], "starting_after": [ids[50]]},
    ]
    assert {data.as_of for page in pages for data in page.items} <= {
        NOW,
        NOW - timedelta(seconds=1),
    }


def test_a_page_that_is_exactly_full_is_the_last(
    stripe: StripeProvider, account: StripeAccount
) -> None:
    add_customers(account, 100)
    page = stripe.list_customers()
    assert (len(page.items), page.next_cursor) == (100, "")


def test_deleted_customers_are_not_listed(stripe: StripeProvider, account: StripeAccount) -> None:
    (gone, kept) = add_customers(account, 2)
    stripe.delete_customer(Ref(id=gone), idempotency_key=key())
    assert [data.id for data in stripe.list_customers().items] == [kept]


def test_a_cursor_whose_object_is_gone(stripe: StripeProvider, account: StripeAccount) -> None:
    with pytest.raises((InvalidRequest, ProviderObjectMissing)):
        stripe.list_customers(cursor="cus_gone")


def test_only_what_was_created_since(stripe: StripeProvider, account: StripeAccount) -> None:
    old, new = add_customers(account, 2)
    account.objects[old]["created"] -= 86400
    page = stripe.list_customers(since=NOW - timedelta(hours=1))
    assert [data.id for data in page.items] == [new]
    stamp = int((NOW - timedelta(hours=1)).timestamp())
    assert asked(account, "customers")[0]["created[gte]"] == [str(stamp)]


def test_one_that_cannot_be_mapped_is_told(stripe: StripeProvider, account: StripeAccount) -> None:
    account.is_faithful = False
    (owner,) = add_customers(account, 1)
    invoice = account.make("invoice", "in", customer=owner)
    fine = account.make("invoice", "in", customer=owner)
    for each in (invoice, fine):
        each |= {"status": "draft"}
    del invoice["total"]
    page = stripe.list_account_invoices()
    assert [data.id for data in page.items] == [fine["id"]]
    (told,) = page.unreadable
    assert (told.id, told.reason) == (invoice["id"], "the invoice has no total")


def test_subscriptions_of_every_status(
    stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
) -> None:
    made = stripe.create_subscription(wanted, idempotency_key=key())
    stripe.cancel_subscription(Ref(id=made.id), at_period_end=False, idempotency_key=key())
    (listed,) = stripe.list_subscriptions().items
    assert (listed.id, listed.status) == (made.id, SubscriptionStatus.CANCELED)
    (query,) = asked(account, "subscriptions")
    assert query["status"] == ["all"]
    expanded = {value for values in query.values() for value in values if value.startswith("data.")}
    assert expanded == {"data.latest_invoice.confirmation_secret", "data.pending_setup_intent"}


def test_an_invoice_that_waits_for_money_is_read_with_its_payment(
    stripe: StripeProvider, account: StripeAccount, life: StripeLife
) -> None:
    """In a list the payment's own state is a level too deep; a failed one must not hide that the
    customer is asked to act."""
    life.start_renewal()
    life.fail()
    add_life(account, life)
    account.one(life.payment_id).update(status="requires_action", last_payment_error=None)
    open_one, paid = stripe.list_account_invoices().items
    assert (open_one.id, open_one.payment_state) == (life.invoice_id, PaymentState.REQUIRES_ACTION)
    assert open_one.payment_id == life.payment_id
    assert paid.payment_state is PaymentState.PAID
    assert paid.payment_id == "pi_life1x1"
    assert len(asked(account, f"invoices/{life.invoice_id}")) == 1
    assert not asked(account, f"invoices/{paid.id}")


def test_no_expansion_is_deeper_than_four_levels(
    stripe: StripeProvider, account: StripeAccount, life: StripeLife
) -> None:
    stripe.list_subscriptions()
    stripe.list_account_invoices()
    stripe.list_payments()
    paths = [
        path
        for call in account.calls
        for name, values in parse_qs(urlsplit(call["url"]).query).items()
        if name.startswith("expand")
        for path in values
    ]
    assert paths
    assert max(len(path.split(".")) for path in paths) <= 4


def test_payments_with_the_time_of_their_charge(
    stripe: StripeProvider, account: StripeAccount, life: StripeLife
) -> None:
    (paid,) = stripe.list_payments().items
    assert paid.paid_at is not None
    assert int(paid.paid_at.timestamp()) == account.one(life.payment_id)["created"]


def test_events_as_they_were_delivered(
    stripe: StripeProvider, account: StripeAccount, life: StripeLife
) -> None:
    listed = stripe.list_events().items
    assert {each.event.id for each in listed} == {each.id for each in life.events}
    by_id = {each.id: each for each in life.events}
    for each in listed:
        assert json.loads(each.body) == json.loads(by_id[each.event.id].body)
        assert stripe.parse_webhook_event(each.body, {}) == each.event
    kinds = {each.event.kind for each in listed}
    assert kinds == set(EventKind)


def test_adopting_changes_the_reference_only(
    stripe: StripeProvider, account: StripeAccount
) -> None:
    made = stripe.create_customer(customer_request(), idempotency_key=key())
    before = dict(account.one(made.id))
    stripe.adopt_customer(Ref(id=made.id), "row-1", idempotency_key="k-1")
    assert account.sent("POST", f"customers/{made.id}") == [{"metadata[cobro_reference]": "row-1"}]
    assert account.keys()[-1] == "k-1"
    assert account.one(made.id) == before | {"metadata": {"cobro_reference": "row-1"}}
