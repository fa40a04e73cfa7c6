"""Invoices that are written off, and printed."""

import base64
from datetime import timedelta

import pytest

from billing.enums import EndReason, InvoiceStatus, PaymentStatus, SubscriptionStatus
from billing.errors import InvalidRequest
from billing.providers.sandbox.documents import _pdf
from billing.providers.types import Ref
from billing.testing import key
from billing.tests.providers.sandbox.conftest import Driver


@pytest.mark.parametrize("command", ["void_invoice", "mark_uncollectible"])
def test_a_subscription_that_was_behind_goes_on(driver: Driver, command: str) -> None:
    """The period counts as paid: the next one is billed when it ends, and not before."""
    behind = driver.start("tok_renewal_declined")
    driver.provider.advance_clock(timedelta(days=32))
    assert driver.now(behind).status is SubscriptionStatus.PAST_DUE
    invoice = driver.invoice(behind)
    getattr(driver.provider, command)(Ref(id=invoice.id), idempotency_key=key())
    going_on = driver.now(behind)
    assert going_on.status is SubscriptionStatus.ACTIVE
    assert going_on.current_period_end == invoice.period_end
    driver.provider.advance_clock(timedelta(days=20))
    assert driver.now(behind).latest_invoice_id == invoice.id
    driver.provider.advance_clock(timedelta(days=12))
    assert driver.now(behind).latest_invoice_id != invoice.id


def test_void_is_the_first_invoice_so_it_never_starts(driver: Driver) -> None:
    waiting = driver.start("tok_requires_action")
    invoice = driver.invoice(waiting)
    payment = Ref(id=invoice.payment_id)
    driver.provider.void_invoice(Ref(id=invoice.id), idempotency_key=key())
    ended = driver.now(waiting)
    assert ended.status is SubscriptionStatus.INCOMPLETE_EXPIRED
    assert ended.end_reason is EndReason.PAYMENT_FAILED
    assert driver.provider.get_payment(payment).status is PaymentStatus.CANCELED
    with pytest.raises(InvalidRequest):
        driver.provider.complete_payment(Ref(id=invoice.id))


def test_a_bad_debt_is_taken_back(driver: Driver) -> None:
    ref = Ref(id=driver.invoice(driver.start("tok_requires_action")).id)
    driver.provider.mark_uncollectible(ref, idempotency_key=key())
    void = driver.provider.void_invoice(ref, idempotency_key=key())
    assert void.status is InvoiceStatus.VOID


def test_ending_a_subscription_leaves_its_bad_debts(driver: Driver) -> None:
    waiting = driver.start("tok_requires_action")
    ref = Ref(id=driver.invoice(waiting).id)
    driver.provider.mark_uncollectible(ref, idempotency_key=key())
    driver.provider.cancel_subscription(
        Ref(id=waiting.id), at_period_end=False, idempotency_key=key()
    )
    assert driver.provider.get_invoice(ref).status is InvoiceStatus.UNCOLLECTIBLE


def test_the_pdf_shows_what_is_owed(driver: Driver) -> None:
    invoice = driver.invoice(driver.start(quantity=2))
    url = driver.provider.get_invoice_pdf(Ref(id=invoice.id))
    document = base64.b64decode(url.removeprefix("data:application/pdf;base64,"), validate=True)
    assert document.startswith(b"%PDF-1.4\n")
    assert b"2 x Pro: 598.00 MXN" in document
    assert f"Invoice {invoice.number}".encode() in document


def test_the_pdf_is_well_formed() -> None:
    """Each object begins where the table says; brackets in a name break nothing."""
    document = _pdf(["Plan (old) \\ ñ", "5 €"])
    assert b"(Plan \\(old\\) \\\\ \xf1) Tj" in document
    table = document[int(document.split(b"startxref\n")[1].split()[0]) :]
    offsets = [int(line.split()[0]) for line in table.splitlines()[3:8]]
    assert [document[each:].split()[0] for each in offsets] == [b"1", b"2", b"3", b"4", b"5"]
