"""Payment methods, attached and detached."""

from collections.abc import Sequence
from typing import Any

from billing.enums import EventKind
from billing.models import PaymentMethod
from billing.providers.base import ReadsPaymentMethods
from billing.providers.types import PaymentMethodData
from billing.services.sync.kinds.base import (
    NOBODY,
    Kind,
    Relatives,
    customers_of,
)


class PaymentMethodKind(Kind):
    name = EventKind.PAYMENT_METHOD
    model = PaymentMethod
    id_field = "provider_payment_method_id"
    columns = (
        "organization_id", "customer_id", "provider_customer_id", "type", "last4", "brand",
        "exp_month", "exp_year", "billing_address", "is_active",
    )  # fmt: skip
    reader = ReadsPaymentMethods
    read_method = "get_payment_method"

    def relatives(self, provider: str, mode: str, items: Sequence[PaymentMethodData]) -> Relatives:
        return Relatives(customers=customers_of(provider, mode, items))

    def missing_parent(
        self, data: PaymentMethodData, row: Any, relatives: Relatives
    ) -> tuple[EventKind, str]:
        if row or (data.customer_id and data.customer_id in relatives.customers):
            return (EventKind.CUSTOMER, "")
        return (EventKind.CUSTOMER, data.customer_id or NOBODY)

    def values(self, data: PaymentMethodData, row: Any, relatives: Relatives) -> dict[str, Any]:
        owner = relatives.customers.get(data.customer_id or "")
        values: dict[str, Any] = {
            "type": data.type[:40],
            "last4": data.last4[:4],
            "brand": data.brand[:40],
            "exp_month": data.exp_month,
            "exp_year": data.exp_year,
            "is_active": data.is_active and data.customer_id is not None,
        }
        if data.billing_address:
            values["billing_address"] = dict(data.billing_address)
        if owner:
            values |= {
                "organization_id": owner.organization_id,
                "customer_id": owner.pk,
                "provider_customer_id": data.customer_id,
            }
        return values

    def status(self, row: Any) -> str:
        return "attached" if row.is_active else "detached"
