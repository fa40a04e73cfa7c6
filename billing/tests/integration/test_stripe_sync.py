"""All of Stripe's webhooks are lost; `billing_sync` repairs it. A thousand of them with SOAK=1."""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import responses
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Customer, ProviderPrice, StateChange, Subscription
from billing.registry import providers
from billing.services import invariants, resync, webhooks
from billing.services.resync import Count
from billing.tests.integration.harness import STRIPE_KEY, STRIPE_SECRET
from billing.tests.integration.life_rows import prepare, stored, told
from billing.tests.soak import long_or_short
from billing.tests.stripe_account import StripeAccount
from billing.tests.stripe_life import API_VERSION, STEPS, StripeLife, live, published, sign

pytestmark = pytest.mark.django_db(transaction=True)

COUNT = long_or_short(1000, 120)
MIX = (
    "recovered", "past due", "over", "upgraded", "refunded", "charged back", "sent back", "gone",
    "recovered", "recovered",
)  # fmt: skip
OWN_TABLES = {"billing_syncrun", "billing_syncpage"}


@pytest.fixture
def account(settings: Any) -> Iterator[StripeAccount]:
    settings.BILLING_NUDGE_WINDOW_MS = 1
    options = {"api_key": STRIPE_KEY, "webhook_secret": STRIPE_SECRET, "max_retries": 0}
    backend = {"BACKEND": "billing.providers.stripe.StripeProvider", "OPTIONS": options}
    settings.BILLING_PROVIDERS = {"stripe": backend | {"MODE": "test"}}
    account = StripeAccount()
    product = account.make("product", "prod", name="Pro", default_price=None)
    for slug, amount in (("pro", 2990), ("team", 5990)):
        price = published("price") | {"id": f"price_{slug}_monthly", "product": product["id"]}
        price |= {"unit_amount": amount, "unit_amount_decimal": str(amount), "currency": "usd"}
        price |= {"custom_unit_amount": None, "transform_quantity": None, "active": True}
        account.objects[price["id"]] = price
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        account.serve(mock)
        yield account
    providers.reset()


def reserve(account: StripeAccount, count: int) -> list[str]:
    references = prepare(count)
    (product,) = account.all("product")
    ProviderPrice.objects.update(provider_product_id=product["id"])
    return references


def happen(account: StripeAccount, count: int) -> list[StripeLife]:
    """`count` customers of ours live at Stripe; we hold what the API's own answer to their creation
    told, their ids."""
    stories = [(MIX[number % len(MIX)], API_VERSION) for number in range(count)]
    references = reserve(account, count)
    lives = live(stories, references)
    for life, reference in zip(lives, references, strict=True):
        account.adopt(life)
        Customer.objects.filter(pk=reference).update(provider_customer_id=life.customer_id)
    account.now = max(life.now for life in lives) + timedelta(days=1)
    return lives


def written(queries: CaptureQueriesContext) -> Counter[str]:
    """How many rows of SQL write to each table."""
    found: Counter[str] = Counter()
    for query in queries.captured_queries:
        words = query["sql"].replace('"', "").split()
        if words[0] in ("INSERT", "DELETE", "UPDATE"):
            found[words[1] if words[0] == "UPDATE" else words[2]] += 1
    return found


def check(lives: list[StripeLife]) -> None:
    """Our rows say what Stripe's objects say, field by field."""
    rows = stored([life.customer_id for life in lives])
    for life, row in zip(lives, rows, strict=True):
        assert row == told(life)


def check_gone(lives: list[StripeLife]) -> None:
    """A method that was detached is in no list, and read singly it names nobody: of a deleted
    customer we learn everything but the card."""
    for life in lives:
        row = Subscription.objects.get(provider_subscription_id=life.subscription_id)
        assert (row.status, row.payment_method) == ("canceled", None)
        assert row.customer.deleted_at
        assert [each.status for each in row.invoices.all()] == ["paid"]
        assert [each.status for each in row.customer.payments.all()] == ["succeeded"]


def show(capsys: Any, line: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{line}\n")


def test_one_run_makes_all_subscriptions_equal_and_a_second_writes_nothing(
    account: StripeAccount, capsys: Any
) -> None:
    lives = happen(account, COUNT)
    began = time.monotonic()
    with CaptureQueriesContext(connection) as first:
        counts = {step.kind: step.counts for step in resync.repair("stripe")}
    seconds = time.monotonic() - began
    assert counts["subscriptions"][Count.WRITTEN] == COUNT
    assert not any(counted[Count.FAILED] for counted in counts.values())
    show(
        capsys,
        f"{COUNT} subscriptions: {len(account.calls)} calls, {len(first)} statements, "
        f"{seconds:.0f} s; writes: {dict(written(first))}",
    )
    gone = [life for number, life in enumerate(lives) if MIX[number % len(MIX)] == "gone"]
    check_gone(gone)
    check([life for life in lives if life not in gone])
    account.calls.clear()
    began = time.monotonic()
    with CaptureQueriesContext(connection) as second:
        counts = {step.kind: step.counts for step in resync.repair("stripe")}
    seconds = time.monotonic() - began
    found = written(second)
    show(
        capsys,
        f"second run: {len(account.calls)} calls, {len(second)} statements, {seconds:.0f} s; "
        f"writes: {dict(found)}",
    )
    assert set(found) == OWN_TABLES
    assert sum(counted[Count.WRITTEN] for counted in counts.values()) == 0
    out = StringIO()
    call_command("billing_sync", "stripe", "--dry-run", stdout=out)
    assert "Everything is equal." in out.getvalue()
    violated = {finding.statement.name for finding in invariants.check([]) if finding.count}
    assert violated == set()


@pytest.mark.parametrize("story", STEPS)
def test_after_the_webhooks_a_run_finds_nothing_to_do(account: StripeAccount, story: str) -> None:
    """What lists tell and what events told is the same: two ways to one row."""
    (reference,) = reserve(account, 1)
    (life,) = live([(story, API_VERSION)], [reference])
    account.adopt(life)
    account.now = life.now + timedelta(days=1)
    for event in life.events:
        webhooks.receive(
            "stripe", event.body, {"Stripe-Signature": sign(event.body, STRIPE_SECRET)}
        )
    webhooks.drain()
    findings = [finding for step in resync.inspect("stripe") for finding in step.findings]
    # Payloads do not name the payment of an invoice that is not paid; lists do.
    more = [each.column for finding in findings for each in finding.differences if not each.ours]
    assert more == (["payment_intent_id"] if story == "past due" else [])
    assert len(findings) == len(more)
    if findings:
        return
    before = StateChange.objects.count()
    list(resync.repair("stripe"))
    assert StateChange.objects.count() == before


def test_an_account_that_others_use_too(account: StripeAccount) -> None:
    """Nothing of theirs is read into our tables or written there."""
    (ours,) = happen(account, 1)
    stranger = StripeLife(number=900)
    other = StripeLife(customer_reference="of-another-application", number=901)
    for life in (stranger, other):
        for step in STEPS["recovered"].split():
            getattr(life, step)()
        account.adopt(life)
    account.calls.clear()
    found = [finding for step in resync.repair("stripe") for finding in step.findings]
    (missing,) = [each for each in found if each.remote_id == stranger.customer_id]
    assert missing.count == Count.MISSING_HERE
    (row,) = Subscription.objects.all()
    assert row.provider_subscription_id == ours.subscription_id
    assert {call["method"] for call in account.calls} == {"GET"}


def test_a_status_that_nobody_knows_yet_costs_nothing_else(account: StripeAccount) -> None:
    odd, fine = happen(account, 2)
    list(resync.repair("stripe"))
    account.is_faithful = False
    account.now += timedelta(days=1)
    account.one(odd.subscription_id).update(status="dormant", cancel_at_period_end=False)
    account.one(fine.subscription_id).update(status="unpaid")
    counts = {step.kind: step.counts for step in resync.repair("stripe")}
    assert counts["subscriptions"][Count.UNKNOWN_STATUS] == 1
    rows = {row.provider_subscription_id: row for row in Subscription.objects.all()}
    told = rows[odd.subscription_id]
    assert (told.status, told.provider_status) == ("active", "dormant")
    assert not told.cancel_at_period_end
    assert rows[fine.subscription_id].status == "unpaid"
    with pytest.raises(CommandError) as raised:
        call_command("billing_sync", "stripe", "--dry-run", stdout=StringIO())
    assert raised.value.returncode == 1


def test_what_is_deleted_at_stripe_is_told_by_reading_it(account: StripeAccount) -> None:
    """Its lists leave out deleted customers and detached cards."""
    (life,) = happen(account, 1)
    list(resync.repair("stripe"))
    account.now += timedelta(days=1)
    account.one(life.payment_method_id)["customer"] = None
    gone = {"id": life.customer_id, "object": "customer", "deleted": True}
    account.objects[life.customer_id] = gone
    list(resync.repair("stripe"))
    customer = Customer.objects.get()
    assert customer.deleted_at
    assert (customer.name, customer.email) == ("Ana", "ana@example.com")
    assert not customer.payment_methods.get().is_active
    findings = [finding for step in resync.inspect("stripe") for finding in step.findings]
    assert findings == []
