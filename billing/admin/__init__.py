"""Django admin of billing: importing this package registers every model."""

from billing.admin import (
    accounts,
    api_keys,
    customers,
    history,
    invoices,
    operations,
    organizations,
    outbox,
    payment_methods,
    payments,
    plans,
    routing,
    setup_sessions,
    subscriptions,
    sync_runs,
    webhooks,
)

__all__ = [
    "accounts",
    "api_keys",
    "customers",
    "history",
    "invoices",
    "operations",
    "organizations",
    "outbox",
    "payment_methods",
    "payments",
    "plans",
    "routing",
    "setup_sessions",
    "subscriptions",
    "sync_runs",
    "webhooks",
]
