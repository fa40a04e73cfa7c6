"""A Conekta account that answers as Conekta does; one module per subject, each with its `act`."""

from billing.tests.conekta_account import (
    checkouts,
    customers,
    endpoints,
    events,
    orders,
    plans,
    refunds,
    subscriptions,
)
from billing.tests.conekta_account.account import Account


class ConektaAccount(Account):
    acts = (
        customers.act,
        plans.act,
        subscriptions.act,
        orders.act,
        refunds.act,
        checkouts.act,
        endpoints.act,
        events.act,
    )


__all__ = ["ConektaAccount"]
