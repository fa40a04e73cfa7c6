"""Which commands a state allows, and which states are final. Plain Python.

Guards commands only: a provider's snapshot may skip steps, because events get lost or folded
(see services/sync). Source: the state machine of a subscription, docs/architecture.md.
"""

from billing.enums import (
    DisputeStatus,
    InvoiceStatus,
    PaymentStatus,
    RefundStatus,
    SubscriptionStatus,
)
from billing.errors import InvalidTransition

TERMINAL_SUBSCRIPTION = frozenset(
    {SubscriptionStatus.CANCELED, SubscriptionStatus.INCOMPLETE_EXPIRED}
)
TERMINAL_INVOICE = frozenset({InvoiceStatus.PAID, InvoiceStatus.VOID})
# One that was canceled may be paid all the same: a voucher that has run out, at its counter.
TERMINAL_PAYMENT = frozenset({PaymentStatus.SUCCEEDED})
# A refund that succeeded may still be sent back by the customer's bank.
TERMINAL_REFUND = frozenset({RefundStatus.FAILED, RefundStatus.CANCELED})
# For these the bank has the money, for now or for good. An inquiry takes none, and a dispute that
# was decided may be taken up again, so no dispute is ever final.
DISPUTES_THAT_COUNT = frozenset(
    {DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW, DisputeStatus.LOST}
)

_LIVE = frozenset(SubscriptionStatus) - TERMINAL_SUBSCRIPTION
_RENEWING = frozenset({SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING})
_ALLOWED = {
    "cancel": _LIVE,
    "cancel_at_period_end": _RENEWING | {SubscriptionStatus.PAST_DUE, SubscriptionStatus.PAUSED},
    "resume": _RENEWING | {SubscriptionStatus.PAST_DUE, SubscriptionStatus.PAUSED},
    "change": _RENEWING,
    "pause": frozenset({SubscriptionStatus.ACTIVE}),
    "unpause": frozenset({SubscriptionStatus.PAUSED}),
    "retry_payment": frozenset(
        {SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID, SubscriptionStatus.INCOMPLETE}
    ),
}


_INVOICE_ALLOWED = {
    "pay": frozenset({InvoiceStatus.OPEN}),
    "void": frozenset({InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE}),
    "mark_uncollectible": frozenset({InvoiceStatus.OPEN}),
}


def is_terminal(status: str) -> bool:
    """Whether a subscription in `status` has ended for good."""
    return status in TERMINAL_SUBSCRIPTION


def allows(status: str, command: str) -> bool:
    """Whether a subscription in `status` takes `command` (a key of the table above)."""
    return status in _ALLOWED[command]


def ensure(status: str, command: str) -> None:
    """Raise InvalidTransition unless `status` allows `command`."""
    if not allows(status, command):
        raise InvalidTransition(f"a subscription that is {status} does not take {command!r}")


def ensure_invoice(status: str, command: str) -> None:
    """Raise InvalidTransition unless an invoice in `status` allows `command`."""
    if status not in _INVOICE_ALLOWED[command]:
        raise InvalidTransition(f"an invoice that is {status} does not take {command!r}")
