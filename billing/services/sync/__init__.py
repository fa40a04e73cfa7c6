"""The only writer of provider-owned state: API answers, webhooks and reconciliation end here."""

from billing.services.sync.kinds import KINDS, NOBODY, Kind
from billing.services.sync.projection import Projected, Snapshot, Verdict, decide, project
from billing.services.sync.upsert import (
    fetch,
    settle,
    upsert_customer,
    upsert_invoice,
    upsert_payment_method,
    upsert_provider_price,
    upsert_subscription,
)

__all__ = [
    "KINDS",
    "NOBODY",
    "Kind",
    "Projected",
    "Snapshot",
    "Verdict",
    "decide",
    "fetch",
    "project",
    "settle",
    "upsert_customer",
    "upsert_invoice",
    "upsert_payment_method",
    "upsert_provider_price",
    "upsert_subscription",
]
