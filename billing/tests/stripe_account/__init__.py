"""A Stripe account that answers as Stripe does; one module per subject, each with its `act`."""

from billing.tests.stripe_account import (
    customers,
    events,
    invoices,
    payment_methods,
    plans,
    refunds,
    subscriptions,
)
from billing.tests.stripe_account.account import Account


class StripeAccount(Account):
    acts = (
        customers.act,
        plans.act,
        payment_methods.act,
        subscriptions.act,
        invoices.act,
        events.act,
        refunds.act,
    )


__all__ = ["StripeAccount"]
