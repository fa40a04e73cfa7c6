"""Hosted checkouts and the portal. Nobody serves their pages: `complete` is the customer there."""

from billing.enums import (
    CheckoutMode,
    CheckoutStatus,
    IncompleteReason,
    InvoiceStatus,
    PaymentStatus,
    SetupStatus,
)
from billing.errors import InvalidRequest, PaymentDeclined
from billing.providers.base import HostsCheckout, HostsPortal
from billing.providers.sandbox import clock, customers, mapping, payments, setup, subscriptions
from billing.providers.sandbox.backend import SandboxBackend
from billing.providers.sandbox.store import Record, Session
from billing.providers.types import (
    JSON,
    CheckoutData,
    CheckoutRequest,
    PaymentMethodRequest,
    PaymentRequest,
    PortalSessionData,
    Ref,
    SetupRequest,
    SubscriptionRequest,
)

OPEN_SECONDS = 24 * 3600
PORTAL_SECONDS = 3600


class Checkouts(SandboxBackend, HostsCheckout, HostsPortal):
    def create_checkout(self, request: CheckoutRequest, *, idempotency_key: str) -> CheckoutData:
        answer = self._calls.write(
            "create_checkout", idempotency_key, request, lambda session: create(session, request)
        )
        return mapping.checkout(answer.body, answer.as_of)

    def get_checkout(self, checkout: Ref) -> CheckoutData:
        def read(session: Session) -> CheckoutData:
            found = session.require("checkout", checkout.id)
            return mapping.checkout(told(session, found), clock.moment(session.now))

        return self._calls.read(read)

    def complete_checkout(self, checkout: Ref, *, token: str) -> CheckoutData:
        with self._store.write() as session:
            found = complete(session, checkout.id, token, self.features.methods)
            return mapping.checkout(told(session, found), clock.moment(session.now))

    def create_portal_session(
        self, customer: Ref, *, return_url: str, idempotency_key: str
    ) -> PortalSessionData:
        answer = self._calls.write(
            "create_portal_session",
            idempotency_key,
            [customer.id, return_url],
            lambda session: open_portal(session, customer.id, return_url),
        )
        return mapping.portal_session(answer.body, answer.as_of)


def create(session: Session, request: CheckoutRequest) -> Record:
    """Open a checkout for a day; raise InvalidRequest where what it sells is missing."""
    customers.live(session, request.customer_id)
    total, currency = _sold(session, request)
    checkout_id = session.new_id("checkout")
    body = {
        "object": "checkout",
        "id": checkout_id,
        "created": session.now,
        "customer": request.customer_id,
        "mode": request.mode,
        "status": CheckoutStatus.OPEN,
        "url": f"https://sandbox.invalid/checkout/{checkout_id}",
        "success_url": request.success_url,
        "cancel_url": request.cancel_url,
        "total": total,
        "currency": currency,
        "paid": False,
        "expires_at": session.now + OPEN_SECONDS,
        "subscription": None,
        "payment": None,
        "invoice": None,
        "setup_session": None,
        "reference": request.reference or None,
        "metadata": dict(request.metadata),
    }
    hidden = {
        "price": request.price_id,
        "quantity": request.quantity,
        "description": request.description,
        "trial_end": clock.stamp(request.trial_end_at) if request.trial_end_at else None,
    }
    due_at = session.now + OPEN_SECONDS
    record = Record("checkout", checkout_id, body, hidden, due_at)
    return session.save(record)


def _sold(session: Session, request: CheckoutRequest) -> tuple[int, str]:
    """What is due in it. Prices here all recur, so a payment is of an amount."""
    if request.mode is CheckoutMode.SUBSCRIPTION:
        plan = subscriptions.sellable(session, request.price_id)
        subscriptions.check_quantity(request.quantity)
        total = 0 if request.trial_end_at else plan.body["amount"] * request.quantity
        return total, plan.body["currency"]
    if not request.currency:
        raise InvalidRequest(f"a {request.mode} checkout needs a currency", param="currency")
    if request.mode is CheckoutMode.SETUP:
        return 0, request.currency
    if request.price_id or not request.description:
        param = "price_id" if request.price_id else "description"
        raise InvalidRequest("a payment is of an amount, with a description", param=param)
    subscriptions.check_quantity(request.quantity)
    amount = payments.positive_minor(request.amount_minor, request.currency)
    return amount * request.quantity, request.currency


def complete(session: Session, checkout_id: str, token: str, offered: tuple[str, ...]) -> Record:
    """Do what the customer does on the page: pay with a magic token, the bank's check included.

    A voucher completes it unpaid. Raises PaymentDeclined.
    """
    found = session.require("checkout", checkout_id)
    if found.body["status"] != CheckoutStatus.OPEN:
        raise InvalidRequest(f"the checkout is {found.body['status']}", param="checkout")
    if found.body["mode"] == CheckoutMode.SETUP:
        _keep(session, found, token, offered)
    else:
        method = customers.attach(
            session, found.body["customer"], PaymentMethodRequest(token=token)
        )
        is_payment = found.body["mode"] == CheckoutMode.PAYMENT
        (_charge if is_payment else _subscribe)(session, found, method.id)
    found.body.update(status=CheckoutStatus.COMPLETE, url="")
    found.due_at = None
    return session.save(found, "checkout.completed")


def expire(session: Session, found: Record) -> None:
    """Close a checkout that nobody completed in its time."""
    found.body.update(status=CheckoutStatus.EXPIRED, url="")
    found.due_at = None
    session.save(found, "checkout.expired")


def told(session: Session, found: Record) -> JSON:
    """The checkout as it is now: a voucher is paid, and a debit settled, after it was completed."""
    return {**found.body, "paid": _is_paid(session, found)}


def _is_paid(session: Session, found: Record) -> bool:
    if found.body["status"] != CheckoutStatus.COMPLETE:
        return False
    if found.body["payment"]:
        payment = session.require("payment", found.body["payment"])
        return bool(payment.body["status"] == PaymentStatus.SUCCEEDED)
    if found.body["invoice"]:
        invoice = session.require("invoice", found.body["invoice"])
        return bool(invoice.body["status"] == InvoiceStatus.PAID)
    return True


def _subscribe(session: Session, found: Record, method_id: str) -> None:
    trial_end = found.hidden["trial_end"]
    request = SubscriptionRequest(
        reference=found.body["reference"] or "",
        customer_id=found.body["customer"],
        price_id=found.hidden["price"],
        quantity=found.hidden["quantity"],
        payment_method_id=method_id,
        trial_end_at=clock.moment(trial_end) if trial_end else None,
        metadata=found.body["metadata"],
    )
    made = subscriptions.create(session, request)
    found.body.update(subscription=made.id, invoice=made.body["latest_invoice"])
    if made.body["incomplete_reason"] == IncompleteReason.REQUIRES_ACTION:
        subscriptions.finish_payment(session, made.body["latest_invoice"])


def _charge(session: Session, found: Record, method_id: str) -> None:
    request = PaymentRequest(
        reference=found.body["reference"] or "",
        customer_id=found.body["customer"],
        payment_method_id=method_id,
        amount_minor=found.body["total"],
        currency=found.body["currency"],
        description=found.hidden["description"],
        metadata=found.body["metadata"],
    )
    made = payments.charge(session, request)
    found.body["payment"] = made.id
    if made.body["status"] == PaymentStatus.REQUIRES_ACTION:
        payments.confirm(session, made.id)


def _keep(session: Session, found: Record, token: str, offered: tuple[str, ...]) -> None:
    request = SetupRequest(
        customer_id=found.body["customer"], reference=found.body["reference"] or ""
    )
    made = setup.create(session, request, offered)
    setup.confirm(session, made.id, token)
    if made.body["status"] == SetupStatus.FAILED:
        raise PaymentDeclined("the method was refused", decline_code=made.body["decline_code"])
    if made.body["status"] == SetupStatus.REQUIRES_ACTION:
        setup.complete(session, made.id)
    found.body["setup_session"] = made.id


def open_portal(session: Session, customer_id: str, return_url: str) -> Record:
    customers.live(session, customer_id)
    portal_id = session.new_id("portal")
    body = {
        "object": "portal_session",
        "id": portal_id,
        "created": session.now,
        "customer": customer_id,
        "url": f"https://sandbox.invalid/portal/{portal_id}",
        "return_url": return_url,
        "expires_at": session.now + PORTAL_SECONDS,
    }
    return session.save(Record("portal_session", portal_id, body))
