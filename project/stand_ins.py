"""What the sandbox may do in the place of each provider: plain data from their published APIs.

Conekta has no cancellation at the period's end, no undo and no idempotency keys; Polar takes paid
subscriptions only in its checkout and cards only in its portal.
"""

from typing import Any

_WEBHOOKS_AND_READS = [
    "PaymentProvider",
    "ReceivesWebhooks",
    "ReadsCustomers",
    "ReadsPaymentMethods",
    "ReadsSubscriptions",
    "ReadsInvoices",
    "ReadsPayments",
    "ReadsPlans",
    "PublishesPlans",
    "ManagesCustomers",
    "FindsByReference",
    "ListsRemote",
    "ListsEvents",
    "AdoptsCustomers",
    "Simulates",
]

STAND_INS: dict[str, dict[str, Any]] = {
    "stripe": {
        "name": "Stripe (sandbox)",
        "capabilities": [
            *_WEBHOOKS_AND_READS,
            "ManagesPaymentMethods",
            "SetsUpPaymentMethods",
            "ManagesSubscriptions",
            "ResumesSubscriptions",
            "PausesSubscriptions",
            "PreviewsChanges",
            "AppliesCoupons",
            "CollectsInvoices",
            "RefundsPayments",
            "ReadsDisputes",
            "ListsReturned",
            "VoidsInvoices",
            "WritesOffInvoices",
            "PrintsInvoices",
            "TakesPayments",
            "HostsCheckout",
            "HostsPortal",
            "MetersUsage",
            "RegistersWebhooks",
        ],
        "methods": ["card", "bank_account", "sepa_debit"],
        "method_limits": {
            "bank_account": {"currencies": ["USD"], "countries": ["US"]},
            "sepa_debit": {"currencies": ["EUR"]},
        },
        "currencies": [],
        "countries": [],
        "cancels_at_period_end": True,
        "has_idempotency_keys": True,
        "has_quantities": True,
        "required_profile": ["email"],
    },
    "conekta": {
        "name": "Conekta (sandbox)",
        "capabilities": [
            *_WEBHOOKS_AND_READS,
            "ManagesPaymentMethods",
            "ManagesSubscriptions",
            "CollectsInvoices",
            "VoidsInvoices",
            "TakesPayments",
            "IssuesVouchers",
            "HostsCheckout",
            "HostsPortal",
        ],
        "methods": ["card", "oxxo", "spei"],
        "method_limits": {
            "oxxo": {"currencies": ["MXN"], "countries": ["MX"]},
            "spei": {"currencies": ["MXN"], "countries": ["MX"]},
        },
        "currencies": ["MXN", "USD"],
        "countries": ["MX"],
        "cancels_at_period_end": False,
        "has_idempotency_keys": False,
        "has_quantities": False,
        "required_profile": ["name", "email", "phone"],
    },
    "polar": {
        "name": "Polar (sandbox)",
        "capabilities": [
            *_WEBHOOKS_AND_READS,
            "ResumesSubscriptions",
            "PrintsInvoices",
            "HostsCheckout",
            "HostsPortal",
            "MetersUsage",
        ],
        "methods": ["card"],
        "currencies": [],
        "countries": [],
        "cancels_at_period_end": True,
        "has_idempotency_keys": False,
        "has_quantities": True,
        "required_profile": ["email"],
    },
}
