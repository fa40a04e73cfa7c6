"""A Stripe account that answers as Stripe does; one module per subject, each with its `act`."""

from typing import Any

from billing.tests.stripe_account import (
    checkouts,
    coupons,
    customers,
    endpoints,
    events,
    invoices,
    meters,
    pausing,
    payment_methods,
    payments,
    plans,
    previews,
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
        coupons.act,
        pausing.act,
        previews.act,
        subscriptions.act,
        invoices.act,
        events.act,
        refunds.act,
        payments.act,
        checkouts.act,
        meters.act,
        endpoints.act,
    )

    def confirm_setup(self, setup_id: str, token: str) -> None:
        """The customer types a test number in the browser, see `setup.confirm`."""
        with self.happening():
            setup.confirm(self, setup_id, token)

    def complete_checkout(self, checkout_id: str, token: str = "pm_card_visa") -> None:
        """The customer types a test number on Stripe's page, see `checkouts.complete`."""
        with self.happening():
            checkouts.complete(self, checkout_id, token)

    def authenticate(self, payment_id: str) -> None:
        """The customer confirms a single charge at the bank."""
        with self.happening():
            payments.authenticate(self, payment_id)

    def finish_setup(self, setup_id: str) -> None:
        """The customer passes the bank's check, or tells the micro-deposits."""
        with self.happening():
            setup.succeed(self, setup_id)

    def add_coupon(self, remote_id: str, **values: Any) -> None:
        """The merchant makes a coupon: 20 % off, unless `percent_off` says otherwise."""
        coupons.add_coupon(self, id=remote_id, **values)

    def add_promotion(self, code: str, **values: Any) -> str:
        """The merchant makes a promotion code, with a coupon of its own; return its id."""
        coupon = coupons.add_coupon(self)
        return str(coupons.add_promotion(self, code, coupon, **values)["id"])


__all__ = ["StripeAccount"]
