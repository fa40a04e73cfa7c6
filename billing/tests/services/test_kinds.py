"""Which parent a snapshot must have before it is written."""

from datetime import UTC, datetime

import pytest

from billing.enums import EventKind, InvoiceStatus, PaymentStatus, SubscriptionStatus
from billing.providers.types import InvoiceData, ObjectData, PaymentData, SubscriptionData
from billing.services.sync import KINDS, NOBODY
from billing.services.sync.kinds import Relatives

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (
            "subscription",
            SubscriptionData(
                id="s",
                customer_id="",
                status=SubscriptionStatus.ACTIVE,
                provider_status="active",
                as_of=NOW,
                raw={},
            ),
        ),
        (
            "invoice",
            InvoiceData(
                id="i",
                customer_id="",
                status=InvoiceStatus.OPEN,
                provider_status="open",
                currency="USD",
                subtotal_minor=1,
                total_minor=1,
                amount_due_minor=1,
                as_of=NOW,
                raw={},
            ),
        ),
        (
            "payment",
            PaymentData(
                id="p",
                customer_id="",
                amount_minor=1,
                currency="USD",
                status=PaymentStatus.SUCCEEDED,
                provider_status="succeeded",
                as_of=NOW,
                raw={},
            ),
        ),
    ],
)
def test_what_belongs_to_no_customer_waits_for_nobody(kind: str, data: ObjectData) -> None:
    assert KINDS[kind].missing_parent(data, None, Relatives()) == (EventKind.CUSTOMER, NOBODY)
