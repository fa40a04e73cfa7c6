"""Do our types hold what Conekta and Polar publish? Mapped here once, by hand and purely, before
the interface is called stable, until their own adapters do it for good: of Conekta only orders are
left."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from billing.enums import (
    EventKind,
    InvoiceStatus,
    PaymentState,
    PaymentStatus,
    SubscriptionStatus,
)
from billing.providers.types import (
    InvoiceData,
    LineData,
    PaymentData,
    ProviderEvent,
    SubscriptionData,
)
from billing.testing import check_data

FIXTURES = Path(__file__).parents[1] / "fixtures"
AS_OF = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
POLAR_STATUSES = {status.value: status for status in SubscriptionStatus}


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text())
    return found


def unix(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def iso(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def certain(moment: datetime | None) -> datetime:
    assert moment is not None
    return moment


def conekta_order(source: dict[str, Any]) -> InvoiceData:
    """Conekta has no invoices: the order of a cycle is one."""
    charge = source["charges"]["data"][0]
    is_paid = source["payment_status"] == "paid"
    paid = source["amount"] - source["amount_refunded"] if is_paid else 0
    lines = source["line_items"]["data"]
    return InvoiceData(
        id=source["id"],
        customer_id=source["customer_info"]["customer_id"],
        status=InvoiceStatus.PAID if is_paid else InvoiceStatus.OPEN,
        provider_status=source["payment_status"],
        currency=source["currency"],
        subtotal_minor=sum(line["unit_price"] * line["quantity"] for line in lines),
        total_minor=source["amount"],
        amount_due_minor=0 if is_paid else source["amount"],
        as_of=certain(unix(source["updated_at"])),
        amount_paid_minor=paid,
        payment_state=PaymentState.PAID if is_paid else None,
        payment_id=charge["id"],
        paid_at=unix(charge["paid_at"]),
        lines=tuple(
            LineData(
                description=line["name"],
                amount_minor=line["unit_price"] * line["quantity"],
                quantity=line["quantity"],
            )
            for line in lines
        ),
        reference=source["metadata"].get("cobro_reference"),
        raw=source,
    )


def conekta_charge(source: dict[str, Any]) -> PaymentData:
    return PaymentData(
        id=source["id"],
        customer_id=source["customer_id"],
        amount_minor=source["amount"],
        currency=source["currency"],
        status=PaymentStatus.SUCCEEDED if source["status"] == "paid" else None,
        provider_status=source["status"],
        as_of=AS_OF,
        invoice_id=source["order_id"],
        paid_at=unix(source["paid_at"]),
        raw=source,
    )


def polar_subscription(source: dict[str, Any]) -> SubscriptionData:
    """Polar's own stamp is on the object: `modified_at`."""
    status = POLAR_STATUSES.get(source["status"])
    return SubscriptionData(
        id=source["id"],
        customer_id=source["customer_id"],
        status=status,
        provider_status=source["status"],
        as_of=certain(iso(source["modified_at"] or source["created_at"])),
        price_id=source["product_id"],
        quantity=source["seats"] or 1,
        current_period_start=iso(source["current_period_start"]),
        current_period_end=iso(source["current_period_end"]),
        trial_start=iso(source["trial_start"]),
        trial_end=iso(source["trial_end"]),
        cancel_at_period_end=source["cancel_at_period_end"],
        cancel_at=iso(source["ends_at"]),
        canceled_at=iso(source["canceled_at"]),
        ended_at=iso(source["ended_at"]),
        resumes_at=iso(source["resumes_at"]),
        reference=source["metadata"].get("cobro_reference"),
        raw=source,
    )


def polar_order(source: dict[str, Any]) -> InvoiceData:
    is_paid = source["paid"]
    return InvoiceData(
        id=source["id"],
        customer_id=source["customer_id"],
        status=InvoiceStatus.PAID if is_paid else InvoiceStatus.OPEN,
        provider_status=source["status"],
        currency=source["currency"].upper(),
        subtotal_minor=source["subtotal_amount"],
        total_minor=source["total_amount"],
        amount_due_minor=source["due_amount"],
        as_of=certain(iso(source["modified_at"] or source["created_at"])),
        amount_paid_minor=source["total_amount"] if is_paid else 0,
        discount_minor=source["discount_amount"],
        tax_minor=source["tax_amount"],
        subscription_id=source["subscription_id"],
        number=source["invoice_number"],
        payment_state=PaymentState.PAID if is_paid else None,
        period_start=iso(source["subscription"]["current_period_start"]),
        period_end=iso(source["subscription"]["current_period_end"]),
        next_attempt_at=iso(source["next_payment_attempt_at"]),
        lines=tuple(
            LineData(description=item["label"], amount_minor=item["amount"])
            for item in source["items"]
        ),
        reference=source["metadata"].get("cobro_reference"),
        raw=source,
    )


def polar_event(body: dict[str, Any], headers: dict[str, str]) -> ProviderEvent:
    source = body["data"]
    return ProviderEvent(
        id=headers["webhook-id"],
        type=body["type"],
        occurred_at=certain(iso(body["timestamp"])),
        mode="test",
        kind=EventKind.SUBSCRIPTION,
        object_id=source["id"],
        customer_id=source["customer_id"],
        parent_id=source["customer_id"],
    )


class TestConekta:
    def test_an_order_is_an_invoice_and_its_charge_a_payment(self) -> None:
        source = load("conekta/order")
        invoice = conekta_order(source)
        payment = conekta_charge(source["charges"]["data"][0])
        check_data(invoice)
        check_data(payment)
        assert (invoice.total_minor, invoice.currency) == (21605, "MXN")
        assert invoice.payment_id == payment.id
        assert payment.invoice_id == invoice.id
        assert invoice.subscription_id is None


class TestPolar:
    def test_a_subscription_that_ends_with_its_period(self) -> None:
        data = polar_subscription(load("polar/subscription"))
        check_data(data)
        assert data.status is SubscriptionStatus.ACTIVE
        assert data.cancel_at_period_end
        assert data.cancel_at == data.current_period_end
        assert data.as_of == datetime(2026, 1, 20, 8, 30, 0, 123456, UTC)
        assert data.reference == "0b7f6d52-6a1e-4f8e-9a0e-5f2f4c1d2e3a"

    def test_an_order_with_tax_and_discount(self) -> None:
        data = polar_order(load("polar/order"))
        check_data(data)
        assert data.subtotal_minor - data.discount_minor + data.tax_minor == data.total_minor
        assert (data.status, data.amount_due_minor) == (InvoiceStatus.PAID, 0)
        assert data.payment_id is None

    def test_an_events_id_is_in_its_header(self) -> None:
        data = load("polar/subscription")
        body = {"type": "subscription.updated", "timestamp": "2026-01-20T08:30:00Z", "data": data}
        event = polar_event(body, {"webhook-id": "2f1d5a5e-8f0e-4a52-8a7e-1b2c3d4e5f60"})
        check_data(event)
        assert "id" not in body
        assert event.id == "2f1d5a5e-8f0e-4a52-8a7e-1b2c3d4e5f60"

    @pytest.mark.parametrize("status", list(SubscriptionStatus))
    def test_every_status_is_one_of_ours(self, status: SubscriptionStatus) -> None:
        data = polar_subscription(load("polar/subscription") | {"status": status.value})
        assert data.status is status
