"""Subscriptions: what a call does to them. What time does to them is in `due`.

`hidden` of a subscription: `anchor` (Unix time that periods are counted from), `period` (number of
the paid period, -1 in a trial), `failures` and `failed_at` (renewals that did not go through),
`credit` (minor units that the next invoice is less by), `ahead` (the invoice whose period began
before its debit arrived).
`due_at` is the next moment at which something happens to it.
"""

from billing.enums import (
    BillingInterval,
    EndReason,
    IncompleteReason,
    InvoiceStatus,
    PaymentState,
    PaymentStatus,
    SubscriptionStatus,
)
from billing.errors import InvalidRequest, PaymentDeclined, ProviderObjectMissing
from billing.lifecycle import is_terminal
from billing.providers.sandbox import charging, clock, discounts, periods
from billing.providers.sandbox.store import Record, Session
from billing.providers.sandbox.tokens import Charge
from billing.providers.types import SubscriptionRequest, SubscriptionUpdate

INCOMPLETE_SECONDS = 23 * 3600
_RUNNING = frozenset({SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING})
_WRITTEN_OFF_FROM = {
    InvoiceStatus.VOID: (InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE),
    InvoiceStatus.UNCOLLECTIBLE: (InvoiceStatus.OPEN,),
}
_REASONS = {
    PaymentStatus.REQUIRES_ACTION: IncompleteReason.REQUIRES_ACTION,
    PaymentStatus.PENDING: IncompleteReason.VOUCHER_WAITING,
    PaymentStatus.PROCESSING: IncompleteReason.PROCESSING,
}


def running(session: Session, customer_id: str) -> list[Record]:
    """Return the customer's subscriptions that have not ended."""
    found = session.of_customer("subscription", customer_id)
    return [each for each in found if not is_terminal(each.body["status"])]


def create(session: Session, request: SubscriptionRequest) -> Record:
    """Start a subscription and charge its first period; a declined one leaves nothing behind."""
    customer = session.require("customer", request.customer_id)
    if customer.body["deleted"]:
        raise ProviderObjectMissing(f"customer {customer.id!r} is deleted")
    plan = sellable(session, request.price_id)
    method = _named_method(session, customer, request.payment_method_id)
    subscription = _new(session, request, method)
    if request.coupon_code:
        discounts.put_on(subscription, request.coupon_code)
    if request.trial_end_at is not None:
        return _start_trial(session, subscription, clock.stamp(request.trial_end_at))
    if plan.body["amount"] and method is None:
        raise InvalidRequest("a payment method is needed", param="payment_method_id")
    return _start_paid(session, subscription, plan, method)


def sellable(session: Session, price_id: str) -> Record:
    """Return an active plan; raise InvalidRequest for any other id."""
    plan = session.find("plan", price_id)
    if plan is None or not plan.body["active"]:
        raise InvalidRequest(f"no price {price_id!r} is for sale", param="price_id")
    return plan


def _named_method(session: Session, customer: Record, method_id: str | None) -> Record | None:
    chosen = method_id or customer.body["default_payment_method"]
    method = session.find("payment_method", chosen) if chosen else None
    if chosen and (method is None or method.body["customer"] != customer.id):
        raise InvalidRequest("the method is not the customer's", param="payment_method_id")
    return method


def _new(session: Session, request: SubscriptionRequest, method: Record | None) -> Record:
    check_quantity(request.quantity)
    subscription_id = session.new_id("sub")
    body = {
        "object": "subscription",
        "id": subscription_id,
        "created": session.now,
        "customer": request.customer_id,
        "price": request.price_id,
        "quantity": request.quantity,
        "status": SubscriptionStatus.INCOMPLETE,
        "current_period_start": session.now,
        "current_period_end": session.now,
        "trial_start": None,
        "trial_end": None,
        "cancel_at_period_end": False,
        "cancel_at": None,
        "canceled_at": None,
        "ended_at": None,
        "end_reason": None,
        "incomplete_reason": None,
        "payment_method": method.id if method else None,
        "latest_invoice": None,
        "next_action": None,
        "coupon": None,
        "reference": request.reference or None,
        "metadata": dict(request.metadata),
    }
    hidden = {"anchor": session.now, "period": -1, "failures": 0, "failed_at": None}
    return Record("subscription", subscription_id, body, hidden)


def check_quantity(quantity: int) -> None:
    """Raise InvalidRequest unless it is a whole number from 1."""
    if isinstance(quantity, bool) or not isinstance(quantity, int) or quantity < 1:
        raise InvalidRequest("quantity is a whole number from 1", param="quantity")


def _start_trial(session: Session, subscription: Record, trial_end: int) -> Record:
    if trial_end <= session.now:
        raise InvalidRequest("the trial ends in the past", param="trial_end_at")
    subscription.body.update(
        status=SubscriptionStatus.TRIALING,
        trial_start=session.now,
        trial_end=trial_end,
        current_period_end=trial_end,
    )
    subscription.hidden["anchor"] = trial_end
    subscription.due_at = trial_end
    return session.save(subscription, "subscription.created")


def _start_paid(
    session: Session, subscription: Record, plan: Record, method: Record | None
) -> Record:
    outcome, decline_code = charging.behaviour(method)
    if plan.body["amount"] and outcome is Charge.DECLINES:
        raise PaymentDeclined("the first charge was refused", decline_code=decline_code)
    start, end_ = next_period(subscription, plan)
    subscription.body.update(current_period_start=start, current_period_end=end_)
    subscription.due_at = session.now + INCOMPLETE_SECONDS
    session.save(subscription, "subscription.created")
    bill(session, subscription, plan, method)
    return subscription


def next_period(subscription: Record, plan: Record) -> tuple[int, int]:
    """Return begin and end of the period after the one that is paid."""
    anchor = clock.moment(subscription.hidden["anchor"])
    interval = BillingInterval(plan.body["interval"])
    number = subscription.hidden["period"] + 1
    start = periods.boundary(anchor, interval, number)
    return clock.stamp(start), clock.stamp(periods.boundary(anchor, interval, number + 1))


def bill(
    session: Session, subscription: Record, plan: Record, method: Record | None
) -> PaymentStatus:
    """Invoice the next period and charge it; a paid one becomes the current period."""
    start, end_ = next_period(subscription, plan)
    invoice = charging.open_invoice(session, subscription, plan, start=start, end=end_)
    subscription.body["latest_invoice"] = invoice.id
    return charge(session, subscription, invoice, method)


def charge(
    session: Session, subscription: Record, invoice: Record, method: Record | None
) -> PaymentStatus:
    """Charge an invoice and bring its subscription in line with the outcome."""
    status = charging.attempt(session, invoice, method)
    if status is PaymentStatus.SUCCEEDED:
        paid(session, subscription, invoice)
    else:
        _wait(session, subscription, invoice, status)
    return status


def paid(session: Session, subscription: Record, invoice: Record) -> None:
    """Make the paid invoice's period the current one; an ended subscription stays ended."""
    if is_terminal(subscription.body["status"]):
        return
    _begin_period(subscription, invoice)
    subscription.body.update(incomplete_reason=None, next_action=None)
    subscription.hidden.update(failures=0, failed_at=None)
    session.save(subscription, "subscription.updated")


def _begin_period(subscription: Record, invoice: Record) -> None:
    """Serve what the invoice is for. That of a debit has begun when it was asked for."""
    if subscription.hidden.get("ahead") != invoice.id:
        subscription.hidden["period"] += 1
    subscription.body.update(
        status=SubscriptionStatus.ACTIVE,
        current_period_start=invoice.body["period_start"],
        current_period_end=invoice.body["period_end"],
    )
    subscription.due_at = invoice.body["period_end"]


def _wait(session: Session, subscription: Record, invoice: Record, status: PaymentStatus) -> None:
    if is_terminal(subscription.body["status"]):
        return
    payment = session.require("payment", invoice.body["payment"])
    subscription.body["next_action"] = payment.body["next_action"]
    if subscription.body["status"] == SubscriptionStatus.INCOMPLETE:
        subscription.body["incomplete_reason"] = _REASONS.get(status)
    if status is PaymentStatus.PROCESSING:
        _let_the_bank_work(subscription, invoice)
    session.save(subscription, "subscription.updated")


def _let_the_bank_work(subscription: Record, invoice: Record) -> None:
    """A debit takes days: a renewal is served meanwhile, what is not served does not run out."""
    if subscription.body["status"] not in _RUNNING:
        subscription.due_at = None
        return
    _begin_period(subscription, invoice)
    subscription.hidden["ahead"] = invoice.id
    subscription.body["next_action"] = None


def renewal_method(session: Session, subscription: Record) -> Record | None:
    """Return the customer's default method, else the subscription's own."""
    customer = session.require("customer", subscription.body["customer"])
    default = customer.body["default_payment_method"]
    chosen = default or subscription.body["payment_method"]
    return session.find("payment_method", chosen) if chosen else None


def update(session: Session, subscription_id: str, changes: SubscriptionUpdate) -> Record:
    """Apply `changes` without proration: a new price or quantity counts from the next invoice.

    With another interval the running period ends as paid and the next one counts from there.
    """
    subscription = unended(session, subscription_id)
    apply(session, subscription, changes)
    return session.save(subscription, "subscription.updated")


def apply(session: Session, subscription: Record, changes: SubscriptionUpdate) -> None:
    """Make `changes` to the record, which is not saved here."""
    if changes.price_id is not None:
        _change_price(session, subscription, changes.price_id)
    if changes.quantity is not None:
        check_quantity(changes.quantity)
        subscription.body["quantity"] = changes.quantity
    if changes.payment_method_id is not None:
        customer = session.require("customer", subscription.body["customer"])
        method = _named_method(session, customer, changes.payment_method_id)
        subscription.body["payment_method"] = method.id if method else None
    if changes.cancel_at_period_end is not None:
        _plan_end(session, subscription, is_planned=changes.cancel_at_period_end)


def unended(session: Session, subscription_id: str) -> Record:
    """Return a subscription that still runs; raise InvalidRequest for one that is over."""
    subscription = session.require("subscription", subscription_id)
    if is_terminal(subscription.body["status"]):
        raise InvalidRequest("the subscription has ended", param="subscription")
    return subscription


def _change_price(session: Session, subscription: Record, price_id: str) -> None:
    old = session.require("plan", subscription.body["price"])
    new = old if price_id == old.id else sellable(session, price_id)
    if new.body["currency"] != old.body["currency"]:
        raise InvalidRequest("a subscription keeps its currency", param="price_id")
    subscription.body["price"] = new.id
    if new.body["interval"] != old.body["interval"]:
        if subscription.body["status"] not in _RUNNING:
            raise InvalidRequest("the interval changes only while it runs", param="price_id")
        subscription.hidden.update(anchor=subscription.body["current_period_end"], period=-1)


def cancel(session: Session, subscription_id: str, *, at_period_end: bool) -> Record:
    """End it now or with its period; one that has ended is answered as it is.

    Where no paid period runs (incomplete, past due) its end has come already.
    """
    subscription = session.require("subscription", subscription_id)
    if is_terminal(subscription.body["status"]):
        return subscription
    if at_period_end and subscription.body["status"] in _RUNNING:
        _plan_end(session, subscription, is_planned=True)
        return session.save(subscription, "subscription.updated")
    return end(session, subscription, SubscriptionStatus.CANCELED, EndReason.CUSTOMER)


def resume(session: Session, subscription_id: str) -> Record:
    """Undo a planned end; without one nothing changes."""
    subscription = unended(session, subscription_id)
    _plan_end(session, subscription, is_planned=False)
    return session.save(subscription, "subscription.updated")


def _plan_end(session: Session, subscription: Record, *, is_planned: bool) -> None:
    if subscription.body["cancel_at_period_end"] == is_planned:
        return
    subscription.body.update(
        cancel_at_period_end=is_planned,
        cancel_at=subscription.body["current_period_end"] if is_planned else None,
        canceled_at=session.now if is_planned else None,
    )


def end(
    session: Session, subscription: Record, status: SubscriptionStatus, reason: EndReason
) -> Record:
    """End it for good; what it still owes is void, or uncollectible after failed renewals."""
    subscription.body.update(
        status=status,
        ended_at=session.now,
        canceled_at=subscription.body["canceled_at"] or session.now,
        end_reason=reason,
        incomplete_reason=None,
        next_action=None,
    )
    subscription.due_at = None
    has_failed = status is SubscriptionStatus.CANCELED and reason is EndReason.PAYMENT_FAILED
    closed = InvoiceStatus.UNCOLLECTIBLE if has_failed else InvoiceStatus.VOID
    for invoice in session.of_parent("invoice", subscription.id):
        if invoice.body["status"] == InvoiceStatus.OPEN:
            charging.close(session, invoice, closed)
    is_canceled = status is SubscriptionStatus.CANCELED
    return session.save(
        subscription, "subscription.canceled" if is_canceled else "subscription.updated"
    )


def pay(session: Session, invoice_id: str, method_id: str | None) -> Record:
    """Charge an open invoice now; a paid one is answered as it is.

    Raises PaymentDeclined after writing down the failed payment. A refused manual charge does not
    count among the retries of a renewal.
    """
    invoice = session.require("invoice", invoice_id)
    if invoice.body["status"] == InvoiceStatus.PAID:
        return invoice
    if invoice.body["status"] != InvoiceStatus.OPEN:
        raise InvalidRequest(f"the invoice is {invoice.body['status']}", param="invoice")
    check_not_asked(invoice)
    subscription = session.require("subscription", invoice.body["subscription"])
    customer = session.require("customer", invoice.body["customer"])
    method = renewal_method(session, subscription)
    if method_id is not None:
        method = _named_method(session, customer, method_id)
    if charge(session, subscription, invoice, method) is PaymentStatus.FAILED:
        payment = session.require("payment", invoice.body["payment"])
        code = payment.body["decline_code"]
        raise PaymentDeclined("the charge was refused", decline_code=code)
    return invoice


def write_off(session: Session, invoice_id: str, status: InvoiceStatus) -> Record:
    """Void an invoice or mark it uncollectible; one that is so already is answered as it is.

    As at Stripe: where its subscription was past due for it, that goes on as if it had been paid,
    and one that never started ends when its first invoice is void.
    """
    invoice = session.require("invoice", invoice_id)
    if invoice.body["status"] == status:
        return invoice
    if invoice.body["status"] not in _WRITTEN_OFF_FROM[status]:
        raise InvalidRequest(f"the invoice is {invoice.body['status']}", param="invoice")
    charging.close(session, invoice, status)
    subscription = session.require("subscription", invoice.body["subscription"])
    is_latest = subscription.body["latest_invoice"] == invoice.id
    if is_latest and subscription.body["status"] == SubscriptionStatus.PAST_DUE:
        paid(session, subscription, invoice)
    is_incomplete = subscription.body["status"] == SubscriptionStatus.INCOMPLETE
    if is_incomplete and status is InvoiceStatus.VOID:
        reason = EndReason.PAYMENT_FAILED
        end(session, subscription, SubscriptionStatus.INCOMPLETE_EXPIRED, reason)
    return invoice


def check_not_asked(invoice: Record) -> None:
    """Raise InvalidRequest where a bank is asked for the invoice already."""
    if invoice.body["payment_state"] == PaymentState.PROCESSING:
        raise InvalidRequest("its payment is under way", param="invoice")


def bounce(session: Session, invoice_id: str) -> Record:
    """Let the debit of an invoice be refused; a start that it was for waits for another method."""
    invoice = session.require("invoice", invoice_id)
    charging.bounce(session, invoice)
    subscription = session.require("subscription", invoice.body["subscription"])
    if subscription.body["status"] == SubscriptionStatus.INCOMPLETE:
        subscription.due_at = session.now + INCOMPLETE_SECONDS
        subscription.body.update(incomplete_reason=None, next_action=None)
        session.save(subscription, "subscription.updated")
    return subscription


def finish_payment(session: Session, invoice_id: str) -> Record:
    """Do what the customer was asked to do: pay the voucher, pass the bank's check."""
    invoice = session.require("invoice", invoice_id)
    if not charging.finish(session, invoice):
        raise InvalidRequest("no payment of this invoice waits", param="invoice")
    paid(session, session.require("subscription", invoice.body["subscription"]), invoice)
    return invoice
