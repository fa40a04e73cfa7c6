"""Writes that move money and whose answers are lost at Stripe's door, after their effect."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from billing.tests.accounts.account import JSON
from billing.tests.integration.journeys import Buyer
from billing.tests.stripe_account import charging


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A request to our API, and the call of it to Stripe whose answer never comes.

    `adds` counts the objects that the whole request makes at Stripe, `is_done` tells whether the
    call whose answer is lost had its effect there.
    """

    # With a key of its own; an answer's status and what it says.
    ask: Callable[[str], tuple[int, Any]]
    method: str
    path: str
    params: dict[str, str] = field(default_factory=dict)
    adds: Counter[str] = field(default_factory=Counter)
    is_done: Callable[[], bool] = lambda: True
    # What our rows know from the answer alone, before any webhook.
    shows: tuple[str, ...] = ("subscriptions", "methods")

    @property
    def place(self) -> str:
        return f"{self.method}/{self.path}"


SALE = Counter(subscription=1, invoice=1, payment_intent=1, charge=1)


def subscribing(buyer: Buyer) -> Loss:
    owner = buyer.customer_of_a_card()
    return _sale(
        buyer,
        "subscriptions",
        {"customer": owner},
        lambda: len(buyer.account.all("subscription", owner)) == 1,
    )


def paying_the_first_invoice(buyer: Buyer) -> Loss:
    buyer.customer_of_a_card()
    (card,) = buyer.account.all("payment_method", buyer.customer_id)
    return _sale(
        buyer,
        "invoices/*/pay",
        {"payment_method": card["id"]},
        lambda: buyer.remote["status"] == "active",
    )


def _sale(buyer: Buyer, path: str, params: dict[str, str], is_done: Callable[[], bool]) -> Loss:
    card = buyer.ask("GET", "/payment-methods")["results"][0]["id"]
    body = {"plan": "startup", "interval": "monthly", "payment_method": card}
    return Loss(
        ask=partial(buyer.call, "POST", "/subscriptions", body),
        method="POST",
        path=path,
        params=params,
        adds=SALE,
        is_done=is_done,
    )


def changing(buyer: Buyer) -> Loss:
    return _write(
        buyer,
        ("PATCH", {"quantity": 3}),
        lambda: buyer.remote["items"]["data"][0]["quantity"] == 3,
    )


def canceling_with_the_period(buyer: Buyer) -> Loss:
    return _write(buyer, ("DELETE", None), lambda: buyer.remote["cancel_at_period_end"] is True)


def canceling_at_once(buyer: Buyer) -> Loss:
    return _write(
        buyer,
        ("DELETE", None),
        lambda: buyer.remote["status"] == "canceled",
        method="DELETE",
        query="?at_period_end=false",
    )


def _write(
    buyer: Buyer,
    request: tuple[str, JSON | None],
    is_done: Callable[[], bool],
    method: str = "POST",
    query: str = "",
) -> Loss:
    """A write on a running subscription."""
    buyer.subscribe("pm_card_visa")
    verb, body = request
    return Loss(
        ask=partial(buyer.call, verb, f"/subscriptions/{buyer.subscription}{query}", body),
        method=method,
        path=f"subscriptions/{buyer.remote_id}",
        is_done=is_done,
    )


def adding_a_card(buyer: Buyer) -> Loss:
    owner = buyer.customer_of_a_card()
    return Loss(
        ask=partial(buyer.call, "POST", "/payment-methods", {"token": "pm_card_mastercard"}),
        method="POST",
        path="payment_methods/pm_card_mastercard/attach",
        params={"customer": owner},
        adds=Counter(payment_method=1),
    )


def paying_what_is_owed(buyer: Buyer) -> Loss:
    """With the new card that replaces a refused one; webhooks tell before what is owed."""
    buyer.subscribe("pm_card_visa")
    charging.refuse(buyer.account, buyer.remote["default_payment_method"])
    charging.renew(buyer.account, buyer.remote_id)
    card = {"token": "pm_card_visa", "is_default": True}
    return Loss(
        ask=partial(buyer.call, "POST", "/payment-methods", card),
        method="POST",
        path=f"invoices/{buyer.remote['latest_invoice']}/pay",
        adds=Counter(payment_method=1, charge=1),
        is_done=lambda: buyer.remote["status"] == "active",
        shows=("invoices", "methods"),
    )


def refunding(buyer: Buyer) -> Loss:
    buyer.subscribe("pm_card_visa")
    (payment,) = buyer.account.all("payment_intent", buyer.customer_id)
    return Loss(
        ask=lambda key: buyer.refund(1000, key),
        method="POST",
        path="refunds",
        params={"payment_intent": payment["id"]},
        adds=Counter(refund=1),
        is_done=lambda: objects_of(buyer)["refund"] == 1,
        shows=("subscriptions", "methods", "refunds"),
    )


LOSSES: tuple[Callable[[Buyer], Loss], ...] = (
    subscribing,
    paying_the_first_invoice,
    changing,
    canceling_with_the_period,
    canceling_at_once,
    adding_a_card,
    paying_what_is_owed,
    refunding,
)


def objects_of(buyer: Buyer) -> Counter[str]:
    """How many objects of each kind the customer has at Stripe."""
    kinds = ("subscription", "invoice", "payment_intent", "charge", "payment_method", "refund")
    return Counter({kind: len(_all(buyer, kind)) for kind in kinds})


def _all(buyer: Buyer, kind: str) -> list[Any]:
    if kind != "refund":
        return buyer.account.all(kind, buyer.customer_id)
    payments = {each["id"] for each in buyer.account.all("payment_intent", buyer.customer_id)}
    return [each for each in buyer.account.all(kind) if each["payment_intent"] in payments]
