"""Lives whose time is their account's, with what payments there leave behind."""

from datetime import datetime, timedelta
from typing import Any

from billing.tests.accounts.account import JSON
from billing.tests.stripe_account.account import Account
from billing.tests.stripe_life import StripeLife

MONTH = timedelta(days=30)


class AccountLife(StripeLife):
    """What happens in it takes no time by itself; a period that begins takes the account there."""

    def __init__(self, account: Account, **values: Any) -> None:
        self._account = account
        super().__init__(started_at=account.now, **values)

    @property
    def now(self) -> datetime:
        return self._account.now

    @now.setter
    def now(self, moment: datetime) -> None:
        self._account.now = max(self._account.now, moment)

    def change(self, price: JSON, quantity: int) -> None:
        """What is sold is another price or quantity from now on. Stripe, `create_prorations`: the
        next invoice credits what is left of the period and bills it anew."""
        left = (self._item["current_period_end"] - self._stamp()) / MONTH.total_seconds()
        before, after = self._amount, price["unit_amount"] * quantity
        for name, amount in (("Unused time", -before), ("Remaining time", after)):
            number = len(self._prorations) + 1
            self._prorations.append(self._proration(round(amount * left), name, number))
        self._amount, self._price_id = after, price["id"]

    def process(self) -> None:
        """The bank is asked for the open invoice, which takes days. Stripe's docs have both: the
        payment is confirmed with that, so the subscription is active meanwhile; and one that is
        incomplete with its payment processing."""
        invoice = self._object("invoice", self.invoice_id)
        invoice |= {"attempted": True, "attempt_count": 1}
        self._intent.update(
            status="processing",
            payment_method=self.payment_method_id,
            latest_charge=self._charge_id,
        )
        self._charge("pending")
        if self._account.serves_while_processing:
            self._subscription["status"] = "active"
        self._subscription["default_payment_method"] = self.payment_method_id

    def bounce(self) -> None:
        """The bank does not pay after all; what was not served until then is over."""
        self._object("charge", self._charge_id)["status"] = "failed"
        self.fail()
        if self._subscription["status"] == "incomplete":
            self.cancel()

    def cancel(self) -> list[Any]:
        """Stripe: where it never started, its open invoice is void with it."""
        told = super().cancel()
        if self._subscription["status"] == "incomplete_expired":
            invoice = self._object("invoice", self.invoice_id)
            invoice |= {"status": "void", "next_payment_attempt": None}
            invoice["status_transitions"]["voided_at"] = self._stamp()
            self._intent.update(status="canceled", canceled_at=self._stamp())
        return told

    def _collect(self) -> list[Any]:
        was_asked = ("charge", self._charge_id) in self.objects
        attempts = self._object("invoice", self.invoice_id)["attempt_count"]
        told = super()._collect()
        if was_asked:
            self._object("charge", self._charge_id)["status"] = "succeeded"
            self._object("invoice", self.invoice_id)["attempt_count"] = attempts
        else:
            self._charge("succeeded")
        return told

    @property
    def _charge_id(self) -> str:
        return self._name("ch", self._invoices)

    def _charge(self, status: str) -> None:
        names = ("amount", "currency", "customer", "payment_method")
        shown = {name: self._intent[name] for name in names}
        made = self._make("charge", self._charge_id, metadata={}, status=status, **shown)
        made |= {"payment_intent": self.payment_id, "paid": status == "succeeded"}
