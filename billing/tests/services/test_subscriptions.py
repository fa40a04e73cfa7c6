"""Selling, changing, ending."""

import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from billing.enums import OperationOutcome, SubscriptionStatus
from billing.errors import (
    AlreadySubscribed,
    InvalidRequest,
    InvalidTransition,
    OutcomeUnknown,
    PaymentDeclined,
    PlanNotAvailable,
    ProviderUnavailable,
    RequestInProgress,
    UnsupportedOperation,
)
from billing.models import (
    Customer,
    Invoice,
    Operation,
    Organization,
    Payment,
    StateChange,
    Subscription,
    WebhookEvent,
)
from billing.providers.base import ManagesSubscriptions, Simulates
from billing.providers.sandbox import SandboxProvider
from billing.registry import providers
from billing.services import customers, payment_methods, subscriptions
from billing.tests.services.sandbox_objects import take_away

pytestmark = pytest.mark.django_db(transaction=True)


def subscribe(organization, plan, **more):
    more.setdefault("token", "tok_visa")
    return subscriptions.create(organization, plan=plan, interval="monthly", **more)


class TestCreate:
    def test_mexico_pays_in_pesos_at_its_provider(self, organization_mx, published, deliver):
        subscription = subscribe(organization_mx, published["startup"])
        assert subscription.status == SubscriptionStatus.ACTIVE
        assert subscription.provider == "conekta"
        assert subscription.price.currency == "MXN"
        assert subscription.decision.answers[0]["values"] == {"countries": "MX"}
        assert subscription.current_period_end > subscription.current_period_start
        deliver("conekta")
        invoice = Invoice.objects.get()
        assert (invoice.status, invoice.total_minor, invoice.currency) == ("paid", 54900, "MXN")
        assert invoice.subscription == subscription
        payment = Payment.objects.get()
        assert payment.invoice == invoice
        assert payment.payment_method == subscription.payment_method
        assert set(WebhookEvent.objects.values_list("state", flat=True)) <= {
            "processed",
            "ignored",
        }

    def test_elsewhere_goes_to_the_last_rule(self, organization_de, published):
        subscription = subscribe(organization_de, published["startup"])
        assert (subscription.provider, subscription.price.currency) == ("stripe", "USD")

    def test_a_second_one_in_the_slot_is_refused(self, organization_de, published):
        subscribe(organization_de, published["startup"])
        with pytest.raises(AlreadySubscribed):
            subscribe(organization_de, published["business"])

    def test_the_same_request_key_gives_the_same_subscription(self, organization_de, published):
        first = subscribe(organization_de, published["startup"], request_key="k1")
        again = subscribe(organization_de, published["startup"], request_key="k1")
        assert first.pk == again.pk
        assert Subscription.objects.count() == 1

    def test_a_decline_ends_the_attempt_and_frees_the_slot(self, organization_de, published):
        with pytest.raises(PaymentDeclined):
            subscribe(organization_de, published["startup"], token="tok_declined")
        ended = Subscription.objects.get()
        assert ended.status == SubscriptionStatus.INCOMPLETE_EXPIRED
        assert ended.ended_at
        assert ended.end_reason == "payment_failed"
        operation = Operation.objects.get(verb="subscription.create")
        assert (operation.outcome, operation.decline_code) == ("failed", "card_declined")
        assert StateChange.objects.filter(object_id=ended.pk, code="card_declined").exists()
        method = payment_methods.add(organization_de, token="tok_visa", is_default=True)
        again = subscribe(organization_de, published["startup"], token="", payment_method=method)
        assert again.status == SubscriptionStatus.ACTIVE

    def test_action_needed_is_a_result(self, organization_de, published):
        subscription = subscribe(organization_de, published["startup"], token="tok_requires_action")
        assert subscription.status == SubscriptionStatus.INCOMPLETE
        assert subscription.incomplete_reason == "requires_action"
        assert subscription.next_action["type"] == "redirect"

    def test_a_new_purchase_replaces_the_own_unpaid_one(self, organization_de, published):
        first = subscribe(organization_de, published["startup"], token="tok_requires_action")
        second = subscribe(organization_de, published["startup"])
        first.refresh_from_db()
        assert first.ended_at
        assert second.status == SubscriptionStatus.ACTIVE

    def test_a_plan_without_price_there_is_refused(self, organization_de, plans):
        with pytest.raises(PlanNotAvailable):
            subscribe(organization_de, plans["startup"])
        assert not Subscription.objects.exists()

    def test_a_lost_answer_is_unknown_and_the_same_key_finds_it(self, organization_de, published):
        method = payment_methods.add(organization_de, token="tok_visa")
        providers.get("stripe", Simulates).set_faults(timeout_after_success=1)
        with pytest.raises(OutcomeUnknown):
            subscribe(
                organization_de,
                published["startup"],
                token="",
                payment_method=method,
                request_key="k1",
            )
        row = Subscription.objects.get()
        assert (row.status, row.incomplete_reason) == ("incomplete", "outcome_unknown")
        with pytest.raises(RequestInProgress):
            subscribe(organization_de, published["startup"], token="", payment_method=method)
        again = subscribe(
            organization_de,
            published["startup"],
            token="",
            payment_method=method,
            request_key="k1",
        )
        assert again.pk == row.pk
        assert again.status == SubscriptionStatus.ACTIVE
        assert Operation.objects.get(verb="subscription.create").outcome == OperationOutcome.DONE

    def test_a_lost_answer_is_repaired_by_the_webhook(self, organization_de, published, deliver):
        method = payment_methods.add(organization_de, token="tok_visa")
        deliver("stripe")
        providers.get("stripe", Simulates).set_faults(timeout_after_success=1)
        with pytest.raises(OutcomeUnknown):
            subscribe(organization_de, published["startup"], token="", payment_method=method)
        deliver("stripe")
        row = Subscription.objects.get()
        assert row.status == SubscriptionStatus.ACTIVE
        assert row.incomplete_reason == ""
        assert row.slot == "main"

    def test_an_unreachable_provider_leaves_nothing_behind(self, organization_de, published):
        method = payment_methods.add(organization_de, token="tok_visa")
        providers.get("stripe", Simulates).set_faults(answer_500=1)
        with pytest.raises(ProviderUnavailable):
            subscribe(
                organization_de,
                published["startup"],
                token="",
                payment_method=method,
                request_key="k1",
            )
        again = subscribe(
            organization_de,
            published["startup"],
            token="",
            payment_method=method,
            request_key="k1",
        )
        assert again.status == SubscriptionStatus.ACTIVE
        assert Customer.objects.count() == 1


class TestCancel:
    def test_at_period_end_keeps_it_running(self, organization_de, published):
        subscription = subscribe(organization_de, published["startup"])
        canceled = subscriptions.cancel(subscription)
        assert canceled.status == SubscriptionStatus.ACTIVE
        assert canceled.cancel_at_period_end
        resumed = subscriptions.resume(canceled)
        assert not resumed.cancel_at_period_end

    def test_now_ends_it(self, organization_de, published):
        subscription = subscribe(organization_de, published["startup"])
        canceled = subscriptions.cancel(subscription, at_period_end=False)
        assert canceled.status == SubscriptionStatus.CANCELED
        assert canceled.ended_at
        with pytest.raises(InvalidTransition):
            subscriptions.cancel(canceled, at_period_end=False)

    def test_what_the_provider_cannot_plan_we_do_without_sending_anything(
        self, organization_mx, published
    ):
        subscription = subscribe(organization_mx, published["startup"])
        before = Operation.objects.count()
        assert subscriptions.cancel(subscription).cancel_at_period_end
        assert Operation.objects.count() == before


class TestPause:
    def test_and_on_again(self, organization_de, published, deliver):
        subscription = subscribe(organization_de, published["startup"])
        paused = subscriptions.pause(subscription)
        assert paused.status == SubscriptionStatus.PAUSED
        deliver("stripe")
        again = subscriptions.unpause(subscriptions.reload(paused))
        assert again.status == SubscriptionStatus.ACTIVE
        deliver("stripe")
        assert subscriptions.reload(again).status == SubscriptionStatus.ACTIVE
        assert Invoice.objects.filter(status="paid").count() == 2

    def test_only_an_active_one(self, organization_de, published):
        subscription = subscribe(organization_de, published["startup"])
        with pytest.raises(InvalidTransition):
            subscriptions.unpause(subscription)
        paused = subscriptions.pause(subscription)
        with pytest.raises(InvalidTransition):
            subscriptions.pause(paused)
        with pytest.raises(InvalidTransition):
            subscriptions.change(paused, quantity=2)

    def test_declined_it_stays_paused(self, organization_de, published, deliver):
        subscription = subscribe(organization_de, published["startup"])
        providers.get("stripe", Simulates).advance_clock(timedelta(days=10))
        paused = subscriptions.pause(subscription)
        payment_methods.add(organization_de, token="tok_declined", is_default=True)
        still = subscriptions.unpause(paused)
        assert still.status == SubscriptionStatus.PAUSED
        deliver("stripe")
        assert subscriptions.reload(still).status == SubscriptionStatus.PAUSED
        assert Invoice.objects.get(status="open").payment_state == "failed"

    def test_where_it_cannot_be(self, settings, organization_mx, published):
        subscription = subscribe(organization_mx, published["startup"])
        take_away(settings, "conekta", "PausesSubscriptions")
        before = Operation.objects.count()
        with pytest.raises(UnsupportedOperation):
            subscriptions.pause(subscription)
        assert Operation.objects.count() == before


class TestChange:
    def test_another_plan(self, organization_de, published):
        subscription = subscribe(organization_de, published["startup"])
        changed = subscriptions.change(subscription, plan=published["business"], quantity=3)
        assert changed.plan == published["business"]
        assert changed.price.currency == "USD"
        assert changed.quantity == 3

    def test_metadata_is_ours(self, organization_de, published):
        subscription = subscribe(organization_de, published["startup"])
        changed = subscriptions.change(subscription, metadata={"seat": "12"})
        assert changed.metadata == {"seat": "12"}


class TestOvertaken:
    """The row still runs where another request has just ended it at the provider."""

    @pytest.fixture(params=["organization_de", "organization_mx"])
    def overtaken(self, request, published):
        running = subscribe(request.getfixturevalue(request.param), published["startup"])
        provider = providers.get(running.provider, ManagesSubscriptions)
        provider.cancel_subscription(running.ref, at_period_end=False, idempotency_key="other")
        return running

    def test_a_change_is_a_conflict_as_for_one_that_is_known_to_have_ended(self, overtaken):
        with pytest.raises(InvalidTransition):
            subscriptions.change(overtaken, quantity=4)
        row = subscriptions.reload(overtaken)
        assert (row.status, row.quantity) == (SubscriptionStatus.CANCELED, 1)
        assert Operation.objects.get(verb="subscription.change").outcome == OperationOutcome.FAILED

    def test_what_the_provider_refuses_for_another_reason_stays_its_word(
        self, organization_de, published
    ):
        running = subscribe(organization_de, published["startup"])
        removed = payment_methods.add(organization_de, token="tok_visa")
        payment_methods.remove(removed)
        with pytest.raises(InvalidRequest):
            subscriptions.change(running, payment_method=removed)
        assert subscriptions.reload(running).status == SubscriptionStatus.ACTIVE

    def test_a_provider_that_is_away_by_then_leaves_the_refusal_as_it_was(
        self, overtaken, monkeypatch
    ):
        """Only the second of the two calls fails: no fault of the sandbox can be told so."""
        monkeypatch.setattr(SandboxProvider, "get_subscription", _is_away)
        with pytest.raises(InvalidRequest):
            subscriptions.change(overtaken, quantity=4)


def _is_away(*_):
    raise ProviderUnavailable("away", provider="sandbox")


class TestKeys:
    """What the provider was asked under, read in the sandbox's own file."""

    def test_a_creation_is_repeated_under_its_key(self, sandbox, organization_de, published):
        method = payment_methods.add(organization_de, token="tok_visa")
        asked = {"token": "", "payment_method": method, "request_key": "k1"}
        _repeat_a_lost(lambda: subscribe(organization_de, published["startup"], **asked))
        assert _keys_at_provider(sandbox) == _keys_of_ours()
        made = _at_provider(sandbox, "SELECT count(*) FROM objects WHERE kind = 'subscription'")
        assert made == [(1,)]

    def test_a_change_is_repeated_under_its_key(self, sandbox, organization_de, published):
        running = subscribe(organization_de, published["startup"])
        changes = {"plan": published["business"], "request_key": "k1"}
        _repeat_a_lost(lambda: subscriptions.change(running, **changes))
        assert _keys_at_provider(sandbox) == _keys_of_ours()

    def test_a_method_is_added_made_default_and_removed_under_theirs(
        self, sandbox, organization_de, published
    ):
        asked = {"token": "tok_visa", "request_key": "k1"}
        method = _repeat_a_lost(lambda: payment_methods.add(organization_de, **asked))
        _repeat_a_lost(lambda: payment_methods.set_default(method, request_key="k2"))
        _repeat_a_lost(lambda: payment_methods.remove(method, request_key="k3"))
        assert _keys_at_provider(sandbox) == _keys_of_ours()


def _repeat_a_lost(call):
    """Lose the answer to `call`, and repeat it."""
    customers.ensure(Organization.objects.get(), "stripe")
    providers.get("stripe", Simulates).set_faults(timeout_after_success=1)
    with pytest.raises(OutcomeUnknown):
        call()
    return call()


def _keys_of_ours():
    return sorted(Operation.objects.filter(provider="stripe").values_list("key", flat=True))


def _keys_at_provider(sandbox):
    rows = _at_provider(sandbox, "SELECT key FROM keys WHERE namespace = 'stripe' ORDER BY key")
    return [key for (key,) in rows]


def _at_provider(sandbox, query):
    with closing(sqlite3.connect(sandbox)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("token", ["tok_sepa_debit", "tok_bank_account"])
def test_a_bank_debit_is_told_as_it_goes(organization_de, published, deliver, token):
    row = subscribe(organization_de, published["startup"], token=token)
    deliver("stripe")
    row.refresh_from_db()
    assert (row.status, row.incomplete_reason) == ("incomplete", "processing")
    assert row.next_action == {"type": "wait"}
    assert Invoice.objects.get().payment_state == "processing"
    providers.get("stripe", Simulates).advance_clock(timedelta(days=3))
    deliver("stripe")
    row.refresh_from_db()
    assert (row.status, row.incomplete_reason, row.next_action) == ("active", "", {})
    assert Invoice.objects.get().payment_state == "paid"


def test_a_bank_debit_that_is_refused_days_later(organization_de, published, deliver):
    row = subscribe(organization_de, published["startup"], token="tok_sepa_debit_refused")
    deliver("stripe")
    providers.get("stripe", Simulates).advance_clock(timedelta(days=5))
    deliver("stripe")
    row.refresh_from_db()
    assert (row.status, row.end_reason) == ("incomplete_expired", "payment_failed")
    assert (Invoice.objects.get().status, Payment.objects.get().status) == ("void", "failed")
