"""What Mexican customers live through, from our REST API to Conekta's side, and how it must end.

Time at Conekta moves for all customers at once: where a journey has renewals, nothing but time
happens in a third round or later.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from billing.tests.accounts.account import JSON
from billing.tests.conekta_account import ConektaAccount, cards, cycles, orders
from billing.tests.integration.journey_world import Owner

Journey = Callable[["MexicanBuyer"], Iterator[None]]
GOOD_CARD, OTHER_CARD = "tok_test_visa_4242", "tok_test_mastercard_4444"


@dataclass(kw_only=True)
class MexicanBuyer(Owner):
    """An organization of ours that buys at Conekta, where names tell them apart."""

    account: ConektaAccount

    @property
    def customer_id(self) -> str:
        (own,) = self.account.all("customer", name=self.name)
        return str(own["id"])

    @property
    def remote(self) -> JSON:
        """The customer's newest subscription at Conekta."""
        return self.account.all("subscription", customer_id=self.customer_id)[0]

    def renew(self) -> None:
        cycles.renew(self.account, self.remote["id"])

    def buy_by(self, method: str) -> str:
        """Order something that is paid by hand within three days; return the order's id."""
        self.add_card(GOOD_CARD)
        until = (self.account.now + timedelta(days=3)).isoformat()
        customer = self.customer_id
        given = {"customer_id": customer, "method": method, "expires_at": until}
        return str(self.staff("issue_voucher", **given))


def by_card(buyer: MexicanBuyer) -> Iterator[None]:
    assert buyer.subscribe(GOOD_CARD)["status"] == "active"
    yield


def renewed(buyer: MexicanBuyer) -> Iterator[None]:
    buyer.subscribe(GOOD_CARD)
    yield
    yield
    buyer.renew()
    yield


def rescued_by_a_new_card(buyer: MexicanBuyer) -> Iterator[None]:
    buyer.subscribe(GOOD_CARD)
    yield
    yield
    cards.refuse(buyer.account, buyer.remote["card_id"])
    buyer.renew()
    yield
    assert buyer.ask("GET", f"/subscriptions/{buyer.subscription}")["status"] == "past_due"
    buyer.add_card(OTHER_CARD)
    yield


def changed(buyer: MexicanBuyer) -> Iterator[None]:
    """What the other plan costs is charged from the next period on."""
    buyer.subscribe(GOOD_CARD)
    yield
    buyer.change(plan="business")
    yield
    buyer.renew()
    yield


def refunded(buyer: MexicanBuyer) -> Iterator[None]:
    """A part first, then the rest."""
    buyer.subscribe(GOOD_CARD)
    yield
    assert buyer.refund(amount_minor=1000) == (201, "succeeded")
    yield
    assert buyer.refund() == (201, "succeeded")
    yield


def paid_at_oxxo(buyer: MexicanBuyer) -> Iterator[None]:
    yield from _paid_by_hand(buyer, "oxxo")


def paid_by_spei(buyer: MexicanBuyer) -> Iterator[None]:
    yield from _paid_by_hand(buyer, "spei")


def _paid_by_hand(buyer: MexicanBuyer, method: str) -> Iterator[None]:
    order = buyer.buy_by(method)
    yield
    (invoice,) = buyer.ask("GET", "/invoices")["results"]
    assert (invoice["status"], invoice["payment_state"]) == ("open", "voucher_waiting")
    orders.pay(buyer.account, order)
    yield


def expired(buyer: MexicanBuyer) -> Iterator[None]:
    order = buyer.buy_by("oxxo")
    yield
    yield
    orders.expire(buyer.account, order)
    yield


def canceled_with_the_period(buyer: MexicanBuyer) -> Iterator[None]:
    """As far as the customer's part goes: the end itself is our worker's."""
    buyer.subscribe(GOOD_CARD)
    yield
    assert buyer.cancel()["cancel_at_period_end"] is True
    yield


def canceled_and_undone(buyer: MexicanBuyer) -> Iterator[None]:
    yield from canceled_with_the_period(buyer)
    assert buyer.change(cancel_at_period_end=False)["cancel_at_period_end"] is False
    yield


def told(account: ConektaAccount, customer_id: str) -> JSON:
    """What Conekta's objects say of a customer in the end, in the shape of `journey_rows.read`."""
    sold = account.all("subscription", customer_id=customer_id)
    charged = account.all("charge", customer_id=customer_id)
    ordered = [account.one(each["order_id"]) for each in charged]
    return {
        "default": account.one(customer_id)["default_payment_source_id"],
        "methods": {
            each["id"]: [each["last4"], True]
            for each in account.all("payment_source", parent_id=customer_id)
        },
        "subscriptions": {each["id"]: _told_subscription(each) for each in sold},
        "invoices": {each["id"]: _told_invoice(each, sold) for each in ordered},
        "payments": {each["id"]: _told_payment(each) for each in charged},
        "refunds": {
            refund["id"]: [each["id"], -refund["amount"], "succeeded"]
            for each in charged
            for refund in each["refunds"]["data"]
        },
    }


def _told_subscription(source: JSON) -> list[Any]:
    return [
        source["status"],
        source["plan_id"],
        1,
        source["billing_cycle_start"],
        source["billing_cycle_end"],
        source["card_id"],
        source["status"] == "canceled",  # a plan of ours that was carried out stays in the row
        source["canceled_at"],
        source["canceled_at"],
    ]


_ORDERS = {"paid": "paid", "refunded": "paid", "expired": "void"}
_CHARGES = {
    "paid": "succeeded",
    "refunded": "succeeded",
    "declined": "failed",
    "expired": "canceled",
}


def _told_invoice(source: JSON, sold: list[JSON]) -> list[Any]:
    """Of a cycle that was not the last only the subscription's beginning is kept."""
    status, start, end = _ORDERS[source["payment_status"]], None, None
    is_cycle = source["processing_mode"] == "recurrent"
    if is_cycle:
        start, end = sold[0]["billing_cycle_start"], sold[0]["billing_cycle_end"]
        if sold[0]["last_billing_cycle_order_id"] != source["id"]:
            start, end = sold[0]["subscription_start"], start
    paid_at = [each["paid_at"] for each in orders.charges(source) if each["paid_at"]]
    return [
        sold[0]["id"] if is_cycle else None,
        status,
        source["amount"],
        0,
        source["amount"] if status == "paid" else 0,
        [source["amount"]],
        start,
        end,
        next(iter(paid_at), None),
        None,
    ]


def _told_payment(source: JSON) -> list[Any]:
    """A charge does not name the card that is kept."""
    status = _CHARGES[source["status"]]
    order = source["order_id"] if status == "succeeded" else None
    return [order, status, source["amount"], ""]


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
_BY_HAND = _ONE_PAID | {"subscriptions": []}
# How each ends, as in `journeys.ENDS`.
ENDS: dict[Journey, JSON] = {
    by_card: _ONE_PAID,
    renewed: _TWO_PAID,
    rescued_by_a_new_card: _TWO_PAID
    | {"payments": ["failed", "succeeded", "succeeded"], "methods": 2},
    changed: _TWO_PAID | {"subscriptions": ["active business x1"]},
    refunded: _ONE_PAID
    | {"invoices": ["paid: refunded"], "payments": ["succeeded, refunded 2999"]},
    paid_at_oxxo: _BY_HAND,
    paid_by_spei: _BY_HAND,
    expired: _BY_HAND | {"invoices": ["void: none"], "payments": ["canceled"]},
}
PLANNED: dict[Journey, JSON] = {
    canceled_with_the_period: _ONE_PAID | {"subscriptions": ["canceled startup x1"]},
    canceled_and_undone: _ONE_PAID,
}
