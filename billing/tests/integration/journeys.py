"""What customers live through, from our REST API to Stripe's side, and how it must end.

Time at Stripe moves for all customers at once: nothing but time happens in a third round or later
where a journey has renewals, so that no change falls beside it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from billing.tests.accounts.account import JSON
from billing.tests.integration.journey_world import Owner
from billing.tests.stripe_account import StripeAccount, charging, refunds

Journey = Callable[["Buyer"], Iterator[None]]


@dataclass(kw_only=True)
class Buyer(Owner):
    """An organization of ours that buys at Stripe, where names tell them apart."""

    account: StripeAccount

    def subscribe_with(self, payment_method: str) -> JSON:
        return self._subscribe({"plan": "startup", "payment_method": payment_method}, 201)

    def set_up(self, kind: str, token: str) -> str:
        """Add a payment method in the browser, passing the bank's check where there is one; return
        its id here."""
        session = self.ask("POST", "/setup-sessions", {"methods": [kind]}, 201)
        path, remote = f"/setup-sessions/{session['id']}", self._setup_intent()
        self.account.confirm_setup(remote, token)
        if self.ask("GET", path)["status"] == "requires_action":
            self.account.finish_setup(remote)
        done = self.ask("GET", path)
        assert done["status"] == "succeeded"
        return str(done["payment_method"])

    def _setup_intent(self) -> str:
        return str(self.account.all("setup_intent", self.customer_id)[0]["id"])

    def customer_of_a_card(self) -> str:
        """Add a first card; return the customer's id."""
        self.ask("POST", "/payment-methods", {"token": "pm_card_visa"}, 201)
        return self.customer_id

    @property
    def customer_id(self) -> str:
        own = [each for each in self.account.all("customer") if each.get("name") == self.name]
        assert len(own) == 1, f"{self.name} is {len(own)} customers at Stripe"
        return str(own[0]["id"])

    @property
    def remote(self) -> JSON:
        """The customer's newest subscription at Stripe."""
        return self.account.all("subscription", self.customer_id)[0]

    @property
    def remote_id(self) -> str:
        return str(self.remote["id"])


def by_card(buyer: Buyer) -> Iterator[None]:
    assert buyer.subscribe("pm_card_visa")["status"] == "active"
    yield


def by_sepa(buyer: Buyer) -> Iterator[None]:
    """With the mandate that the customer gives in the browser."""
    yield from _by_debit(buyer, buyer.set_up("sepa_debit", "pm_sepaDebit"))


def by_ach(buyer: Buyer) -> Iterator[None]:
    """From an account that is verified by micro-deposits."""
    yield from _by_debit(buyer, buyer.set_up("bank_account", "pm_usBankAccount"))


def _by_debit(buyer: Buyer, payment_method: str) -> Iterator[None]:
    """Days pass until the bank has paid; the customer is served meanwhile."""
    assert buyer.subscribe_with(payment_method)["status"] == "active"
    yield
    (invoice,) = buyer.ask("GET", "/invoices")["results"]
    assert (invoice["status"], invoice["payment_state"]) == ("open", "processing"), invoice
    yield
    charging.arrive(buyer.account, buyer.remote_id)
    yield


def card_set_up_with_three_d_secure(buyer: Buyer) -> Iterator[None]:
    buyer.set_up("card", "pm_card_authenticationRequired")
    yield


def with_three_d_secure(buyer: Buyer) -> Iterator[None]:
    answer = buyer.subscribe("pm_card_authenticationRequired")
    assert answer["status"] == "incomplete"
    assert answer["next_action"]["type"] == "use_sdk"
    yield
    buyer.account.pay(buyer.remote["latest_invoice"])
    yield


def declined_at_first(buyer: Buyer) -> Iterator[None]:
    answer = buyer.subscribe("pm_card_chargeCustomerFail", status=402)
    assert answer["code"] == "insufficient_funds"
    yield
    assert buyer.subscribe("pm_card_visa")["status"] == "active"
    yield


def renewed(buyer: Buyer) -> Iterator[None]:
    buyer.subscribe("pm_card_visa")
    yield
    yield
    charging.renew(buyer.account, buyer.remote_id)
    yield


def rescued_by_a_new_card(buyer: Buyer) -> Iterator[None]:
    buyer.subscribe("pm_card_visa")
    yield
    yield
    charging.refuse(buyer.account, buyer.remote["default_payment_method"])
    charging.renew(buyer.account, buyer.remote_id)
    yield
    assert buyer.ask("GET", f"/subscriptions/{buyer.subscription}")["status"] == "past_due"
    buyer.add_card("pm_card_visa")
    yield


def given_up(buyer: Buyer) -> Iterator[None]:
    buyer.subscribe("pm_card_visa")
    yield
    yield
    charging.refuse(buyer.account, buyer.remote["default_payment_method"])
    charging.renew(buyer.account, buyer.remote_id)
    yield
    charging.retry(buyer.account, buyer.remote_id)
    charging.give_up(buyer.account, buyer.remote_id)
    yield


def upgraded(buyer: Buyer) -> Iterator[None]:
    buyer.subscribe("pm_card_visa")
    yield
    assert buyer.change(plan="business", quantity=2)["quantity"] == 2
    yield
    charging.renew(buyer.account, buyer.remote_id)
    yield


def downgraded(buyer: Buyer) -> Iterator[None]:
    buyer.subscribe("pm_card_visa", plan="business")
    yield
    buyer.change(plan="startup")
    yield
    charging.renew(buyer.account, buyer.remote_id)
    yield


def canceled_and_undone(buyer: Buyer) -> Iterator[None]:
    buyer.subscribe("pm_card_visa")
    assert buyer.cancel()["cancel_at_period_end"] is True
    yield
    assert buyer.change(cancel_at_period_end=False)["cancel_at_period_end"] is False
    yield
    charging.renew(buyer.account, buyer.remote_id)
    yield


def canceled_with_the_period(buyer: Buyer) -> Iterator[None]:
    buyer.subscribe("pm_card_visa")
    yield
    buyer.cancel()
    yield
    charging.renew(buyer.account, buyer.remote_id)
    yield


def canceled_at_once(buyer: Buyer) -> Iterator[None]:
    buyer.subscribe("pm_card_visa")
    yield
    assert buyer.cancel(at_period_end=False)["status"] == "canceled"
    yield


def refunded_by_staff(buyer: Buyer) -> Iterator[None]:
    """A part first, then the rest."""
    buyer.subscribe("pm_card_visa")
    yield
    assert buyer.refund(amount_minor=1000) == (201, "succeeded")
    yield
    assert buyer.refund() == (201, "succeeded")
    yield


def refunded_in_the_dashboard(buyer: Buyer) -> Iterator[None]:
    """At Stripe, by the merchant; the money comes back, for the card is gone by then."""
    buyer.subscribe("pm_card_visa")
    yield
    (payment,) = buyer.account.all("payment_intent", buyer.customer_id)
    refund = refunds.refund_in_dashboard(buyer.account, payment["id"], 2000)
    refunds.refund_in_dashboard(buyer.account, payment["id"], 500)
    yield
    refunds.send_back(buyer.account, refund)
    yield


def told(account: StripeAccount, customer_id: str) -> JSON:
    """What Stripe's objects say of a customer in the end, in the shape of `journey_rows.read`."""
    links = account.all("invoice_payment")
    invoice_of = {each["payment"]["payment_intent"]: each["invoice"] for each in links}
    return {
        "default": account.one(customer_id)["invoice_settings"]["default_payment_method"],
        "methods": {
            each["id"]: [each[each["type"]]["last4"], each["customer"] is not None]
            for each in account.all("payment_method", customer_id)
        },
        "subscriptions": {
            each["id"]: _told_subscription(each)
            for each in account.all("subscription", customer_id)
        },
        "invoices": {
            each["id"]: _told_invoice(each) for each in account.all("invoice", customer_id)
        },
        "payments": {
            each["id"]: [
                invoice_of[each["id"]] if each["status"] == "succeeded" else None,
                "failed"
                if each["last_payment_error"] and not each["canceled_at"]
                else each["status"],
                each["amount"],
                each["payment_method"] or "",
            ]
            for each in account.all("payment_intent", customer_id)
        },
        "refunds": {
            each["id"]: [each["payment_intent"], each["amount"], each["status"]]
            for each in account.all("refund")
            if account.one(each["payment_intent"])["customer"] == customer_id
        },
    }


def _told_subscription(source: JSON) -> list[Any]:
    item = source["items"]["data"][0]
    return [
        source["status"],
        item["price"]["id"],
        item["quantity"],
        item["current_period_start"],
        item["current_period_end"],
        source["default_payment_method"] or "",
        source["cancel_at_period_end"],
        source["canceled_at"],
        source["ended_at"],
    ]


def _told_invoice(source: JSON) -> list[Any]:
    lines = source["lines"]["data"]
    period = lines[-1]["period"]  # what the period costs comes after what the last one left
    return [
        source["parent"]["subscription_details"]["subscription"],
        source["status"],
        source["total"],
        source["amount_remaining"],
        source["amount_paid"],
        [line["amount"] for line in lines],
        period["start"],
        period["end"],
        source["status_transitions"]["paid_at"],
        source["next_payment_attempt"],
    ]


_ONE_PAID = {
    "subscriptions": ["active startup x1"],
    "invoices": ["paid: paid"],
    "payments": ["succeeded"],
    "methods": 1,
}
_TWO_PAID = _ONE_PAID | {
    "invoices": ["paid: paid", "paid: paid"],
    "payments": ["succeeded", "succeeded"],
}
# How each ends: subscriptions as status, plan and quantity; invoices with the state of their
# payment; payments, with what was refunded; how many payment methods are attached.
ENDS: dict[Journey, JSON] = {
    by_card: _ONE_PAID,
    by_sepa: _ONE_PAID,
    by_ach: _ONE_PAID,
    with_three_d_secure: _ONE_PAID,
    card_set_up_with_three_d_secure: {
        "subscriptions": [],
        "invoices": [],
        "payments": [],
        "methods": 1,
    },
    declined_at_first: {
        "subscriptions": ["active startup x1", "incomplete_expired startup x1"],
        "invoices": ["paid: paid", "void: none"],
        "payments": ["canceled", "succeeded"],
        "methods": 2,
    },
    renewed: _TWO_PAID,
    rescued_by_a_new_card: _TWO_PAID | {"methods": 2},
    given_up: {
        "subscriptions": ["canceled startup x1"],
        "invoices": ["open: failed", "paid: paid"],
        "payments": ["failed", "succeeded"],
        "methods": 1,
    },
    upgraded: _TWO_PAID | {"subscriptions": ["active business x2"]},
    downgraded: _TWO_PAID,
    canceled_and_undone: _TWO_PAID,
    canceled_with_the_period: _ONE_PAID | {"subscriptions": ["canceled startup x1"]},
    canceled_at_once: _ONE_PAID | {"subscriptions": ["canceled startup x1"]},
    refunded_by_staff: _ONE_PAID
    | {"invoices": ["paid: refunded"], "payments": ["succeeded, refunded 2999"]},
    refunded_in_the_dashboard: _ONE_PAID
    | {"invoices": ["paid: partially_refunded"], "payments": ["succeeded, refunded 500"]},
}
