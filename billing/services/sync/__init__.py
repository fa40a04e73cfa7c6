"""The only writer of provider-owned state: API answers, webhooks and reconciliation end here."""

from billing.services.sync.comparison import Comparison, Difference, compare
from billing.services.sync.drift import record_missing, told_refusals
from billing.services.sync.kinds import KINDS, NOBODY, Kind
from billing.services.sync.projection import Projected, Snapshot, Verdict, decide, project
from billing.services.sync.surplus import surplus_of
from billing.services.sync.upsert import (
    fetch,
    settle,
    settle_with_parents,
    upsert_customer,
    upsert_dispute,
    upsert_invoice,
    upsert_payment,
    upsert_payment_method,
    upsert_provider_price,
    upsert_refund,
    upsert_subscription,
)

__all__ = [
    "KINDS",
    "NOBODY",
    "Comparison",
    "Difference",
    "Kind",
    "Projected",
    "Snapshot",
    "Verdict",
    "compare",
    "decide",
    "fetch",
    "project",
    "record_missing",
    "settle",
    "settle_with_parents",
    "surplus_of",
    "told_refusals",
    "upsert_customer",
    "upsert_dispute",
    "upsert_invoice",
    "upsert_payment",
    "upsert_payment_method",
    "upsert_provider_price",
    "upsert_refund",
    "upsert_subscription",
]
