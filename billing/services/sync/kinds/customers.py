"""Remote customers: only those that name a row of ours."""

from collections.abc import Sequence
from typing import Any

from billing import clock
from billing.enums import EventKind
from billing.models import Customer
from billing.providers.base import ReadsCustomers
from billing.providers.types import CustomerData
from billing.services.sync.kinds.base import (
    Kind,
    Relatives,
)


class CustomerKind(Kind):
    name = EventKind.CUSTOMER
    model = Customer
    id_field = "provider_customer_id"
    columns = ("name", "email", "default_payment_method_id", "deleted_at")
    reader = ReadsCustomers
    read_method = "get_customer"

    def relatives(self, provider: str, mode: str, items: Sequence[CustomerData]) -> Relatives:
        return Relatives()

    def missing_parent(
        self, data: CustomerData, row: Any, relatives: Relatives
    ) -> tuple[EventKind, str]:
        """A remote customer that names no row of ours belongs to nobody that we know."""
        return (EventKind.CUSTOMER, "" if row else data.id)

    def values(self, data: CustomerData, row: Any, relatives: Relatives) -> dict[str, Any]:
        if data.is_deleted:
            # A deleted customer may be answered as its id alone: who it was is kept.
            return {"deleted_at": row.deleted_at or clock.now()}
        return {
            "name": data.name[:200],
            "email": data.email[:320],
            "default_payment_method_id": data.default_payment_method_id or "",
            "deleted_at": None,
        }

    def status(self, row: Any) -> str:
        return "deleted" if row.deleted_at else "active"
