"""Collecting invoices, and writing them off."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.enums import OperationOutcome
from billing.errors import (
    InvalidTransition,
    OutcomeUnknown,
    PaymentMethodElsewhere,
    UnsupportedOperation,
)
from billing.models import Invoice, Operation, Subscription
from billing.providers.base import Simulates
from billing.registry import providers
from billing.services import invoices, payment_methods, reconcile, subscriptions

pytestmark = pytest.mark.django_db(transaction=True)
COMMANDS = {"void": "void", "mark_uncollectible": "uncollectible"}


@pytest.fixture
def invoice(organization_de, published, deliver):
    """An open one: its customer has to confirm the payment."""
    subscriptions.create(
        organization_de, plan=published["startup"], interval="monthly", token="tok_requires_action"
    )
    deliver("stripe")
    return Invoice.objects.get(status="open")


@pytest.mark.parametrize(("command", "status"), COMMANDS.items())
class TestWritingOff:
    def test_an_open_invoice(self, invoice, command, status):
        assert getattr(invoices, command)(invoice).status == status
        operation = Operation.objects.get(verb=f"invoice.{command}")
        assert operation.outcome == OperationOutcome.DONE
        assert operation.remote_id == invoice.provider_invoice_id

    def test_a_repeated_request_asks_once(self, invoice, command, status):
        for _ in range(2):
            written_off = getattr(invoices, command)(invoice, request_key="k1")
            assert written_off.status == status
        assert Operation.objects.filter(verb=f"invoice.{command}").count() == 1

    @pytest.mark.parametrize("other", ["paid", "draft"])
    def test_another_state_is_refused(self, invoice, command, status, other):
        Invoice.objects.filter(pk=invoice.pk).update(status=other)
        invoice.refresh_from_db()
        with pytest.raises(InvalidTransition, match=command):
            getattr(invoices, command)(invoice)
        assert not Operation.objects.filter(verb=f"invoice.{command}").exists()

    def test_a_lost_answer_is_looked_up(self, invoice, command, status):
        providers.get("stripe", Simulates).set_faults(timeout_after_success=1)
        with pytest.raises(OutcomeUnknown):
            getattr(invoices, command)(invoice)
        operation = Operation.objects.get(verb=f"invoice.{command}")
        assert operation.outcome == OperationOutcome.UNKNOWN
        Operation.objects.update(created_at=timezone.now() - timedelta(minutes=3))
        assert reconcile.reconcile_unknown() == 1
        operation.refresh_from_db()
        invoice.refresh_from_db()
        assert (operation.outcome, invoice.status) == (OperationOutcome.DONE, status)

    def test_one_that_never_arrived_has_failed(self, invoice, command, status):
        providers.get("stripe", Simulates).set_faults(timeout_after_success=1)
        with pytest.raises(OutcomeUnknown):
            getattr(invoices, command)(invoice)
        store = providers.get("stripe", Simulates)._store
        with store.write() as session:
            record = session.require("invoice", invoice.provider_invoice_id)
            record.body["status"] = "open"
            session.save(record)
        Operation.objects.update(created_at=timezone.now() - timedelta(minutes=3))
        reconcile.reconcile_unknown()
        operation = Operation.objects.get(verb=f"invoice.{command}")
        invoice.refresh_from_db()
        assert (operation.outcome, invoice.status) == (OperationOutcome.FAILED, "open")


def test_a_provider_that_has_no_bad_debts_cannot_mark_one(organization_mx, published, deliver):
    subscriptions.create(
        organization_mx, plan=published["startup"], interval="monthly", token="tok_visa"
    )
    deliver("conekta")
    with pytest.raises(UnsupportedOperation):
        invoices.mark_uncollectible(Invoice.objects.get())


def test_a_void_first_invoice_ends_what_never_started(invoice, deliver):
    invoices.void(invoice)
    deliver("stripe")
    assert Subscription.objects.get().status == "incomplete_expired"


class TestPaymentOf:
    def test_as_it_is_now_without_any_webhook(self, invoice):
        payment = invoices.payment_of(invoices.pay(invoice))
        assert (payment.status, payment.invoice_id) == ("succeeded", invoice.pk)

    def test_where_nothing_was_to_be_paid(self, invoice):
        invoice.payment_intent_id = ""
        assert invoices.payment_of(invoice) is None

    def test_where_it_cannot_be_read(self, invoice):
        providers.get("stripe", Simulates).set_faults(answer_500=1)
        with pytest.raises(OutcomeUnknown):
            invoices.payment_of(invoice)


def test_it_is_paid_by_the_method_named(organization_de, published, deliver):
    subscriptions.create(
        organization_de, plan=published["startup"], interval="monthly", token="tok_renewal_declined"
    )
    providers.get("stripe", Simulates).advance_clock(timedelta(days=32))
    deliver("stripe")
    method = payment_methods.add(organization_de, token="tok_visa", provider="stripe")
    owed = Invoice.objects.get(status="open")
    assert invoices.pay(owed, payment_method=method).payment_method == method


def test_not_by_a_method_at_another_provider(organization_de, invoice):
    method = payment_methods.add(organization_de, token="tok_visa", provider="conekta")
    with pytest.raises(PaymentMethodElsewhere):
        invoices.pay(invoice, payment_method=method)
    assert not Operation.objects.filter(verb="invoice.pay").exists()
