"""OXXO and SPEI from order to paid and to expired, as our rows tell it: webhooks in every order.

What comes late, or twice, is money that must be seen: in the ledger as drift, in a second payment.
"""

from dataclasses import replace
from uuid import uuid4

import pytest

from billing.enums import ChangeCause, InvoiceStatus, PaymentMethodType, PaymentState, PaymentStatus
from billing.errors import OutcomeUnknown
from billing.models import Invoice, Organization, Payment, StateChange
from billing.providers.base import IssuesVouchers, VoidsInvoices
from billing.providers.types import VoucherRequest
from billing.registry import providers
from billing.services import customers, invoices, vouchers
from billing.tests.accounts.faults import Fault
from billing.tests.conekta_account import ConektaAccount, orders
from billing.tests.conekta_account.journal import Journal
from billing.tests.integration.test_conekta_writes import LOST, ORDERS, post

pytestmark = pytest.mark.django_db(transaction=True)
OXXO, SPEI = PaymentMethodType.OXXO, PaymentMethodType.SPEI


@pytest.fixture
def wanted(conekta: ConektaAccount, organization_mx: Organization) -> VoucherRequest:
    customer = customers.ensure(organization_mx, "conekta")
    return VoucherRequest(
        reference=str(uuid4()),
        customer_id=str(customer.provider_customer_id),
        method=OXXO,
        amount_minor=54900,
        currency="MXN",
    )


def issue(request: VoucherRequest) -> str:
    """Return the order's id."""
    provider = providers.get("conekta", IssuesVouchers)
    return str(provider.create_voucher(request, idempotency_key="").invoice_id)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("method", "number"), [(OXXO, "barcode"), (SPEI, "clabe")])
def test_it_is_shown_and_paid_once(
    conekta: ConektaAccount,
    conekta_journal: Journal,
    wanted: VoucherRequest,
    method: PaymentMethodType,
    number: str,
    order: str,
) -> None:
    order_id = issue(replace(wanted, method=method))
    post(ORDERS[order](conekta_journal.take()))
    invoice, payment = Invoice.objects.get(), Payment.objects.get()
    assert (invoice.status, invoice.payment_state) == (
        InvoiceStatus.OPEN,
        PaymentState.VOUCHER_WAITING,
    )
    assert (payment.status, payment.invoice) == (PaymentStatus.PENDING, invoice)
    shown = payment.next_action
    assert (shown["type"], shown["method"]) == ("display_voucher", method)
    assert shown[number].isdigit()
    assert (shown["amount_minor"], shown["currency"]) == ("54900", "MXN")
    assert invoice.due_date is not None
    assert invoice.due_date.isoformat() == shown["expires_at"]
    orders.pay(conekta, order_id)
    post(ORDERS[order](conekta_journal.take()))
    invoice, payment = Invoice.objects.get(), Payment.objects.get()
    assert (invoice.status, invoice.amount_paid_minor) == (InvoiceStatus.PAID, 54900)
    assert (payment.status, payment.next_action) == (PaymentStatus.SUCCEEDED, {})
    assert invoice.payment_intent_id == payment.provider_payment_id


@pytest.mark.parametrize("order", ORDERS)
def test_it_expires_and_is_paid_late(
    conekta: ConektaAccount, conekta_journal: Journal, wanted: VoucherRequest, order: str
) -> None:
    order_id = issue(wanted)
    post(ORDERS[order](conekta_journal.take()))
    orders.expire(conekta, order_id)
    post(ORDERS[order](conekta_journal.take()))
    assert Invoice.objects.get().status == InvoiceStatus.VOID
    assert Payment.objects.get().status == PaymentStatus.CANCELED
    drift = StateChange.objects.filter(cause=ChangeCause.DRIFT)
    assert not drift.exists()
    orders.pay(conekta, order_id)
    post(ORDERS[order](conekta_journal.take()))
    assert Invoice.objects.get().status == InvoiceStatus.VOID
    assert Payment.objects.get().status == PaymentStatus.SUCCEEDED
    assert set(drift.values_list("object_type", "code")) == {
        ("invoice", "left_final_state"),
        ("payment", "late_payment"),
    }


@pytest.mark.parametrize("order", ORDERS)
def test_who_pays_two_vouchers_has_paid_twice(
    conekta: ConektaAccount, conekta_journal: Journal, wanted: VoucherRequest, order: str
) -> None:
    order_id = issue(wanted)
    issue(replace(wanted, reference=str(uuid4()), method=SPEI, invoice_id=order_id))
    orders.pay(conekta, order_id, 0)
    orders.pay(conekta, order_id, 1)
    post(ORDERS[order](conekta_journal.take()))
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.amount_paid_minor) == (InvoiceStatus.PAID, 54900)
    statuses = Payment.objects.filter(invoice=invoice).values_list("status", flat=True)
    assert list(statuses) == [PaymentStatus.SUCCEEDED] * 2
    assert StateChange.objects.filter(code="double_payment").count() == 1


def test_an_order_that_waits_is_voided(
    conekta: ConektaAccount, conekta_journal: Journal, wanted: VoucherRequest
) -> None:
    order_id = issue(wanted)
    post(conekta_journal.take())
    assert providers.get("conekta", VoidsInvoices)
    row = invoices.void(Invoice.objects.get())
    assert row.status == InvoiceStatus.VOID
    assert conekta.one(order_id)["payment_status"] == "canceled"
    post(conekta_journal.take())
    assert Payment.objects.get().status == PaymentStatus.CANCELED


@pytest.mark.parametrize("fault", LOST)
def test_a_lost_answer_makes_no_second_charge(
    conekta: ConektaAccount, conekta_journal: Journal, wanted: VoucherRequest, fault: Fault
) -> None:
    """Through the service: Conekta knows no idempotency keys, the charge carries our reference."""
    order_id = issue(wanted)
    post(conekta_journal.take())
    conekta.break_next(fault, "POST", "orders/*/charges")
    with pytest.raises(OutcomeUnknown):
        vouchers.issue(Invoice.objects.get(), SPEI)
    payment = vouchers.issue(Invoice.objects.get(), SPEI)
    charges = conekta.one(order_id)["charges"]["data"]
    assert len(charges) == 2
    assert payment.provider_payment_id in {charge["id"] for charge in charges}
    assert payment.next_action["clabe"].isdecimal()
