"""One customer's life at Stripe: published example objects, told as one consistent story.

    life = StripeLife(customer_reference=str(customer.id), subscription_reference=str(row.id))
    for event in [*life.sign_up(), *life.subscribe(), *life.pay(), *life.renew(), *life.cancel()]:
        post(event.body, {"Stripe-Signature": sign(event.body, SECRET)})

Every step returns its events in Stripe's order and leaves the objects as they are afterwards, so
that `life.serve(mock)` answers the GETs of that moment. Key sets are those that Stripe publishes.
"""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import responses
import stripe

from billing.tests import stripe_versions

API_VERSION = stripe_versions.PINNED
API_BASE = "https://api.stripe.com"
STORIES = {
    "recovered": "sign_up subscribe fail pay renew schedule_cancel",
    "past due": "sign_up subscribe pay start_renewal fail",
    "over": "sign_up subscribe pay renew cancel",
    "gone": "sign_up subscribe pay cancel detach delete_customer",
    "refunded": "sign_up subscribe pay refund_part renew refund_part refund_rest",
    "sent back": "sign_up subscribe pay refund_part refund_rest send_back",
    "charged back": "sign_up subscribe pay dispute win renew refund_part dispute lose",
}
STEPS = STORIES | {
    "upgraded": "sign_up subscribe pay renew upgrade start_renewal fail pay schedule_cancel cancel",
}
_FOLDER = Path(__file__).parent / "fixtures" / "stripe"
_MONTH = timedelta(days=30)
_PATHS = {
    "customer": "customers",
    "payment_method": "payment_methods",
    "subscription": "subscriptions",
    "invoice": "invoices",
    "payment_intent": "payment_intents",
    "invoice_payment": "invoice_payments",
    "refund": "refunds",
    "dispute": "disputes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeEvent:
    """One delivery: `body` is what Stripe posts, `object` the copy of the object in it."""

    id: str
    type: str
    occurred_at: datetime
    object: dict[str, Any]
    body: bytes


def published(name: str) -> dict[str, Any]:
    """Return Stripe's own example of a resource."""
    found: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text())
    return found


def sign(body: bytes, secret: str, at: datetime | None = None) -> str:
    """Return the Stripe-Signature header for `body`, made by the official SDK. Default: now."""
    moment = int((at or datetime.now(UTC)).timestamp())
    header: str = stripe.WebhookSignature.generate_signature_header(
        body.decode(), secret, timestamp=moment
    )
    return header


def live(stories: Sequence[tuple[str, str]], references: Sequence[str]) -> list["StripeLife"]:
    """Lives of customers of ours; in every other one a payment's events share one second."""
    lives = []
    for (story, version), reference in zip(stories, references, strict=True):
        number = len(lives) + 1
        life = StripeLife(
            customer_reference=reference,
            number=number,
            pay_seconds=2 * (number % 2),
            api_version=version,
        )
        for step in STEPS[story].split():
            getattr(life, step)()
        lives.append(life)
    return lives


class StripeLife:
    """`number` tells lives apart. With `pay_seconds=0` a payment's events share one second.

    `objects` are those of the pinned version; `api_version` is the one that events are rendered in.
    """

    def __init__(
        self,
        *,
        customer_reference: str = "",
        subscription_reference: str = "",
        started_at: datetime = datetime(2026, 11, 2, 9, 30, tzinfo=UTC),
        price_id: str = "price_pro_monthly",
        amount_minor: int = 2990,
        currency: str = "usd",
        livemode: bool = False,
        number: int = 1,
        pay_seconds: int = 2,
        api_version: str = API_VERSION,
    ) -> None:
        self.now = started_at
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.events: list[LifeEvent] = []
        self._references = (customer_reference, subscription_reference)
        self._price_id, self._amount, self._currency = price_id, amount_minor, currency
        self._livemode, self._number = livemode, number
        self._pay_seconds, self._api_version = pay_seconds, api_version
        self._invoices = self._refunds = self._disputes = 0
        self._prorations: list[dict[str, Any]] = []
        self.customer_id = self._name("cus")
        self.payment_method_id = self._name("pm")
        self.subscription_id = self._name("sub")
        self.item_id = self._name("si")

    # the ids of the invoice and the payment that were made last

    @property
    def invoice_id(self) -> str:
        return self._name("in", self._invoices)

    @property
    def payment_id(self) -> str:
        return self._name("pi", self._invoices)

    # steps

    def sign_up(self) -> list[LifeEvent]:
        """The customer is created, a card attached and made the default."""
        customer = self._make("customer", self.customer_id, metadata=self._metadata(0))
        customer |= {"email": "ana@example.com", "name": "Ana", "discount": None}
        customer["currency"] = None
        first = self.event("customer.created", customer)
        self._pass(1)
        method = self._make("payment_method", self.payment_method_id, metadata={})
        method |= {"customer": self.customer_id}
        method["card"] |= {"generated_from": None, "wallet": None}
        second = self.event("payment_method.attached", method)
        before = copy.deepcopy(customer["invoice_settings"])
        customer["invoice_settings"]["default_payment_method"] = self.payment_method_id
        third = self.event("customer.updated", customer, {"invoice_settings": before})
        return [first, second, third]

    def subscribe(self) -> list[LifeEvent]:
        """The subscription starts incomplete, with its first invoice open and a payment waiting."""
        self._pass(60)
        self._make_subscription()
        invoice, intent = self._bill("subscription_create", self.now, self.now + _MONTH)
        self._subscription["latest_invoice"] = invoice["id"]
        self._open(invoice)
        return [
            self.event("customer.subscription.created", self._subscription),
            self.event("invoice.created", invoice),
            self.event("invoice.finalized", invoice),
            self.event("payment_intent.created", intent),
        ]

    def pay(self) -> list[LifeEvent]:
        """The open invoice is paid; the subscription becomes active and keeps the card."""
        self._pass(self._pay_seconds)
        names = ("status", "default_payment_method")
        previous = {name: self._subscription[name] for name in names}
        events = self._collect()
        self._subscription["status"] = "active"
        self._subscription["default_payment_method"] = self.payment_method_id
        return [
            *events,
            self.event("customer.subscription.updated", self._subscription, previous),
        ]

    def start_renewal(self) -> list[LifeEvent]:
        """The next period begins: its invoice is drafted and, an hour later, finalized."""
        start = datetime.fromtimestamp(self._item["current_period_end"], UTC)
        self.now = start
        previous = {"latest_invoice": self._subscription["latest_invoice"]}
        invoice, intent = self._bill("subscription_cycle", start, start + _MONTH)
        self._set_period(start, start + _MONTH)
        self._subscription["latest_invoice"] = invoice["id"]
        updated = self.event("customer.subscription.updated", self._subscription, previous)
        created = self.event("invoice.created", invoice)
        self._pass(3600)
        self._open(invoice)
        invoice["auto_advance"] = True
        finalized = self.event("invoice.finalized", invoice, None)
        return [updated, created, finalized, self.event("payment_intent.created", intent)]

    def renew(self) -> list[LifeEvent]:
        """A month later the next period is billed and paid."""
        started = self.start_renewal()
        self._pass(self._pay_seconds)
        return [*started, *self._collect()]

    def upgrade(
        self, price_id: str = "price_team_monthly", amount_minor: int = 5990
    ) -> list[LifeEvent]:
        """Ten days on another price is chosen; the next invoice credits the rest of this one and
        charges the rest of that one."""
        self._pass(10 * 86400)
        previous = {"items": copy.deepcopy(self._subscription["items"])}
        self._prorations = [
            self._proration(-self._amount * 2 // 3, "Unused time on Pro", 1),
            self._proration(amount_minor * 2 // 3, "Remaining time on Team", 2),
        ]
        self._price_id, self._amount = price_id, amount_minor
        self._item["price"] = self._price()
        self._item["plan"] |= {"id": price_id, "amount": amount_minor}
        return [self.event("customer.subscription.updated", self._subscription, previous)]

    def fail(self) -> list[LifeEvent]:
        """The open invoice is declined; an active subscription becomes past due."""
        self._pass(self._pay_seconds)
        invoice, intent = self._object("invoice", self.invoice_id), self._intent
        error = {"type": "card_error", "code": "card_declined", "message": "Declined."}
        intent |= {
            "status": "requires_payment_method",
            "payment_method": None,
            "last_payment_error": {**error, "decline_code": "insufficient_funds"},
        }
        invoice["attempt_count"] += 1
        invoice |= {"attempted": True, "next_payment_attempt": self._stamp() + 3 * 86400}
        events = [
            self.event("payment_intent.payment_failed", intent),
            self.event("invoice.payment_failed", invoice),
        ]
        if self._subscription["status"] == "active":
            self._subscription["status"] = "past_due"
            previous = {"status": "active"}
            events.append(self.event("customer.subscription.updated", self._subscription, previous))
        return events

    def schedule_cancel(self) -> list[LifeEvent]:
        """The customer cancels for the end of the period."""
        self._pass(86400)
        self._subscription.update(
            cancel_at_period_end=True,
            cancel_at=self._item["current_period_end"],
            canceled_at=self._stamp(),
        )
        self._subscription["cancellation_details"]["reason"] = "cancellation_requested"
        previous = {"cancel_at_period_end": False, "cancel_at": None, "canceled_at": None}
        return [self.event("customer.subscription.updated", self._subscription, previous)]

    def pause(self) -> list[LifeEvent]:
        """The subscription is paused: its period ends now and no other begins."""
        self._pass(86400)
        previous = {"status": self._subscription["status"]}
        self._subscription["status"] = "paused"
        self._item["current_period_end"] = self._stamp()
        return [
            self.event("customer.subscription.paused", self._subscription),
            self.event("customer.subscription.updated", self._subscription, previous),
        ]

    def start_resumption(self) -> list[LifeEvent]:
        """A new period begins and is billed; the subscription is paused until that is paid."""
        self._pass(86400)
        previous = {"latest_invoice": self._subscription["latest_invoice"]}
        invoice, intent = self._bill("subscription_update", self.now, self.now + _MONTH)
        self._set_period(self.now, self.now + _MONTH)
        self._subscription["latest_invoice"] = invoice["id"]
        invoice["status"] = "open"
        return [
            self.event("customer.subscription.updated", self._subscription, previous),
            self.event("invoice.created", invoice),
            self.event("invoice.finalized", invoice),
            self.event("payment_intent.created", intent),
        ]

    def resume(self) -> list[LifeEvent]:
        """The paused subscription goes on."""
        events = [*self.start_resumption(), *self.pay()]
        return [*events, self.event("customer.subscription.resumed", self._subscription)]

    def cancel(self) -> list[LifeEvent]:
        """The subscription ends now. Stripe: one that never started is incomplete_expired, and
        no `deleted` is sent of it."""
        self._pass(86400)
        has_started = self._subscription["status"] != "incomplete"
        status = "canceled" if has_started else "incomplete_expired"
        self._subscription.update(status=status, ended_at=self._stamp())
        self._subscription["canceled_at"] = self._subscription["canceled_at"] or self._stamp()
        self._subscription["cancellation_details"]["reason"] = "cancellation_requested"
        end = "deleted" if has_started else "updated"
        return [self.event(f"customer.subscription.{end}", self._subscription)]

    def detach(self) -> list[LifeEvent]:
        """The card is taken off the customer."""
        self._pass(86400)
        method = self._object("payment_method", self.payment_method_id)
        method["customer"] = None
        previous = {"customer": self.customer_id}
        return [self.event("payment_method.detached", method, previous)]

    def delete_customer(self) -> list[LifeEvent]:
        """The customer is deleted: the event still holds it whole, a GET answers `deleted`."""
        self._pass(86400)
        customer = self._object("customer", self.customer_id)
        event = self.event("customer.deleted", customer)
        gone = {"id": self.customer_id, "object": "customer", "deleted": True}
        self.objects["customer", self.customer_id] = gone
        return [event]

    def refund_part(self) -> list[LifeEvent]:
        """A third of the last payment is sent back to the customer."""
        return self._refund(self._intent["amount"] // 3)

    def refund_rest(self) -> list[LifeEvent]:
        """All that is left of the last payment is sent back."""
        made = [each for each in self._all("refund") if each["payment_intent"] == self.payment_id]
        return self._refund(self._intent["amount"] - sum(each["amount"] for each in made))

    def send_back(self) -> list[LifeEvent]:
        """The customer's bank does not take the last refund, days after it succeeded."""
        self._pass(86400)
        refund = self._object("refund", self._name("re", self._refunds))
        refund |= {"status": "failed", "failure_reason": "expired_or_canceled_card"}
        previous = {"status": "succeeded"}
        events = ("refund.updated", "refund.failed", "charge.refund.updated")
        return [self.event(each, refund, previous) for each in events]

    def dispute(self) -> list[LifeEvent]:
        """The customer's bank takes the last payment back."""
        self._pass(86400)
        self._disputes += 1
        found = self._make("dispute", self._name("dp", self._disputes), metadata={})
        found |= {"amount": self._intent["amount"], "currency": self._currency}
        found |= {"reason": "fraudulent"}
        found |= {"charge": self._intent["latest_charge"], "payment_intent": self.payment_id}
        found |= {"status": "needs_response", "is_charge_refundable": False}
        events = ("charge.dispute.created", "charge.dispute.funds_withdrawn")
        return [self.event(each, found) for each in events]

    def win(self) -> list[LifeEvent]:
        """The last dispute is decided for us: the money comes back."""
        return self._decide("won", "charge.dispute.funds_reinstated")

    def lose(self) -> list[LifeEvent]:
        """The last dispute is decided against us."""
        return self._decide("lost")

    def whole(self) -> list[LifeEvent]:
        """From sign-up over one renewal to the end."""
        return [*self.sign_up(), *self.subscribe(), *self.pay(), *self.renew(), *self.cancel()]

    # what the API answers now

    def serve(
        self,
        mock: responses.RequestsMock,
        *,
        api_base: str = API_BASE,
        date: datetime | None = None,
    ) -> None:
        """Answer a GET of every object as it is now and of the lists of invoices and methods.

        `Date` is `date` or the life's own time; that is where the provider's `as_of` comes from.
        """
        headers = {"Date": format_datetime(date or self.now, usegmt=True)}
        for (kind, remote_id), found in self.objects.items():
            url = f"{api_base}/v1/{_PATHS[kind]}/{remote_id}"
            mock.get(url, json=self._expanded(kind, found), headers=headers)
        methods = [each for each in self._all("payment_method") if each["customer"]]
        path = f"/v1/customers/{self.customer_id}/payment_methods"
        mock.get(f"{api_base}{path}", json=_page(path, methods), headers=headers)
        invoices = _page("/v1/invoices", self._all("invoice"))
        mock.get(f"{api_base}/v1/invoices", json=invoices, headers=headers)

    def api_objects(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return copies of all objects as a GET answers them now, by (object, id)."""
        return {key: self._expanded(key[0], found) for key, found in self.objects.items()}

    def _expanded(self, kind: str, found: dict[str, Any]) -> dict[str, Any]:
        answer = copy.deepcopy(found)
        if kind == "invoice":
            links = self._all("invoice_payment")
            payments = [each for each in links if each["invoice"] == found["id"]]
            url = f"/v1/invoice_payments?invoice={found['id']}"
            answer["payments"] = _page(url, payments)
        if kind == "payment_intent" and found["latest_charge"]:
            answer["latest_charge"] = stripe_versions.charge_of(found, self.objects)
        return answer

    def _all(self, kind: str) -> list[dict[str, Any]]:
        """Copies of the objects of a kind, newest first as Stripe lists them."""
        found = [copy.deepcopy(each) for key, each in self.objects.items() if key[0] == kind]
        return found[::-1]

    # making objects

    @property
    def _subscription(self) -> dict[str, Any]:
        return self._object("subscription", self.subscription_id)

    @property
    def _item(self) -> dict[str, Any]:
        item: dict[str, Any] = self._subscription["items"]["data"][0]
        return item

    @property
    def _intent(self) -> dict[str, Any]:
        return self._object("payment_intent", self.payment_id)

    def _object(self, kind: str, remote_id: str) -> dict[str, Any]:
        return self.objects[kind, remote_id]

    def _name(self, prefix: str, count: int = 0) -> str:
        return f"{prefix}_life{self._number}" + (f"x{count}" if count else "")

    def _stamp(self) -> int:
        return int(self.now.timestamp())

    def _pass(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    def _metadata(self, index: int) -> dict[str, str]:
        reference = self._references[index]
        return {"cobro_reference": reference} if reference else {}

    def _make(self, kind: str, remote_id: str, **values: Any) -> dict[str, Any]:
        found = published(kind)
        found |= {"id": remote_id, "created": self._stamp(), "livemode": self._livemode, **values}
        self.objects[kind, remote_id] = found
        return found

    def _price(self) -> dict[str, Any]:
        price = published("price")
        price |= {"id": self._price_id, "currency": self._currency, "livemode": self._livemode}
        price |= {"unit_amount": self._amount, "unit_amount_decimal": str(self._amount)}
        return price | {"custom_unit_amount": None, "transform_quantity": None}

    def _make_subscription(self) -> None:
        found = self._make("subscription", self.subscription_id, metadata=self._metadata(1))
        item = found["items"]["data"][0]
        item |= {"id": self.item_id, "created": self._stamp(), "price": self._price()}
        item |= {"subscription": self.subscription_id, "billing_thresholds": None}
        item["plan"] |= {"id": self._price_id, "currency": self._currency, "amount": self._amount}
        found["items"]["url"] = f"/v1/subscription_items?subscription={self.subscription_id}"
        nothing = (
            "cancel_at canceled_at ended_at trial_start trial_end pause_collection pending_update"
            " next_pending_invoice_item_invoice pending_invoice_item_interval transfer_data"
            " billing_thresholds billing_cycle_anchor_config"
        )
        found |= dict.fromkeys(nothing.split())
        found |= {
            "status": "incomplete",
            "customer": self.customer_id,
            "currency": self._currency,
            "cancel_at_period_end": False,
            "billing_cycle_anchor": self._stamp(),
            "start_date": self._stamp(),
            "billing_schedules": [],
        }
        self._set_period(self.now, self.now + _MONTH)

    def _set_period(self, start: datetime, end: datetime) -> None:
        self._item["current_period_start"] = int(start.timestamp())
        self._item["current_period_end"] = int(end.timestamp())

    def _bill(
        self, reason: str, start: datetime, end: datetime
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        self._invoices += 1
        invoice = self._make_invoice(reason, start, end)
        amount = invoice["total"]
        intent = self._make("payment_intent", self.payment_id, metadata={})
        intent |= {"canceled_at": None, "last_payment_error": None, "next_action": None}
        intent |= {
            "amount": amount,
            "currency": self._currency,
            "customer": self.customer_id,
            "client_secret": f"{self.payment_id}_secret_life",
            "processing": None,
            "transfer_data": None,
        }
        self._make(
            "invoice_payment",
            self._name("inpay", self._invoices),
            invoice=invoice["id"],
            currency=self._currency,
            amount_requested=amount,
            status="open",
            payment={"type": "payment_intent", "payment_intent": self.payment_id},
        )
        return invoice, intent

    def _make_invoice(self, reason: str, start: datetime, end: datetime) -> dict[str, Any]:
        invoice = self._make("invoice", self.invoice_id, metadata={})
        lines = [*self._prorations, self._line(start, end)]
        self._prorations = []
        amounts = "amount_due amount_remaining subtotal subtotal_excluding_tax total"
        total = sum(each["amount"] for each in lines)
        invoice |= dict.fromkeys([*amounts.split(), "total_excluding_tax"], total)
        nothing = "due_date effective_at from_invoice last_finalization_error next_payment_attempt"
        invoice |= dict.fromkeys([*nothing.split(), "shipping_cost", "webhooks_delivered_at"])
        is_first = reason == "subscription_create"
        period = self.now if is_first else start - _MONTH
        details = {"metadata": self._metadata(1), "subscription": self.subscription_id}
        invoice |= {
            "amount_overpaid": 0,
            "amount_paid_off_stripe": 0,
            "billing_reason": reason,
            "currency": self._currency,
            "customer": self.customer_id,
            "number": f"LIFE{self._number}-{self._invoices:04d}",
            "period_start": int(period.timestamp()),
            "period_end": int(start.timestamp()),
            "subscription": None,
            "parent": {
                "quote_details": None,
                "subscription_details": details,
                "type": "subscription_details",
            },
        }
        invoice["lines"]["data"] = [each | {"invoice": invoice["id"]} for each in lines]
        invoice["lines"]["url"] = f"/v1/invoices/{invoice['id']}/lines"
        return invoice

    def _open(self, invoice: dict[str, Any]) -> None:
        url = f"https://pay.stripe.com/invoice/acct_life/{invoice['id']}/pdf"
        invoice |= {"status": "open", "invoice_pdf": url}

    def _refund(self, amount: int) -> list[LifeEvent]:
        self._pass(86400)
        self._refunds += 1
        refund = self._make("refund", self._name("re", self._refunds), status="pending")
        del refund["livemode"]
        refund |= {"amount": amount, "currency": self._currency, "reason": "duplicate"}
        refund |= {"charge": self._intent["latest_charge"], "payment_intent": self.payment_id}
        created = self.event("refund.created", refund)
        refund["status"] = "succeeded"
        events = ("refund.updated", "charge.refund.updated")
        return [created, *(self.event(each, refund, {"status": "pending"}) for each in events)]

    def _decide(self, status: str, *others: str) -> list[LifeEvent]:
        self._pass(86400)
        dispute = self._object("dispute", self._name("dp", self._disputes))
        previous = {"status": dispute["status"]}
        dispute["status"] = status
        events = ("charge.dispute.updated", "charge.dispute.closed", *others)
        return [self.event(each, dispute, previous) for each in events]

    def _line(self, start: datetime, end: datetime) -> dict[str, Any]:
        details = {
            "invoice_item": None,
            "proration": False,
            "proration_details": {"credited_items": None},
            "subscription": self.subscription_id,
            "subscription_item": self.item_id,
        }
        return published("line_item") | {
            "id": self._name("il", self._invoices),
            "amount": self._amount,
            "subtotal": self._amount,
            "currency": self._currency,
            "description": "1 x Pro",
            "invoice": self.invoice_id,
            "livemode": self._livemode,
            "period": {"start": int(start.timestamp()), "end": int(end.timestamp())},
            "pricing": {"type": "price_details", "unit_amount_decimal": str(self._amount)},
            "parent": {
                "invoice_item_details": None,
                "subscription_item_details": details,
                "type": "subscription_item_details",
            },
        }

    def _proration(self, amount: int, description: str, number: int) -> dict[str, Any]:
        """A line of the next invoice for the days from now to the end of this period."""
        line = self._line(self.now, datetime.fromtimestamp(self._item["current_period_end"], UTC))
        details = {
            "invoice_item": f"ii_life{self._number}x{number}",
            "proration": True,
            "proration_details": {"credited_items": None},
            "subscription": self.subscription_id,
        }
        return line | {
            "id": f"il_life{self._number}p{number}",
            "amount": amount,
            "subtotal": amount,
            "description": description,
            "pricing": {"type": "price_details", "unit_amount_decimal": str(amount)},
            "parent": {
                "invoice_item_details": details,
                "subscription_item_details": None,
                "type": "invoice_item_details",
            },
        }

    def _collect(self) -> list[LifeEvent]:
        invoice, intent = self._object("invoice", self.invoice_id), self._intent
        amount = invoice["total"]
        link = self._object("invoice_payment", self._name("inpay", self._invoices))
        intent |= {
            "status": "succeeded",
            "amount_received": amount,
            "last_payment_error": None,
            "latest_charge": self._name("ch", self._invoices),
            "payment_method": self.payment_method_id,
        }
        invoice |= {"status": "paid", "attempted": True, "next_payment_attempt": None}
        invoice |= {"amount_paid": amount, "amount_remaining": 0}
        invoice["attempt_count"] += 1
        invoice["status_transitions"]["paid_at"] = self._stamp()
        link |= {"status": "paid", "amount_paid": amount}
        link["status_transitions"]["paid_at"] = self._stamp()
        events = [
            self.event("payment_intent.succeeded", intent),
            self.event("invoice.paid", invoice),
        ]
        if stripe_versions.is_known("invoice_payment.paid", self._api_version):
            events.append(self.event("invoice_payment.paid", link))
        return events

    def event(
        self, event_type: str, source: dict[str, Any], previous: dict[str, Any] | None = None
    ) -> LifeEvent:
        """Tell of `source` as it is now, as the life's newest event."""
        data = {"object": stripe_versions.rendered(source, self._api_version, self.objects)}
        if previous is not None:
            data["previous_attributes"] = previous
        body = published("event") | {
            "id": f"evt_life{self._number}x{len(self.events) + 1}",
            "type": event_type,
            "created": self._stamp(),
            "livemode": self._livemode,
            "api_version": self._api_version,
            "pending_webhooks": 1,
            "data": data,
        }
        event = LifeEvent(
            id=str(body["id"]),
            type=event_type,
            occurred_at=datetime.fromtimestamp(self._stamp(), UTC),
            object=data["object"],
            body=json.dumps(body, indent=2).encode(),
        )
        self.events.append(event)
        return event


def _page(url: str, data: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "url": url, "has_more": False, "data": data}
