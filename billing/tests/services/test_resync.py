"""All webhooks are lost, and one pass over what the provider lists makes our rows equal."""

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.forms.models import model_to_dict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.enums import ChangeCause, ChangeOutcome, RefundReason
from billing.errors import (
    InvalidRequest,
    LeaseLost,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RequestInProgress,
)
from billing.models import (
    BillingAccount,
    Customer,
    Dispute,
    Invoice,
    Operation,
    Organization,
    OutboxMessage,
    Payment,
    PaymentMethod,
    Price,
    ProviderPrice,
    Refund,
    StateChange,
    Subscription,
    SyncPage,
    SyncRun,
    WebhookEvent,
)
from billing.providers.base import PaymentProvider
from billing.providers.types import (
    CustomerRequest,
    PaymentMethodRequest,
    Ref,
    RefundRequest,
    SubscriptionRequest,
    SubscriptionUpdate,
)
from billing.registry import providers
from billing.services import customers, invariants, reconcile, resync
from billing.services.resync import Count
from billing.testing import key
from billing.tests.services.sandbox_objects import keep, side_by_side

pytestmark = pytest.mark.django_db(transaction=True)

ALIAS = "stripe"
MIRRORED = (Customer, PaymentMethod, Subscription, Invoice, Payment, Refund, Dispute)
BOOKKEEPING = {"id", "provider_version", "sync_seq", "created_at", "updated_at"}
LIVES = (
    "active",
    "canceled",
    "ends with its period",
    "past due",
    "renewed",
    "changed",
    "asked to act",
    "detached",
    "deleted",
    "trial",
    "refunded",
    "disputed",
)


def sandbox_provider(alias: str = ALIAS) -> Any:
    provider: Any = providers.get(alias, PaymentProvider)
    return provider._provider


class World:
    """What happened at the provider, told to nobody: our rows hold reserved customers only."""

    def __init__(self, published: Any, alias: str = ALIAS) -> None:
        self.alias = alias
        self.there = sandbox_provider(alias)
        self.prices = [
            ProviderPrice.objects.get(
                price__plan=plan,
                price__interval="monthly",
                price__currency="USD",
                provider=alias,
            ).provider_price_id
            for plan in published.values()
        ]

    def customer(self, name: str) -> Customer:
        organization = Organization.objects.create(name=name)
        return Customer.objects.create(
            organization=organization, provider=self.alias, mode="sandbox"
        )

    def sign_up(self, reference: str, token: str = "tok_visa") -> tuple[Ref, Ref]:
        request = CustomerRequest(reference=reference, name="Ana", email="ana@example.com")
        made = self.there.create_customer(request, idempotency_key=key())
        owner = Ref(id=made.id, customer_id=made.id)
        card = self.there.create_payment_method(
            owner, PaymentMethodRequest(token=token), idempotency_key=key()
        )
        return owner, Ref(id=card.id, customer_id=owner.id)

    def subscribe(self, owner: Ref, **changes: Any) -> Ref:
        wanted = SubscriptionRequest(
            reference="", customer_id=owner.id, price_id=self.prices[0], **changes
        )
        made = self.there.create_subscription(wanted, idempotency_key=key())
        return Ref(id=made.id, customer_id=owner.id)

    def live(self, story: str, number: int) -> Ref:
        """One customer of ours, its life up to now; return its subscription."""
        token = {"past due": "tok_renewal_declined", "asked to act": "tok_requires_action"}
        row = self.customer(f"{story} {number}")
        owner, card = self.sign_up(str(row.pk), token.get(story, "tok_visa"))
        trial = {"trial_end_at": timezone.now() + timedelta(days=90)} if story == "trial" else {}
        subscription = self.subscribe(owner, **trial)
        self.go_on(story, owner, card, subscription)
        return subscription

    def go_on(self, story: str, owner: Ref, card: Ref, subscription: Ref) -> None:
        there, once = self.there, {"idempotency_key": key()}
        if story == "canceled":
            there.cancel_subscription(subscription, at_period_end=False, **once)
        if story == "ends with its period":
            there.cancel_subscription(subscription, at_period_end=True, **once)
        if story == "changed":
            changes = SubscriptionUpdate(price_id=self.prices[1], quantity=3)
            there.update_subscription(subscription, changes, **once)
        if story == "detached":
            there.delete_payment_method(card, **once)
        if story == "deleted":
            there.delete_customer(owner, **once)
        if story == "refunded":
            wanted = RefundRequest(
                reference="",
                payment_id=self.payment(subscription).id,
                amount_minor=100,
                currency="USD",
                reason=RefundReason.DUPLICATE,
            )
            there.create_refund(wanted, **once)
        if story == "disputed":
            there.open_dispute(self.payment(subscription))

    def payment(self, subscription: Ref) -> Ref:
        invoice_id = self.there.get_subscription(subscription).latest_invoice_id
        invoice = self.there.get_invoice(Ref(id=invoice_id))
        return Ref(id=invoice.payment_id, customer_id=subscription.customer_id)

    def lives(self, count: int) -> list[Ref]:
        made = [self.live(LIVES[number % len(LIVES)], number) for number in range(count)]
        self.there.advance_clock(timedelta(days=32))
        return made

    def lose_webhooks(self) -> None:
        self.there.pending_deliveries(take=True)


@pytest.fixture
def world(published: Any) -> World:
    world = World(published)
    world.lose_webhooks()
    return world


def repair(alias: str = ALIAS, **options: Any) -> dict[str, Counter[str]]:
    return {step.kind: step.counts for step in resync.repair(alias, **options)}


def inspect(alias: str = ALIAS, **options: Any) -> dict[str, Counter[str]]:
    return {step.kind: step.counts for step in resync.inspect(alias, **options)}


def unequal(counts: dict[str, Counter[str]]) -> dict[str, dict[str, int]]:
    left = {
        kind: {name: counted[name] for name in resync.UNEQUAL if counted[name]}
        for kind, counted in counts.items()
    }
    return {kind: found for kind, found in left.items() if found}


def rows() -> dict[str, list[dict[str, Any]]]:
    """Every mirrored row by what it says; our keys are told by the remote ids behind them."""
    names = {
        row.pk: getattr(row, kind)
        for model, kind in (
            (Customer, "provider_customer_id"),
            (PaymentMethod, "provider_payment_method_id"),
            (Subscription, "provider_subscription_id"),
            (Invoice, "provider_invoice_id"),
            (Payment, "provider_payment_id"),
            (Refund, "provider_refund_id"),
            (Dispute, "provider_dispute_id"),
        )
        for row in model.objects.all()
    }
    found = {}
    for model in MIRRORED:
        told = [model_to_dict(row) | {"data": row.provider_data} for row in model.objects.all()]
        for row in told:
            for column in ("customer", "subscription", "invoice", "payment", "payment_method"):
                if row.get(column):
                    row[column] = names[row[column]]
        left = [{k: v for k, v in row.items() if k not in BOOKKEEPING} for row in told]
        found[model.__name__] = sorted(left, key=str)
    return found


def writes(queries: CaptureQueriesContext) -> Counter[str]:
    """INSERT, UPDATE and DELETE by table."""
    found: Counter[str] = Counter()
    for query in queries.captured_queries:
        words = query["sql"].replace('"', "").split()
        if words[0] == "INSERT":
            found[f"INSERT {words[words.index('INTO') + 1]}"] += 1
        if words[0] == "UPDATE":
            found[f"UPDATE {words[1]}"] += 1
        if words[0] == "DELETE":
            found[f"DELETE {words[2]}"] += 1
    return found


def say(capsys: Any, line: str) -> None:
    """Show a measurement whoever runs the tests."""
    with capsys.disabled():
        sys.stdout.write(f"\n{line}\n")


def statements(job: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as queries:
        job()
    return len(queries)


def forget() -> None:
    """Empty our side but for the reserved customers."""
    for model in (*MIRRORED[:0:-1], StateChange, OutboxMessage):
        model.objects.all().delete()
    Customer.objects.update(
        provider_customer_id=None,
        name="",
        email="",
        default_payment_method_id="",
        deleted_at=None,
        provider_version=None,
        provider_data={},
        sync_seq=0,
    )


class TestAllWebhooksLost:
    def test_one_pass_ends_as_the_webhooks_would_have(
        self, world: World, deliver: Callable[..., int]
    ) -> None:
        world.lives(40)
        counts = repair()
        assert counts["subscriptions"][Count.WRITTEN] == 40
        told_by_lists = rows()
        forget()
        assert deliver(ALIAS) > 150
        left = WebhookEvent.objects.exclude(state__in=["processed", "ignored"])
        # A method that is detached by now names no customer: nobody's for both ways.
        assert set(left.values_list("kind", "outcome")) == {
            ("payment_method", "customer nobody is not known yet")
        }
        told_by_webhooks = rows()
        for kind, expected in told_by_webhooks.items():
            listed = told_by_lists[kind]
            for column in _told_otherwise(kind):
                for row in (*listed, *expected):
                    row.pop(column)
            assert sorted(listed, key=str) == sorted(expected, key=str), kind
        assert unequal(inspect()) == {}

    def test_a_second_pass_writes_nothing_but_how_far_it_is(
        self, world: World, capsys: Any
    ) -> None:
        world.lives(30)
        repair()
        with CaptureQueriesContext(connection) as queries:
            counts = repair()
        assert unequal(counts) == {}
        assert sum(counted[Count.WRITTEN] for counted in counts.values()) == 0
        found = writes(queries)
        say(capsys, f"second pass over 30 lives: {dict(found)}")
        assert {name.split()[1] for name in found} == {"billing_syncrun", "billing_syncpage"}

    def test_every_statement_about_the_tables_holds(self, world: World) -> None:
        world.lives(30)
        repair()
        assert {finding.statement.name: finding.count for finding in invariants.check([])} == (
            dict.fromkeys(invariants.STATEMENTS, 0)
        )

    def test_the_ledger_tells_that_it_was_a_sync(self, world: World) -> None:
        world.lives(10)
        repair()
        causes = StateChange.objects.values_list("cause", "outcome").distinct()
        assert set(causes) == {(ChangeCause.SYNC, ChangeOutcome.APPLIED)}
        changed = StateChange.objects.values_list("object_id", flat=True)
        assert len(changed) == len(set(changed))

    def test_statements_do_not_grow_with_the_page(self, world: World, capsys: Any) -> None:
        kinds = ["customers", "subscriptions", "invoices", "payments"]
        world.lives(10)
        few = statements(lambda: repair(kinds=kinds))
        world.lives(20)
        many = statements(lambda: repair(kinds=kinds))
        for kind in kinds:
            assert SyncRun.objects.latest("created_at").counts[kind][Count.LISTED] <= 100, kind
        say(capsys, f"statements: {few} for 10 new lives, {many} for 20 new beside 10 known")
        assert many <= few + 5

    def test_what_waits_for_a_row_is_woken(self, world: World, deliver: Callable[..., int]) -> None:
        """An event whose customer we did not know goes on as soon as the pass has brought it."""
        subscription = world.live("active", 1)
        world.lose_webhooks()
        there = world.there
        there.update_subscription(
            subscription, SubscriptionUpdate(quantity=2), idempotency_key=key()
        )
        Customer.objects.update(provider_customer_id=None)
        deliver(ALIAS)
        repair()
        assert Subscription.objects.get().quantity == 2


def _told_otherwise(kind: str) -> tuple[str, ...]:
    """Raw JSON of deleted and detached ones is told at another moment; a deletion has no time."""
    return ("data", "deleted_at") if kind == "Customer" else ("data",)


class TestDryRun:
    def test_writes_nothing_at_all(self, world: World) -> None:
        world.lives(20)
        with CaptureQueriesContext(connection) as queries:
            counts = inspect()
        assert writes(queries) == {}
        said = " ".join(query["sql"] for query in queries.captured_queries)
        assert not any(lock in said for lock in ("FOR UPDATE", "FOR NO KEY UPDATE", "FOR SHARE"))
        assert SyncRun.objects.count() == 0
        assert counts["customers"][Count.MISSING_HERE] == 20
        assert counts["subscriptions"][Count.MISSING_HERE] == 20

    def test_finds_what_the_pass_then_writes(self, world: World) -> None:
        world.lives(20)
        repair(kinds=["customers", "payment_methods", "subscriptions"])
        Subscription.objects.filter(status="past_due").update(status="active")
        Invoice.objects.all().delete()
        found = inspect()
        written = repair()
        kinds = ("subscriptions", "invoices", "payments")
        assert {kind: unequal(found)[kind] for kind in kinds} == {
            kind: unequal(written)[kind] for kind in kinds
        }
        assert unequal(inspect()) == {}

    def test_names_the_columns_that_differ(self, world: World) -> None:
        subscription = world.live("active", 1)
        repair()
        Subscription.objects.update(quantity=7)
        findings = [each for step in resync.inspect(ALIAS) for each in step.findings]
        (finding,) = findings
        assert (finding.kind, finding.remote_id) == ("subscriptions", subscription.id)
        (difference,) = finding.differences
        assert (difference.column, difference.ours, difference.theirs) == ("quantity", 7, 1)


class Killed(BaseException):
    """The process is gone: nothing after it runs, not even what gives the lease back."""


class TestBrokenOff:
    @pytest.fixture
    def small_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("billing.providers.sandbox.listing.PAGE", 10)
        monkeypatch.setattr("billing.services.resync.objects.CUSTOMERS_A_PAGE", 10)

    def kill(self, monkeypatch: pytest.MonkeyPatch, kind: str, number: int) -> None:
        """End a pass as kill -9 does, behind the effect of a page and before it is noted."""
        with monkeypatch.context() as patch:
            patch.setattr("billing.services.resync.journal.StoredJournal.release", lambda _: None)
            steps = resync.repair(ALIAS)
            for step in steps:
                if (step.kind, step.number) == (kind, number - 1):
                    patch.setattr(SyncPage.objects, "create", _killed)
                    with pytest.raises(Killed):
                        next(steps)
                    return
        pytest.fail("there was no such page")

    def test_goes_on_where_it_was(
        self, world: World, small_pages: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.lives(40)
        self.kill(monkeypatch, "subscriptions", 3)
        assert Subscription.objects.count() == 30
        with pytest.raises(RequestInProgress):
            next(resync.repair(ALIAS))
        SyncRun.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        asked = calls_of(world, monkeypatch)
        counts = repair()
        assert asked["list_customers"] == 0
        assert asked["list_payment_methods"] == 0
        assert asked["list_subscriptions"] == 2
        assert counts["subscriptions"][Count.LISTED] == 40
        assert counts["subscriptions"][Count.EQUAL] == 10
        assert Subscription.objects.count() == 40
        assert unequal(inspect()) == {}
        assert StateChange.objects.filter(object_type="subscription").count() == 40

    def test_what_was_listed_before_is_not_missing_there(
        self, world: World, small_pages: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.lives(40)
        repair()
        self.kill(monkeypatch, "subscriptions", 4)
        SyncRun.objects.update(claimed_until=None)
        asked = calls_of(world, monkeypatch)
        repair()
        assert asked["get_subscription"] == 0

    def test_restart_begins_anew(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.lives(10)
        self.kill(monkeypatch, "subscriptions", 2)
        SyncRun.objects.update(claimed_until=None)
        asked = calls_of(world, monkeypatch)
        repair(restart=True)
        assert asked["list_customers"] == 1
        assert SyncRun.objects.filter(finished_at=None).count() == 0
        assert SyncPage.objects.count() == 0

    def test_one_of_other_kinds_does_not_go_on_with_it(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.lives(10)
        self.kill(monkeypatch, "subscriptions", 2)
        SyncRun.objects.update(claimed_until=None)
        with pytest.raises(InvalidRequest):
            next(resync.repair(ALIAS, kinds=["customers"]))

    def test_a_provider_that_is_away_frees_the_lease(self, world: World) -> None:
        world.lives(10)
        world.there.set_faults(answer_500=1)
        with pytest.raises(ProviderUnavailable):
            repair()
        repair()
        assert unequal(inspect()) == {}

    def test_who_lost_the_lease_writes_no_page(self, world: World) -> None:
        world.lives(10)
        steps = resync.repair(ALIAS)
        next(steps)
        SyncRun.objects.update(claimed_until=None)
        other = resync.repair(ALIAS)
        next(other)
        with pytest.raises(LeaseLost):
            for _ in steps:
                pass
        list(other)
        assert unequal(inspect()) == {}

    def test_two_at_once(self, world: World) -> None:
        world.lives(10)

        def run() -> str:
            try:
                repair()
            except RequestInProgress:
                return "refused"
            return "done"

        assert Counter(side_by_side(run, run))["done"] >= 1
        assert unequal(inspect()) == {}
        assert Subscription.objects.count() == 10

    def test_a_dry_one_runs_beside_it(self, world: World) -> None:
        world.lives(10)
        steps = resync.repair(ALIAS)
        next(steps)
        inspect()
        list(steps)
        assert unequal(inspect()) == {}

    def test_other_providers_are_not_held_up(self, world: World) -> None:
        steps = resync.repair(ALIAS)
        next(steps)
        repair("polar")
        steps.close()


def _killed(*args: Any, **kwargs: Any) -> None:
    raise Killed


def calls_of(world: World, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the provider's calls by method from now on."""
    asked: Counter[str] = Counter()
    observe = "billing.registry.metrics.observe_call"
    monkeypatch.setattr(observe, lambda alias, name, *_: asked.update([name]))
    return asked


class TestWhatIsOdd:
    def test_an_unknown_status_is_told_and_costs_nothing_else(self, world: World) -> None:
        odd, fine = world.live("active", 1), world.live("active", 2)
        repair()
        self.say(world, odd, status="frozen", quantity=5)
        self.say(world, fine, quantity=4)
        counts = repair()
        assert counts["subscriptions"][Count.UNKNOWN_STATUS] == 1
        rows = {row.provider_subscription_id: row for row in Subscription.objects.all()}
        row = rows[odd.id]
        assert (row.status, row.provider_status, row.quantity) == ("active", "frozen", 5)
        assert rows[fine.id].quantity == 4
        (drift,) = StateChange.objects.filter(cause=ChangeCause.DRIFT)
        assert (drift.code, drift.detail) == ("unknown_status", {"provider_status": "frozen"})
        again = repair()
        assert again["subscriptions"][Count.UNKNOWN_STATUS] == 1
        assert again["subscriptions"][Count.WRITTEN] == 0
        assert StateChange.objects.filter(cause=ChangeCause.DRIFT).count() == 1

    def test_what_has_ended_is_not_revived_and_told_once(self, world: World) -> None:
        subscription = world.live("canceled", 1)
        repair()
        self.say(world, subscription, status="active", ended_at=None)
        for _ in range(3):
            counts = repair()
            assert counts["subscriptions"][Count.DIFFERS] == 1
            assert counts["subscriptions"][Count.WRITTEN] == 0
        assert Subscription.objects.get().status == "canceled"
        (drift,) = StateChange.objects.filter(cause=ChangeCause.DRIFT)
        assert (drift.code, drift.outcome) == ("left_final_state", ChangeOutcome.REFUSED)

    def test_one_that_cannot_be_mapped_is_told_and_costs_nothing_else(self, world: World) -> None:
        world.live("active", 1)
        keep({"object": "subscription", "id": "sub_odd", "created": 1, "customer": "cus_odd"})
        counts = repair()
        assert counts["subscriptions"][Count.UNREADABLE] == 1
        assert Subscription.objects.count() == 1

    def test_a_row_whose_object_cannot_be_read_any_more_is_told_and_kept(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        odd, gone, fine = (world.live("active", number) for number in (1, 2, 3))
        repair()
        self.say(world, odd, quantity="many")
        self.say(world, fine, quantity=4)
        reads = type(world.there).get_subscription

        def read(provider: Any, ref: Ref) -> Any:
            if ref.id == gone.id:
                raise ProviderError("it has no id")
            return reads(provider, ref)

        page = world.there.list_subscriptions()
        shorter = replace(page, items=tuple(each for each in page.items if each.id != gone.id))
        monkeypatch.setattr(type(world.there), "list_subscriptions", lambda *_, **__: shorter)
        monkeypatch.setattr(type(world.there), "get_subscription", read)
        counts = repair()
        assert counts["subscriptions"][Count.UNREADABLE] == 2
        assert counts["subscriptions"][Count.MISSING_THERE] == 0
        found = Subscription.objects.values_list("provider_subscription_id", "quantity")
        assert dict(found) == {odd.id: 1, gone.id: 1, fine.id: 4}

    def test_links_that_are_signed_anew_make_no_difference(self, world: World) -> None:
        world.live("active", 1)
        repair()
        invoice, payment = Invoice.objects.get(), Payment.objects.get()
        raw = world.there.get_invoice(Ref(id=invoice.provider_invoice_id)).raw
        keep({**raw, "hosted_url": "https://pay.example/1?sig=a"})
        assert repair()["invoices"][Count.WRITTEN] == 1
        keep({**raw, "hosted_url": "https://pay.example/1?sig=b"})
        paid = world.there.get_payment(Ref(id=payment.provider_payment_id)).raw
        keep({**paid, "paid_at": paid["paid_at"] + 1})
        assert unequal(inspect()) == {}

    def test_one_that_cannot_be_written_is_told_and_costs_nothing_else(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bad = world.live("active", 1)
        others = [world.live("active", number) for number in range(2, 9)]
        kind = type(resync.PARTS["subscriptions"].kind)
        values = kind.values

        def break_one(self: Any, data: Any, row: Any, relatives: Any) -> dict[str, Any]:
            found = values(self, data, row, relatives)
            # What no column takes: two values of which one at most may be null.
            return found | ({"ended_at": timezone.now()} if data.id == bad.id else {})

        with monkeypatch.context() as patch:
            patch.setattr(kind, "values", break_one)
            counts = repair()
        assert counts["subscriptions"][Count.FAILED] == 1
        stored = Subscription.objects.values_list("provider_subscription_id", flat=True)
        assert set(stored) == {each.id for each in others}
        repair()
        assert unequal(inspect()) == {}

    def test_a_row_that_a_webhook_made_newer_is_read_again(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The page was read before the webhook, so what it says is old."""
        subscription = world.live("active", 1)
        repair()
        listed = world.there.list_subscriptions
        page = listed()
        world.there.update_subscription(
            subscription, SubscriptionUpdate(quantity=9), idempotency_key=key()
        )
        Subscription.objects.update(
            quantity=9, provider_version=page.items[0].as_of + timedelta(seconds=60)
        )
        provider = type(world.there)
        monkeypatch.setattr(provider, "list_subscriptions", lambda *_, **__: page)
        repair()
        assert Subscription.objects.get().quantity == 9

    @staticmethod
    def say(world: World, subscription: Ref, **changes: Any) -> None:
        found = world.there.get_subscription(subscription).raw
        keep({**found, **changes})


class TestTheProvider:
    def test_that_wants_fewer_calls_is_asked_again_later(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.live("active", 1)
        waits: list[float] = []
        monkeypatch.setattr("billing.services.resync.parts.time.sleep", waits.append)
        refusals = [RateLimited("slower", retry_after=3), RateLimited("slower")]
        self.refuse(world, monkeypatch, "list_subscriptions", refusals)
        repair()
        assert waits == [3, 2]
        assert Subscription.objects.count() == 1

    def test_that_always_wants_fewer_calls_ends_the_run(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("billing.services.resync.parts.time.sleep", lambda _: None)
        self.refuse(world, monkeypatch, "list_customers", [RateLimited("slower")] * 99)
        with pytest.raises(RateLimited):
            repair()

    def test_whose_cursor_is_void_by_now_is_listed_from_the_beginning(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Stripe's cursor is an object's id; a customer may be deleted since."""
        monkeypatch.setattr("billing.providers.sandbox.listing.PAGE", 10)
        world.lives(25)
        steps = resync.repair(ALIAS, kinds=["customers"])
        next(steps)
        self.refuse(world, monkeypatch, "list_customers", [InvalidRequest("no such customer")])
        *_, last = steps
        assert last.counts[Count.LISTED] == 10 + 25
        assert Customer.objects.exclude(provider_customer_id=None).count() == 25

    @staticmethod
    def refuse(
        world: World, monkeypatch: pytest.MonkeyPatch, method: str, errors: list[Exception]
    ) -> None:
        provider = type(world.there)
        lists = getattr(provider, method)

        def call(self: Any, **options: Any) -> Any:
            if errors:
                raise errors.pop(0)
            return lists(self, **options)

        monkeypatch.setattr(provider, method, call)


class TestNotListed:
    """Rows whose objects a list does not show: looked for singly, told, never deleted."""

    def test_one_that_is_gone_is_told_and_kept(self, world: World) -> None:
        world.live("active", 1)
        repair()
        Invoice.objects.update(provider_invoice_id="inv_gone", payment_intent_id="pay_gone")
        Payment.objects.update(provider_payment_id="pay_gone")
        for _ in range(2):
            counts = repair()
            assert counts["invoices"][Count.MISSING_THERE] == 1
            assert counts["payments"][Count.MISSING_THERE] == 1
        assert Invoice.objects.filter(provider_invoice_id="inv_gone").exists()
        drift = StateChange.objects.filter(code="missing_there")
        assert sorted(drift.values_list("object_type", flat=True)) == ["invoice", "payment"]

    def test_a_subscription_is_asked_for_its_end(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        subscription = world.live("active", 1)
        repair()
        world.there.cancel_subscription(subscription, at_period_end=False, idempotency_key=key())
        self.list_nothing(world, monkeypatch, "list_subscriptions")
        counts = repair()
        assert counts["subscriptions"][Count.MISSING_THERE] == 0
        row = Subscription.objects.get()
        assert row.status == "canceled"
        assert row.ended_at

    def test_a_customer_is_asked_whether_it_is_deleted(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Stripe leaves deleted ones out of its list."""
        world.live("active", 1)
        repair()
        ref = Customer.objects.get().ref
        world.there.delete_customer(ref, idempotency_key=key())
        self.list_nothing(world, monkeypatch, "list_customers")
        repair()
        assert Customer.objects.get().deleted_at
        asked = calls_of(world, monkeypatch)
        repair()
        assert asked["get_customer"] == 0

    def test_a_method_is_asked_whether_it_is_detached(self, world: World) -> None:
        world.live("active", 1)
        repair()
        method = PaymentMethod.objects.get()
        world.there.delete_payment_method(method.ref, idempotency_key=key())
        repair()
        assert not PaymentMethod.objects.get().is_active
        assert unequal(inspect()) == {}

    def test_rows_that_are_made_meanwhile_are_not_looked_for(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.live("active", 1)
        steps = resync.repair(ALIAS)
        step = next(steps)
        while step.kind != "subscriptions":
            step = next(steps)
        row = Subscription.objects.get()
        row.pk, row.provider_subscription_id, row.slot = None, "sub_new", None
        row.save(force_insert=True)
        asked = calls_of(world, monkeypatch)
        list(steps)
        assert asked["get_subscription"] == 0

    def test_a_part_of_a_list_proves_nothing(self, world: World) -> None:
        world.live("active", 1)
        repair()
        counts = repair(since=timezone.now() + timedelta(days=1))
        assert counts["subscriptions"][Count.LISTED] == 0
        assert counts["subscriptions"][Count.MISSING_THERE] == 0

    @staticmethod
    def list_nothing(world: World, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
        empty = getattr(world.there, method)(since=timezone.now() + timedelta(days=999))
        monkeypatch.setattr(type(world.there), method, lambda *_, **__: empty)


class TestSomebodyElses:
    def test_is_not_touched(self, world: World) -> None:
        """Another application sells in the same account, to the same e-mail addresses."""
        ours = world.live("active", 1)
        owner, _ = world.sign_up(key())
        theirs = world.subscribe(owner)
        BillingAccount.objects.create(
            organization=Organization.objects.get(name="active 1"),
            name="Ana",
            email="ana@example.com",
            country="DE",
        )
        before = world.there.get_customer(owner)
        counts = repair()
        stored = Subscription.objects.values_list("provider_subscription_id", flat=True)
        assert list(stored) == [ours.id]
        assert Customer.objects.count() == 1
        assert counts["customers"][Count.NOT_OURS] == 1
        assert counts["subscriptions"][Count.NOT_OURS] == 1
        assert counts["invoices"][Count.NOT_OURS] == 1
        assert unequal(inspect()) == {}
        after = world.there.get_customer(owner)
        assert replace(after, as_of=before.as_of) == before
        assert theirs.id not in stored

    def test_one_without_a_reference_is_told_as_missing_here(self, world: World) -> None:
        owner, _ = world.sign_up("")
        world.subscribe(owner)
        findings = [each for step in resync.inspect(ALIAS) for each in step.findings]
        (finding,) = findings
        assert (finding.kind, finding.remote_id) == ("customers", owner.id)
        assert (finding.count, "--adopt" in finding.detail) == (Count.MISSING_HERE, True)

    def test_a_second_customer_with_our_reference_is_told(self, world: World) -> None:
        row = world.customer("Ana")
        first, _ = world.sign_up(str(row.pk))
        repair()
        second, _ = world.sign_up(str(row.pk))
        findings = [each for step in resync.repair(ALIAS) for each in step.findings]
        assert [(each.remote_id, each.count) for each in findings] == [
            (second.id, Count.MISSING_HERE)
        ]
        row.refresh_from_db()
        assert row.provider_customer_id == first.id


class TestAdoption:
    @pytest.fixture
    def organization(self, world: World) -> Organization:
        return Organization.objects.create(name="Old customer")

    def test_links_it_and_everything_of_it_arrives(
        self, world: World, organization: Organization
    ) -> None:
        owner, card = world.sign_up("")
        subscription = world.subscribe(owner)
        before = world.there.get_customer(owner)
        row = resync.adopt(ALIAS, owner.id, organization)
        assert (row.organization, row.provider_customer_id) == (organization, owner.id)
        after = world.there.get_customer(owner)
        assert after.reference == str(row.pk)
        assert {**after.raw, "reference": None} == before.raw
        repair()
        (mine,) = Subscription.objects.all()
        assert (mine.provider_subscription_id, mine.organization) == (subscription.id, organization)
        assert mine.slot is None
        assert mine.plan
        assert PaymentMethod.objects.get().provider_payment_method_id == card.id
        assert Invoice.objects.get().organization == organization
        assert Payment.objects.get().invoice == Invoice.objects.get()
        assert unequal(inspect()) == {}
        assert [each.statement.name for each in invariants.check([]) if each.count] == []

    def test_repeating_changes_nothing(self, world: World, organization: Organization) -> None:
        owner, _ = world.sign_up("")
        resync.adopt(ALIAS, owner.id, organization)
        resync.adopt(ALIAS, owner.id, organization)
        assert Customer.objects.count() == 1
        assert Operation.objects.filter(verb="customer.adopt").count() == 1

    def test_takes_a_row_that_was_only_reserved(self, world: World) -> None:
        row = world.customer("Ana")
        owner, _ = world.sign_up("")
        assert resync.adopt(ALIAS, owner.id, row.organization).pk == row.pk

    def test_an_organization_then_buys_as_that_customer(
        self, world: World, organization: Organization
    ) -> None:
        owner, _ = world.sign_up("")
        resync.adopt(ALIAS, owner.id, organization)
        assert customers.ensure(organization, ALIAS).provider_customer_id == owner.id

    @pytest.mark.parametrize("case", ["taken", "has another", "foreign", "deleted"])
    def test_takes_nothing_away_from_anybody(
        self, world: World, organization: Organization, case: str
    ) -> None:
        owner, _ = world.sign_up(key() if case == "foreign" else "")
        if case == "taken":
            resync.adopt(ALIAS, owner.id, Organization.objects.create(name="First"))
        if case == "has another":
            other, _ = world.sign_up("")
            resync.adopt(ALIAS, other.id, organization)
        if case == "deleted":
            world.there.delete_customer(owner, idempotency_key=key())
        before = Customer.objects.count(), world.there.get_customer(owner).reference
        with pytest.raises(InvalidRequest):
            resync.adopt(ALIAS, owner.id, organization)
        assert (Customer.objects.count(), world.there.get_customer(owner).reference) == before

    def test_waits_while_a_customer_is_being_made(
        self, world: World, organization: Organization
    ) -> None:
        """Else the organization would have two customers there."""
        owner, _ = world.sign_up("")
        BillingAccount.objects.create(
            organization=organization, name="Ana", email="a@example.test", country="DE"
        )
        world.there.set_faults(timeout_after_success=1)
        with pytest.raises(OutcomeUnknown):
            customers.ensure(organization, ALIAS)
        with pytest.raises(RequestInProgress):
            resync.adopt(ALIAS, owner.id, organization)

    def test_an_answer_that_got_lost_is_settled_by_what_is_there(
        self, world: World, organization: Organization
    ) -> None:
        owner, _ = world.sign_up("")
        world.there.set_faults(timeout_after_success=1)
        with pytest.raises(OutcomeUnknown):
            resync.adopt(ALIAS, owner.id, organization)
        adoption = Operation.objects.filter(verb="customer.adopt")
        adoption.update(created_at=timezone.now() - timedelta(minutes=5))
        assert reconcile.reconcile_unknown() == 1
        assert adoption.get().outcome == "done"
        assert Customer.objects.get().provider_customer_id == owner.id


class TestPlans:
    def test_a_publication_that_nobody_heard_of_is_linked(self, world: World) -> None:
        price = ProviderPrice.objects.get(provider_price_id=world.prices[0]).price
        ProviderPrice.objects.filter(provider_price_id=world.prices[0]).delete()
        Price.objects.filter(pk=price.pk).update(
            published_amount_minor=None, published_currency="", published_at=None
        )
        counts = repair(kinds=["plans"])
        assert unequal(counts) == {"plans": {Count.MISSING_HERE: 1}}
        row = ProviderPrice.objects.get(provider_price_id=world.prices[0])
        assert row.price == price
        assert row.price.is_published
        assert unequal(inspect(kinds=["plans"])) == {}

    def test_one_that_was_archived_there_is_not_sold_here(self, world: World) -> None:
        world.there.archive_plan(Ref(id=world.prices[0]), idempotency_key=key())
        repair(kinds=["plans"])
        assert not ProviderPrice.objects.get(provider_price_id=world.prices[0]).is_active
        assert unequal(inspect(kinds=["plans"])) == {}

    def test_an_amount_is_for_people_to_decide(self, world: World) -> None:
        raw = world.there.get_plan(Ref(id=world.prices[0])).raw
        keep({**raw, "amount": 1})
        before = ProviderPrice.objects.get(provider_price_id=world.prices[0])
        counts = repair(kinds=["plans"])
        assert counts["plans"][Count.DIFFERS] == 1
        assert counts["plans"][Count.WRITTEN] == 0
        before.refresh_from_db()
        assert before.price.amount_minor == 2999

    def test_those_of_others_are_left_alone(self, world: World) -> None:
        raw = world.there.get_plan(Ref(id=world.prices[0])).raw
        keep({**raw, "id": "price_other", "reference": None})
        counts = repair(kinds=["plans"])
        assert counts["plans"][Count.NOT_OURS] == 1
        assert unequal(counts) == {}


class TestCommand:
    def run(self, *args: str) -> str:
        out = StringIO()
        call_command("billing_sync", *args, stdout=out)
        return out.getvalue()

    def status(self, *args: str) -> int:
        with pytest.raises(CommandError) as raised:
            self.run(*args)
        return raised.value.returncode

    def test_repairs_and_then_finds_everything_equal(self, world: World) -> None:
        world.lives(10)
        assert self.status(ALIAS, "--dry-run") == 1
        assert "10 written" in self.run(ALIAS)
        said = self.run(ALIAS, "--dry-run")
        assert "Everything is equal." in said
        assert "written" not in said

    def test_without_names_every_provider_that_lists(self, world: World) -> None:
        said = self.run()
        assert all(f"{alias}: customers, done" in said for alias in providers.aliases())

    def test_shows_what_differs(self, world: World, capsys: Any) -> None:
        subscription = world.live("active", 1)
        self.run(ALIAS)
        Subscription.objects.update(quantity=7)
        out = StringIO()
        with pytest.raises(CommandError):
            call_command("billing_sync", ALIAS, "--dry-run", stdout=out)
        assert f"subscriptions {subscription.id}: differs" in out.getvalue()
        assert "quantity: ours '7', theirs '1'" in out.getvalue()

    def test_adopts(self, world: World, tmp_path: Any) -> None:
        first, second = (Organization.objects.create(name=name) for name in ("A", "B"))
        (one, _), (other, _) = world.sign_up(""), world.sign_up("")
        file = tmp_path / "links.csv"
        file.write_text(f"{other.id},{second.pk}\n")
        pair = f"{one.id}={first.pk}"
        assert self.status(ALIAS, "--adopt", pair, "--dry-run") == 1
        assert Customer.objects.count() == 0
        self.run(ALIAS, "--adopt", pair, "--adopt-from", str(file))
        linked = Customer.objects.values_list("provider_customer_id", "organization")
        assert dict(linked) == {one.id: first.pk, other.id: second.pk}

    @pytest.mark.parametrize(
        "args",
        [
            ["nobody"],
            ["stripe", "--kinds", "wishes"],
            ["stripe", "--since", "yesterday"],
            ["stripe", "--since", "2026-13-45"],
            ["--adopt", "cus_1=1"],
            ["stripe", "--adopt", "cus_1"],
            ["stripe", "--adopt", "cus_1=not-a-uuid"],
            ["stripe", "--adopt-from", "/nowhere"],
        ],
    )
    def test_refuses_what_it_cannot_read(self, world: World, args: list[str]) -> None:
        assert self.status(*args) == 2
        assert SyncRun.objects.count() == 0

    def test_says_when_another_runs(self, world: World) -> None:
        steps = resync.repair(ALIAS)
        next(steps)
        assert self.status(ALIAS) == 2
        steps.close()
        assert self.run(ALIAS)

    def test_since_and_kinds(self, world: World) -> None:
        world.live("active", 1)
        said = self.run(ALIAS, "--kinds", "customers,subscriptions", "--since", "2020-01-01")
        assert "invoices" not in said
        assert "1 written" in said
