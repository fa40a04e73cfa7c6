"""A Stripe account that answers as Stripe does; one module per subject, each with its `act`."""

from billing.tests.stripe_account import (
    customers,
    events,
    invoices,
    payment_methods,
    plans,
    refunds,
    setup,
    subscriptions,
)
from billing.tests.stripe_account.account import Account


class StripeAccount(Account):
    acts = (
        customers.act,
        plans.act,
        payment_methods.act,
        setup.act,
        subscriptions.act,
        invoices.act,
        events.act,
        refunds.act,
    )

    def confirm_setup(self, setup_id: str, token: str) -> None:
        """The customer types a test number in the browser, see `setup.confirm`."""
        with self.happening():
            setup.confirm(self, setup_id, token)

    def finish_setup(self, setup_id: str) -> None:
        """The customer passes the bank's check, or tells the micro-deposits."""
        with self.happening():
            setup.succeed(self, setup_id)


__all__ = ["StripeAccount"]
