"""What a snapshot leaves behind: the row, its line in the ledger, its links, and who is told."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.enums import ChangeCause, SubscriptionStatus
from billing.errors import BillingError, LeaseLost, ProviderUnavailable, UnsupportedOperation
from billing.models import (
    Customer,
    Invoice,
    OutboxMessage,
    Payment,
    PaymentMethod,
    Price,
    ProviderPrice,
    StateChange,
    Subscription,
    SubscriptionPlan,
    WebhookEvent,
)
from billing.providers.sandbox import SandboxProvider, mapping
from billing.providers.types import Ref
from billing.registry import providers
from billing.services import outbox, sync
from billing.services.sync import KINDS, Projected, Snapshot, Verdict, links, projection, upsert
from billing.signals import state_changed
from billing.tests.services import sandbox_objects as objects
from billing.tests.services.sandbox_objects import ALIAS, CREATED

pytestmark = pytest.mark.django_db(transaction=True)

MODE = "sandbox"
T = datetime.fromtimestamp(CREATED, tz=UTC)
SECOND = timedelta(seconds=1)
CARD = "4242 4242 4242 4242"
MAPPINGS: dict[str, Any] = {
    "customer": mapping.customer,
    "payment_method": mapping.payment_method,
    "subscription": mapping.subscription,
    "invoice": mapping.invoice,
    "payment": mapping.payment,
}


@pytest.fixture
def customer(sandbox: Any) -> Customer:
    objects.make_price()
    return objects.make_customer("001")


def data(body: dict[str, Any], as_of: datetime = T) -> Any:
    return MAPPINGS[body["object"]](body, as_of)


def told(body: dict[str, Any], stamp: datetime = T, **more: Any) -> Snapshot:
    more.setdefault("cause", ChangeCause.WEBHOOK)
    return Snapshot(data=data(body, stamp), stamp=stamp, **more)


def project(*snapshots: Snapshot, alias: str = ALIAS, mode: str = MODE) -> list[Projected]:
    """All of one kind, in one transaction, as the drain does it."""
    kind = KINDS[snapshots[0].data.raw["object"]]  # type: ignore[index]
    with transaction.atomic():
        return sync.project(kind, alias, mode, snapshots)


def verdicts(results: list[Projected]) -> list[str]:
    return [result.verdict.value for result in results]


def event(number: int, stamp: datetime = T, event_type: str = "subscription.updated") -> Any:
    return WebhookEvent.objects.create(
        provider=ALIAS,
        mode=MODE,
        provider_event_id=f"evt_{number}",
        event_type=event_type,
        occurred_at=stamp,
        received_at=stamp,
        next_attempt_at=stamp,
        body="{}",
    )


class TestFold:
    def newest(self, *items: Snapshot) -> Snapshot | None:
        return projection.newest(KINDS["subscription"], items)

    def test_the_latest_stamp_wins_in_any_order(self) -> None:
        old, new = told(objects.subscription("001")), told(objects.subscription("001"), T + SECOND)
        assert self.newest(old) is old
        assert self.newest(new, old) is self.newest(old, new) is new

    def test_on_equal_stamps_the_same_content_is_one(self) -> None:
        one, other = told(objects.subscription("001")), told(objects.subscription("001"))
        other = replace(other, data=replace(other.data, raw={"b": 2}, as_of=T + SECOND))
        assert self.newest(one, other) is one
        assert self.newest(other, one) is other

    def test_on_equal_stamps_what_differs_is_open_until_a_later_one(self) -> None:
        one = told(objects.subscription("001", quantity=1))
        other = told(objects.subscription("001", quantity=2))
        later = told(objects.subscription("001", quantity=3), T + SECOND)
        assert self.newest(one, other) is None
        assert self.newest(one, other, replace(one)) is None
        assert self.newest(one, later, other) is later

    def test_on_equal_stamps_the_end_wins(self) -> None:
        alive = told(objects.subscription("001", status="past_due"))
        ended = told(objects.subscription("001", status="canceled"))
        assert self.newest(alive, ended) is self.newest(ended, alive) is ended

    def test_a_word_that_is_not_ours_is_no_state(self) -> None:
        assert projection.word(data(objects.subscription("001"))) == "active"
        assert projection.word(data(objects.subscription("001", status="hibernating"))) == ""
        assert projection.word(data(objects.customer("001"))) == ""


class TestRow:
    def test_what_is_kept_beside_the_columns(self, customer: Customer) -> None:
        body = objects.subscription("001")
        before = timezone.now()
        (result,) = project(told(body))
        row = Subscription.objects.get()
        assert (result.verdict, result.is_new, result.is_written) == (Verdict.APPLIED, True, True)
        assert (result.row, result.from_state, result.code) == (row, "", "")
        assert (row.provider, row.mode, row.provider_subscription_id) == (ALIAS, MODE, "sub_001")
        assert (row.provider_version, row.sync_seq, row.provider_data) == (T, 1, body)
        assert row.updated_at >= before
        created_at, updated_at = row.created_at, row.updated_at

        body = objects.subscription("001", quantity=2)
        (result,) = project(told(body, T + SECOND))
        row.refresh_from_db()
        assert (result.is_new, result.from_state) == (False, "active")
        assert (row.provider_version, row.sync_seq, row.provider_data) == (T + SECOND, 2, body)
        assert row.created_at == created_at
        assert row.updated_at > updated_at

    def test_a_snapshot_that_changes_nothing_moves_the_version(self, customer: Customer) -> None:
        project(told(objects.subscription("001")))
        (result,) = project(told(objects.subscription("001"), T + SECOND))
        row = Subscription.objects.get()
        assert (result.verdict, row.sync_seq) == (Verdict.UNCHANGED, 2)
        assert row.provider_version == T + SECOND

    @pytest.mark.parametrize(
        ("changes", "stamp", "verdict"),
        [
            ({"quantity": 2}, T - SECOND, "superseded"),
            ({"quantity": 2}, T, "undecided"),
            ({}, T, "unchanged"),
        ],
    )
    def test_what_is_not_newer_writes_nothing(
        self, customer: Customer, changes: dict[str, Any], stamp: datetime, verdict: str
    ) -> None:
        project(told(objects.subscription("001")))
        (result,) = project(told(objects.subscription("001", **changes), stamp))
        assert (result.verdict, result.is_written) == (verdict, False)
        row = Subscription.objects.get()
        assert (row.sync_seq, row.quantity, row.provider_version) == (1, 1, T)

    @pytest.mark.parametrize(
        ("before", "after", "verdict"),
        [
            ("active", "canceled", "applied"),
            ("canceled", "active", "superseded"),
            ("incomplete", "active", "applied"),
            ("active", "incomplete", "superseded"),
            ("active", "past_due", "undecided"),
        ],
    )
    def test_on_equal_stamps_the_end_wins_and_the_start_loses(
        self, customer: Customer, before: str, after: str, verdict: str
    ) -> None:
        project(told(objects.subscription("001", status=before)))
        (result,) = project(told(objects.subscription("001", status=after)))
        assert result.verdict == verdict
        expected = after if verdict == "applied" else before
        assert Subscription.objects.get().status == expected

    def test_an_amount_is_no_card_number(self, customer: Customer) -> None:
        amount = int(CARD.replace(" ", ""))
        body = objects.invoice("001", subscription=None, total=amount)
        project(told(body, cause=ChangeCause.API))
        assert Invoice.objects.get().total_minor == amount

    def test_a_reserved_row_is_new_until_its_remote_object_is_known(self, sandbox: Any) -> None:
        row = objects.make_customer("001", is_linked=False)
        body = objects.customer("001", reference=str(row.pk))
        (result,) = project(told(body))
        row.refresh_from_db()
        assert (result.is_new, result.from_state) == (True, "")
        assert (row.provider_customer_id, row.name) == ("cus_001", "Software")
        assert Customer.objects.count() == 1

    def test_a_reserved_row_that_was_written_before_had_a_state(self, sandbox: Any) -> None:
        row = objects.make_customer("001", is_linked=False)
        Customer.objects.update(sync_seq=1)
        (result,) = project(told(objects.customer("001", reference=str(row.pk))))
        assert (result.is_new, result.from_state) == (True, "active")

    def test_what_a_provider_answers_is_masked(self, customer: Customer) -> None:
        body = objects.customer("001", name=CARD, metadata={"note": f"{CARD}\x00"})
        for snapshot in (
            told(body, cause=ChangeCause.API),
            told(body, is_fetched=True, seen_seq=1),
        ):
            Customer.objects.update(name="", provider_data={})
            (result,) = project(snapshot)
            assert result.verdict == Verdict.APPLIED
            row = Customer.objects.get()
            assert "4242 4242" not in row.name
            assert "4242 4242" not in row.provider_data["metadata"]["note"]
            assert row.provider_data["metadata"]["note"].endswith("\ufffd")

    def test_what_intake_masked_is_not_masked_again(self, customer: Customer) -> None:
        """A number that only looks like a card's was let through on purpose."""
        body = json.dumps(objects.customer("001", name=f"{CARD}\x00"))
        project(told(WebhookEvent(body=body).payload))
        row = Customer.objects.get()
        assert row.name == row.provider_data["name"] == f"{CARD}\ufffd"

    def test_a_fetched_one_is_as_new_as_the_event_and_the_answer(self, customer: Customer) -> None:
        body = objects.subscription("001")
        later = data(body, T + 2 * SECOND)
        project(Snapshot(data=later, stamp=T, cause=ChangeCause.SYNC, is_fetched=True))
        assert Subscription.objects.get().provider_version == T + 2 * SECOND
        answered = replace(later, as_of=T + 9 * SECOND, quantity=2)
        project(Snapshot(data=answered, stamp=T + 3 * SECOND, cause=ChangeCause.API))
        assert Subscription.objects.get().provider_version == T + 3 * SECOND
        Subscription.objects.update(provider_version=T + 99 * SECOND)
        project(Snapshot(data=later, stamp=T, cause=ChangeCause.SYNC, is_fetched=True, seen_seq=2))
        row = Subscription.objects.get()
        assert (row.provider_version, row.quantity) == (T + 99 * SECOND, 1)

    def test_a_row_that_moved_since_the_look_is_left(self, customer: Customer) -> None:
        fetched = told(objects.subscription("001"), is_fetched=True)
        (result,) = project(replace(fetched, seen_seq=0))
        assert (result.verdict, result.snapshot.data) == (Verdict.MOVED, fetched.data)
        assert verdicts(project(replace(fetched, seen_seq=-1))) == ["applied"]
        assert verdicts(project(replace(fetched, seen_seq=-1))) == ["moved"]
        assert verdicts(project(replace(fetched, seen_seq=0))) == ["moved"]
        assert verdicts(project(replace(fetched, seen_seq=1))) == ["unchanged"]
        assert Subscription.objects.get().sync_seq == 2

    def test_an_orphan_names_its_parent_and_leaves_nothing(self, customer: Customer) -> None:
        (result,) = project(told(objects.invoice("001"), events=[event(1)]))
        assert (result.verdict, result.parent) == (Verdict.ORPHANED, ("subscription", "sub_001"))
        assert result.row is None
        assert not result.is_settled
        assert not Invoice.objects.exists()
        assert not StateChange.objects.exists()

    def test_many_are_told_apart(self, customer: Customer) -> None:
        objects.make_customer("002")
        project(told(objects.subscription("001")), told(objects.subscription("002")))
        results = project(
            told(objects.subscription("002", quantity=2), T + SECOND),
            told(objects.subscription("003"), T + SECOND),
            told(objects.subscription("001", quantity=3), T - SECOND),
        )
        assert verdicts(results) == ["applied", "orphaned", "superseded"]
        assert dict(Subscription.objects.values_list("provider_subscription_id", "quantity")) == {
            "sub_001": 1,
            "sub_002": 2,
        }

    def test_the_statements_do_not_grow(
        self, customer: Customer, django_assert_num_queries: Any
    ) -> None:
        for number in (2, 3, 4):
            objects.make_customer(f"00{number}")
        tokens = ["004", "002", "001", "003"]
        snapshots = [told(objects.subscription(token)) for token in tokens]
        with transaction.atomic():
            with django_assert_num_queries(8):
                sync.project(KINDS["subscription"], ALIAS, MODE, snapshots)
            transaction.set_rollback(True)


class TestLedger:
    def lines(self) -> list[Any]:
        fields = ("cause", "outcome", "code", "from_state", "to_state", "event_type", "detail")
        return list(StateChange.objects.order_by("created_at", "pk").values_list(*fields))

    def test_a_line_names_the_event_and_the_row(self, customer: Customer) -> None:
        made = event(1, T - SECOND, "subscription.created")
        project(told(objects.subscription("001"), events=[made]))
        line, row = StateChange.objects.get(), Subscription.objects.get()
        assert (line.organization, line.provider) == (customer.organization, ALIAS)
        assert (line.object_type, line.object_id) == ("subscription", row.pk)
        assert (line.event_id, line.occurred_at) == (made.pk, T - SECOND)
        assert self.lines() == [
            ("webhook", "applied", "", "", "active", "subscription.created", {})
        ]

    def test_of_several_events_the_newest_took_effect(self, customer: Customer) -> None:
        project(told(objects.subscription("001")))
        StateChange.objects.all().delete()
        made = [event(1, T, "first"), event(2, T + SECOND, "second"), event(3, T, "third")]
        body = objects.subscription("001", status="past_due")
        project(told(body, T + 2 * SECOND, events=made))
        found = {
            line.event_type: (line.outcome, line.from_state, line.to_state, line.occurred_at)
            for line in StateChange.objects.all()
        }
        assert found == {
            "first": ("superseded", "past_due", "past_due", T),
            "second": ("superseded", "past_due", "past_due", T + SECOND),
            "third": ("applied", "active", "past_due", T),
        }

    def test_an_answer_is_a_line_where_something_happened(self, customer: Customer) -> None:
        answered = told(objects.subscription("001"), cause=ChangeCause.API)
        project(answered)
        line = StateChange.objects.get()
        assert (line.event_id, line.event_type, line.occurred_at) == (None, "", T)
        assert (line.cause, line.outcome) == ("api", "applied")
        project(answered)
        project(replace(answered, stamp=T + SECOND))
        project(replace(answered, stamp=T - SECOND))
        assert StateChange.objects.count() == 1

    def test_an_event_is_a_line_also_where_nothing_did(self, customer: Customer) -> None:
        project(told(objects.subscription("001")))
        StateChange.objects.all().delete()
        project(told(objects.subscription("001"), events=[event(1)]))
        project(told(objects.subscription("001"), T - SECOND, events=[event(2)]))
        assert [line[:5] for line in self.lines()] == [
            ("webhook", "unchanged", "", "active", "active"),
            ("webhook", "superseded", "", "active", "active"),
        ]

    def test_what_has_ended_is_not_revived_and_that_is_drift(self, customer: Customer) -> None:
        ended = {"status": "canceled", "ended_at": CREATED}
        project(told(objects.subscription("001", **ended)))
        StateChange.objects.all().delete()
        (result,) = project(told(objects.subscription("001", quantity=2), T + SECOND))
        assert (result.verdict, result.is_written, result.is_settled) == ("refused", False, True)
        assert self.lines() == [
            (
                "drift",
                "refused",
                "left_final_state",
                "canceled",
                "canceled",
                "",
                {"ours": "canceled", "theirs": "active"},
            )
        ]
        row = Subscription.objects.get()
        assert (row.status, row.quantity, row.sync_seq) == ("canceled", 1, 1)
        # What changes beside the state is taken.
        project(told(objects.subscription("001", quantity=2, **ended), T + 2 * SECOND))
        assert Subscription.objects.get().quantity == 2

    def test_a_word_that_is_not_ours_is_drift(self, customer: Customer) -> None:
        project(told(objects.subscription("001")))
        StateChange.objects.all().delete()
        (result,) = project(told(objects.subscription("001", status="hibernating"), T + SECOND))
        assert (result.verdict, result.code) == ("applied", "unknown_status")
        detail = {"provider_status": "hibernating"}
        assert self.lines() == [
            ("drift", "applied", "unknown_status", "active", "active", "", detail)
        ]


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks that were asked for."""
    names: list[str] = []
    monkeypatch.setattr(links, "enqueue", names.append)
    return names


class TestWake:
    def waiting(self, number: int, parent_id: str = "sub_001", **columns: Any) -> WebhookEvent:
        row = event(number)
        later = timezone.now() + timedelta(hours=1)
        columns = {"state": "waiting", "parent_id": parent_id, "next_attempt_at": later} | columns
        WebhookEvent.objects.filter(pk=row.pk).update(**columns)
        return row

    def due(self) -> set[str]:
        rows = WebhookEvent.objects.filter(next_attempt_at__lte=timezone.now())
        return set(rows.values_list("provider_event_id", flat=True))

    def test_what_waited_for_a_new_row_is_due(self, customer: Customer, woken: list[str]) -> None:
        self.waiting(1)
        self.waiting(2, "sub_002")
        self.waiting(3, provider="polar")
        self.waiting(4, mode="live")
        self.waiting(5, state="failed")
        project(told(objects.subscription("001")))
        assert self.due() == {"evt_1"}
        assert woken == ["billing.drain_webhook_events"]

    def test_a_row_that_was_known_wakes_nobody(self, customer: Customer, woken: list[str]) -> None:
        project(told(objects.subscription("001")))
        self.waiting(1)
        project(told(objects.subscription("001", quantity=2), T + SECOND))
        assert (self.due(), woken) == (set(), [])

    def test_without_anybody_waiting_no_worker_is_woken(
        self, customer: Customer, woken: list[str], django_assert_num_queries: Any
    ) -> None:
        project(told(objects.subscription("001")))
        assert woken == []
        with django_assert_num_queries(0):
            links.wake([], ALIAS, MODE)

    def test_what_is_undone_wakes_nobody(self, customer: Customer, woken: list[str]) -> None:
        self.waiting(1)
        with transaction.atomic():
            project(told(objects.subscription("001")))
            transaction.set_rollback(True)
        assert (self.due(), woken) == (set(), [])


class TestMethods:
    def rows(self) -> list[Any]:
        return [model.objects.get() for model in (Subscription, Invoice, Payment)]

    def mirror(self) -> None:
        project(told(objects.subscription("001")))
        project(told(objects.paid_invoice("001")))
        project(told(objects.payment("001")))

    def test_one_that_comes_late_is_linked_everywhere(self, customer: Customer) -> None:
        self.mirror()
        assert [row.payment_method for row in self.rows()] == [None] * 3
        project(told(objects.payment_method("001")))
        assert [row.payment_method for row in self.rows()] == [PaymentMethod.objects.get()] * 3

    @pytest.mark.parametrize("columns", [{"provider": "polar"}, {"mode": "live"}])
    def test_rows_elsewhere_and_of_others_are_left(
        self, customer: Customer, columns: dict[str, str]
    ) -> None:
        self.mirror()
        Payment.objects.update(**columns)
        Invoice.objects.update(provider_payment_method_id="pm_002")
        project(told(objects.payment_method("001")))
        assert [row.payment_method for row in self.rows()] == [
            PaymentMethod.objects.get(),
            None,
            None,
        ]

    def test_each_row_gets_its_own(self, customer: Customer) -> None:
        objects.make_customer("002")
        project(told(objects.subscription("001")), told(objects.subscription("002")))
        project(told(objects.payment_method("002")), told(objects.payment_method("001")))
        rows = Subscription.objects.values_list(
            "provider_payment_method_id", "payment_method__provider_payment_method_id"
        )
        assert set(rows) == {("pm_001", "pm_001"), ("pm_002", "pm_002")}

    def test_one_that_is_linked_stays(self, customer: Customer) -> None:
        project(told(objects.payment_method("002", customer="cus_001")))
        other = PaymentMethod.objects.get()
        self.mirror()
        Payment.objects.update(payment_method=other)
        project(told(objects.payment_method("001")))
        assert Payment.objects.get().payment_method == other

    @pytest.mark.parametrize("index", range(3))
    def test_one_that_came_while_the_row_was_written_is_linked(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch, index: int
    ) -> None:
        """Neither transaction saw the other's row; whoever commits last sees both."""
        bodies = [
            objects.subscription("001"),
            objects.paid_invoice("001"),
            objects.payment("001"),
        ]
        for body in bodies[:index]:
            project(told(body))
        project(told(objects.payment_method("001")))
        kind = KINDS[bodies[index]["object"]]
        original = kind.relatives

        def relatives(*arguments: Any) -> Any:
            return replace(original(*arguments), payment_methods={})

        monkeypatch.setattr(kind, "relatives", relatives, raising=False)
        project(told(bodies[index]))
        assert kind.model._default_manager.get().payment_method == PaymentMethod.objects.get()

    def test_a_row_of_a_kind_without_methods_asks_for_none(
        self, customer: Customer, django_assert_num_queries: Any
    ) -> None:
        (result,) = project(told(objects.customer("001")))
        with django_assert_num_queries(0):
            assert links.promise(KINDS["customer"], ALIAS, MODE, [result]) is None
            links.after_commit(ALIAS, MODE, [result], [], None)


class TestKilledAfterTheCommit:
    """The rows are there, and nobody came to link them: the outbox does it."""

    BODIES = [
        (objects.paid_invoice("001"), objects.payment("001", invoice=None)),
        (objects.payment("001", invoice=None), objects.paid_invoice("001")),
    ]

    @pytest.mark.parametrize("bodies", BODIES, ids=["the payment last", "the invoice last"])
    def test_the_links_are_made_by_the_outbox(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch, bodies: Any
    ) -> None:
        for body in (objects.subscription("001"), bodies[0]):
            project(told(body))
        with monkeypatch.context() as killed:
            killed.setattr(links, "after_commit", lambda *arguments: None)
            for body in (bodies[1], objects.payment_method("001")):
                project(told(body))
        assert Payment.objects.get().invoice is None
        assert Payment.objects.get().payment_method is None
        assert outbox.drain() == (0, False), "whoever is not killed has the time of a lease"
        OutboxMessage.objects.update(next_attempt_at=timezone.now())
        outbox.drain()
        assert Payment.objects.get().invoice == Invoice.objects.get()
        method = PaymentMethod.objects.get()
        for model in (Subscription, Invoice, Payment):
            assert model.objects.get().payment_method == method

    def test_nothing_is_left_of_what_was_kept(self, customer: Customer) -> None:
        for body in (objects.subscription("001"), *self.BODIES[0]):
            project(told(body))
        assert not OutboxMessage.objects.exists()


class TestPayments:
    """The invoice names its payment; the payment does not name its invoice."""

    PAYMENT = {"invoice": None, "payment_method": None}

    @pytest.fixture
    def subscribed(self, customer: Customer) -> Customer:
        project(told(objects.subscription("001")))
        return customer

    def test_the_payment_comes_first(self, subscribed: Customer) -> None:
        project(told(objects.payment("001", **self.PAYMENT)))
        project(told(objects.paid_invoice("001")))
        assert Payment.objects.get().invoice == Invoice.objects.get()

    def test_the_invoice_comes_first(self, subscribed: Customer) -> None:
        project(told(objects.paid_invoice("001")))
        project(told(objects.payment("001", **self.PAYMENT)))
        assert Payment.objects.get().invoice == Invoice.objects.get()

    @pytest.mark.parametrize("columns", [{"provider": "polar"}, {"mode": "live"}])
    @pytest.mark.parametrize("is_invoice_first", [True, False])
    def test_rows_elsewhere_are_left(
        self, subscribed: Customer, columns: dict[str, str], is_invoice_first: bool
    ) -> None:
        first, second = objects.paid_invoice("001"), objects.payment("001", **self.PAYMENT)
        if not is_invoice_first:
            first, second = second, first
        project(told(first))
        (Invoice if is_invoice_first else Payment).objects.update(**columns)
        project(told(second))
        assert Payment.objects.get().invoice is None

    def test_each_goes_to_its_own(self, subscribed: Customer) -> None:
        project(
            told(objects.paid_invoice("001")),
            told(
                objects.invoice("002")
                | {"customer": "cus_001", "subscription": None, "payment": "pay_002"}
            ),
        )
        pays = [
            told(objects.payment(token, customer="cus_001", **self.PAYMENT))
            for token in ("001", "002", "003")
        ]
        project(*pays)
        found = Payment.objects.values_list("provider_payment_id", "invoice__provider_invoice_id")
        assert dict(found) == {"pay_001": "inv_001", "pay_002": "inv_002", "pay_003": None}

    def test_one_that_is_linked_stays(self, subscribed: Customer) -> None:
        project(told(objects.invoice("001")))
        project(told(objects.payment("001")))
        other = objects.paid_invoice("001") | {"id": "inv_002"}
        project(told(other))
        assert Payment.objects.get().invoice.provider_invoice_id == "inv_001"


class TestPrices:
    @pytest.fixture
    def unmapped(self, sandbox: Any) -> Subscription:
        objects.make_customer("001")
        project(told(objects.subscription("001")))
        return Subscription.objects.get()

    def publish(self, **columns: Any) -> ProviderPrice:
        price = objects.make_price(remote_id="")
        columns = {
            "provider": ALIAS,
            "mode": MODE,
            "provider_price_id": objects.PRICE_ID,
            **columns,
        }
        return ProviderPrice.objects.create(price=price, **columns)

    def test_one_that_was_published_meanwhile_is_linked(
        self, unmapped: Subscription, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        published = self.publish()
        kind = KINDS["subscription"]
        original = kind.relatives

        def relatives(*arguments: Any) -> Any:
            return replace(original(*arguments), prices={})

        monkeypatch.setattr(kind, "relatives", relatives, raising=False)
        project(told(objects.subscription("001", quantity=2), T + SECOND))
        unmapped.refresh_from_db()
        assert (unmapped.price, unmapped.plan) == (published.price, published.price.plan)
        assert unmapped.billing_interval == "monthly"

    @pytest.mark.parametrize(
        "columns", [{"provider": "polar"}, {"mode": "live"}, {"provider_price_id": "other"}]
    )
    def test_one_that_is_sold_elsewhere_is_another(
        self, unmapped: Subscription, columns: dict[str, str]
    ) -> None:
        links.map_price(self.publish(**columns))
        project(told(objects.subscription("001", quantity=2), T + SECOND))
        unmapped.refresh_from_db()
        assert (unmapped.price, unmapped.plan) == (None, None)

    def test_a_price_that_is_mapped_stays(self, unmapped: Subscription) -> None:
        plan = SubscriptionPlan.objects.create(slug="other", name="Other")
        theirs = Price.objects.create(plan=plan, interval="yearly", currency="USD", amount_minor=1)
        Subscription.objects.update(price=theirs)
        links.map_price(self.publish())
        unmapped.refresh_from_db()
        assert unmapped.price == theirs

    def test_publishing_records_and_maps(self, unmapped: Subscription) -> None:
        price = objects.make_price(remote_id="")
        body = {
            "id": objects.PRICE_ID,
            "product": "prod_1",
            "name": CARD,
            "amount": 2999,
            "currency": "USD",
            "interval": "monthly",
            "active": True,
            "reference": None,
        }
        row = sync.upsert_provider_price(ALIAS, price, mapping.plan(body, T))
        row.refresh_from_db()
        assert (row.price, row.provider, row.mode) == (price, ALIAS, MODE)
        assert (row.provider_price_id, row.provider_product_id) == (objects.PRICE_ID, "prod_1")
        assert (row.is_active, row.provider_version) == (True, T)
        assert row.provider_data["amount"] == 2999
        assert "4242 4242" not in row.provider_data["name"]
        unmapped.refresh_from_db()
        assert unmapped.price == price
        again = mapping.plan(body | {"active": False, "name": "a\x00"}, T + SECOND)
        assert sync.upsert_provider_price(ALIAS, price, again) == row
        row.refresh_from_db()
        assert (row.is_active, row.provider_version) == (False, T + SECOND)


class TestSignal:
    @pytest.fixture
    def heard(self) -> Iterator[list[Any]]:
        calls: list[Any] = []

        def listen(sender: Any, row: Any, change: Any, **_: Any) -> None:
            calls.append((sender, row, change))

        state_changed.connect(listen)
        yield calls
        state_changed.disconnect(listen)

    def test_a_change_of_state_is_told_once_it_is_committed(
        self, customer: Customer, heard: list[Any]
    ) -> None:
        with transaction.atomic():
            project(told(objects.subscription("001")))
            assert heard == []
        row, line = Subscription.objects.get(), StateChange.objects.get()
        assert heard == [(Subscription, row, line)]

    def test_each_row_with_its_own(self, customer: Customer, heard: list[Any]) -> None:
        objects.make_customer("002")
        project(told(objects.subscription("001")), told(objects.subscription("002")))
        assert {(row.pk, change.object_id) for _, row, change in heard} == {
            (row.pk, row.pk) for row in Subscription.objects.all()
        }

    def test_what_stays_in_its_state_is_not_told(
        self, customer: Customer, heard: list[Any]
    ) -> None:
        project(told(objects.subscription("001")))
        heard.clear()
        project(told(objects.subscription("001", quantity=2), T + SECOND))
        project(told(objects.subscription("002"), events=[event(1)]))
        assert heard == []


class TestAnswers:
    @pytest.mark.parametrize("name", ["customer", "payment_method", "subscription", "invoice"])
    def test_of_every_kind_are_stored_with_their_cause(self, customer: Customer, name: str) -> None:
        bodies = {
            "customer": objects.customer("001"),
            "payment_method": objects.payment_method("001"),
            "subscription": objects.subscription("001"),
            "invoice": objects.invoice("001", subscription=None),
        }
        function = getattr(sync, f"upsert_{name}")
        row = function(ALIAS, data(bodies[name]))
        assert type(row) is KINDS[name].model
        assert (row.provider, row.mode, row.sync_seq) == (ALIAS, MODE, 1)
        assert StateChange.objects.get().cause == "api"
        changed = "Other" if name == "customer" else "visa"
        body = bodies[name] | {"name": changed, "brand": "other", "quantity": 2, "number": "X"}
        function(ALIAS, data(body, T + SECOND), cause=ChangeCause.STAFF)
        assert set(StateChange.objects.values_list("cause", flat=True)) == {"api", "staff"}

    def test_about_a_customer_that_is_unknown_are_an_error(self, customer: Customer) -> None:
        with pytest.raises(
            BillingError,
            match="^subscription sub_009 belongs to nobody at stripe whom we know$",
        ):
            sync.upsert_subscription(ALIAS, data(objects.subscription("009")))

    def test_a_lost_race_for_the_row_is_looked_at_once_more(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tries = self.losing(monkeypatch, 1)
        assert sync.upsert_subscription(ALIAS, data(objects.subscription("001"))).quantity == 1
        assert len(tries) == 2

    def test_one_that_is_lost_twice_is_raised(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tries = self.losing(monkeypatch, 9)
        with pytest.raises(IntegrityError):
            sync.upsert_subscription(ALIAS, data(objects.subscription("001")))
        assert len(tries) == 2

    def losing(self, monkeypatch: pytest.MonkeyPatch, times: int) -> list[int]:
        """Let another process insert the row first, so many times."""
        tries: list[int] = []
        original = upsert.project

        def lose(*arguments: Any) -> Any:
            tries.append(len(tries))
            if len(tries) <= times:
                raise IntegrityError("duplicate key")
            return original(*arguments)

        monkeypatch.setattr(upsert, "project", lose)
        return tries

    def test_an_unsettled_race_ends_after_five_fetches(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        objects.keep(objects.subscription("001"))
        tries = self.losing(monkeypatch, 4)
        result = self.settle()
        assert (result.verdict, len(tries)) == (Verdict.APPLIED, 5)
        tries = self.losing(monkeypatch, 9)
        with pytest.raises(IntegrityError):
            self.settle()
        assert len(tries) == 5

    def settle(self, **more: Any) -> Projected:
        more = {"stamp": T, "cause": ChangeCause.SYNC, **more}
        return sync.settle(KINDS["subscription"], ALIAS, Ref(id="sub_001"), **more)

    def test_a_row_that_keeps_moving_is_left(
        self, customer: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []

        def read() -> Any:
            asked.append("sub_001")
            Subscription.objects.update(sync_seq=100 + len(asked))
            return data(objects.subscription("001"))

        project(told(objects.subscription("001")))
        with pytest.raises(LeaseLost, match="^subscription sub_001 is written faster than it can"):
            self.settle(read=read)
        assert len(asked) == 5

    def test_settling_takes_stamp_cause_and_events(self, customer: Customer) -> None:
        objects.keep(objects.subscription("001", quantity=4))
        recorded: list[Projected] = []
        made = event(1)
        stamp = datetime.fromtimestamp(4_000_000_000, tz=UTC)
        result = self.settle(stamp=stamp, events=[made], record=recorded.append)
        assert recorded == [result]
        assert result.snapshot.is_fetched
        row, line = Subscription.objects.get(), StateChange.objects.get()
        assert (row.quantity, row.provider_version) == (4, stamp)
        assert (line.cause, line.event_id, line.occurred_at) == ("sync", made.pk, T)

    def test_what_cannot_be_recorded_is_not_written(self, customer: Customer) -> None:
        objects.keep(objects.subscription("001"))

        def record(result: Projected) -> None:
            raise LeaseLost("taken")

        with pytest.raises(LeaseLost, match="taken"):
            self.settle(record=record)
        assert not Subscription.objects.exists()

    def test_the_look_before_a_fetch_is_at_the_same_provider_and_mode(
        self, customer: Customer
    ) -> None:
        kind = KINDS["subscription"]
        assert upsert.seen_seq(kind, ALIAS, "sub_001") == -1
        project(told(objects.subscription("001")))
        Subscription.objects.update(sync_seq=7)
        assert upsert.seen_seq(kind, ALIAS, "sub_001") == 7
        assert upsert.seen_seq(kind, ALIAS, "sub_002") == -1
        assert upsert.seen_seq(kind, "polar", "sub_001") == -1
        Subscription.objects.update(mode="live")
        assert upsert.seen_seq(kind, ALIAS, "sub_001") == -1

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[Ref]:
        """What the provider was asked for, in vain."""
        refs: list[Ref] = []

        def away(self: Any, kind: str, ref: Ref) -> Any:
            refs.append(ref)
            raise ProviderUnavailable("away")

        monkeypatch.setattr(SandboxProvider, "_get", away)
        return refs

    def test_one_that_is_not_confirmed_stands_in_the_log(
        self, customer: Customer, asked: list[Ref], caplog: pytest.LogCaptureFixture
    ) -> None:
        project(told(objects.subscription("001")))
        with caplog.at_level(logging.WARNING, "billing.services.sync.upsert"):
            sync.upsert_subscription(ALIAS, data(objects.subscription("001"), T - SECOND))
        assert asked == [Ref(id="sub_001", customer_id="cus_001")]
        record: Any = next(item for item in caplog.records if item.name.endswith("sync.upsert"))
        assert record.getMessage() == "answer.not_confirmed"
        assert (record.provider, record.kind, record.remote_id) == (
            ALIAS,
            "subscription",
            "sub_001",
        )
        assert record.exc_info[0] is ProviderUnavailable

    def test_a_customer_is_asked_for_by_its_own_id(
        self, customer: Customer, asked: list[Ref]
    ) -> None:
        project(told(objects.customer("001")))
        sync.upsert_customer(ALIAS, data(objects.customer("001"), T - SECOND))
        assert asked == [Ref(id="cus_001", customer_id="cus_001")]

    def test_a_newer_or_an_equal_one_asks_nobody(
        self, customer: Customer, asked: list[Ref]
    ) -> None:
        project(told(objects.subscription("001")))
        sync.upsert_subscription(ALIAS, data(objects.subscription("001")))
        sync.upsert_subscription(ALIAS, data(objects.subscription("001"), T + SECOND))
        assert asked == []

    def mute(self, settings: Any) -> None:
        """Leave a provider that can be asked nothing."""
        settings.BILLING_PROVIDERS[ALIAS]["OPTIONS"]["like"] = {
            "capabilities": ["PaymentProvider", "ReceivesWebhooks"]
        }
        providers.reset()

    def test_where_nothing_can_be_asked_an_earlier_one_stays_superseded(
        self, customer: Customer, settings: Any
    ) -> None:
        project(told(objects.subscription("001")))
        self.mute(settings)
        answered = data(objects.subscription("001", quantity=2), T - SECOND)
        assert sync.upsert_subscription(ALIAS, answered).quantity == 1
        with pytest.raises(UnsupportedOperation):
            self.settle()

    def test_where_nothing_can_be_asked_an_equal_one_is_taken(
        self, customer: Customer, settings: Any
    ) -> None:
        project(told(objects.subscription("001")))
        self.mute(settings)
        answered = data(objects.subscription("001", quantity=2))
        row = sync.upsert_subscription(ALIAS, answered, cause=ChangeCause.STAFF)
        assert (row.quantity, row.provider_version) == (2, T)
        assert "staff" in StateChange.objects.values_list("cause", flat=True)

    def test_one_that_is_confirmed_keeps_its_cause(self, customer: Customer) -> None:
        project(told(objects.subscription("001")))
        objects.keep(objects.subscription("001", status="past_due"))
        row = sync.upsert_subscription(
            ALIAS, data(objects.subscription("001"), T - SECOND), cause=ChangeCause.STAFF
        )
        assert row.status == SubscriptionStatus.PAST_DUE
        assert StateChange.objects.filter(cause="staff", to_state="past_due").count() == 1
