"""Customers and their payment methods."""

from billing.enums import EndReason, SubscriptionStatus
from billing.errors import InvalidRequest, PaymentDeclined, ProviderObjectMissing
from billing.providers.sandbox import tokens
from billing.providers.sandbox.store import Record, Session
from billing.providers.sandbox.subscriptions import end, running
from billing.providers.types import CustomerRequest, PaymentMethodRequest


def live(session: Session, customer_id: str) -> Record:
    """Return a customer that is not deleted; ProviderObjectMissing otherwise."""
    customer = session.require("customer", customer_id)
    if customer.body["deleted"]:
        raise ProviderObjectMissing(f"customer {customer_id!r} is deleted")
    return customer


def create(session: Session, request: CustomerRequest) -> Record:
    customer_id = session.new_id("cus")
    body = {
        "object": "customer",
        "id": customer_id,
        "created": session.now,
        "default_payment_method": None,
        "deleted": False,
        "reference": request.reference or None,
        **_profile(request),
    }
    return session.save(Record("customer", customer_id, body), "customer.created")


def update(session: Session, customer_id: str, request: CustomerRequest) -> Record:
    customer = live(session, customer_id)
    customer.body.update(_profile(request))
    if request.reference:
        customer.body["reference"] = request.reference
    return session.save(customer, "customer.updated")


def adopt(session: Session, customer_id: str, reference: str) -> Record:
    customer = live(session, customer_id)
    customer.body["reference"] = reference
    return session.save(customer, "customer.updated")


def _profile(request: CustomerRequest) -> dict[str, object]:
    return {
        "name": request.name,
        "email": request.email,
        "phone": request.phone,
        "address": dict(request.address),
        "metadata": dict(request.metadata),
    }


def delete(session: Session, customer_id: str) -> Record:
    """Delete it: its subscriptions end and its methods are detached. Repeating changes nothing."""
    customer = session.require("customer", customer_id)
    if customer.body["deleted"]:
        return customer
    for subscription in running(session, customer_id):
        end(session, subscription, SubscriptionStatus.CANCELED, EndReason.CUSTOMER)
    for method in methods(session, customer_id):
        detach(session, method.id)
    customer.body.update(deleted=True, default_payment_method=None)
    return session.save(customer, "customer.deleted")


def methods(session: Session, customer_id: str) -> list[Record]:
    """Return the methods attached to the customer, newest first."""
    found = session.of_customer("payment_method", customer_id)
    return [method for method in found if method.body["active"]]


def attach(session: Session, customer_id: str, request: PaymentMethodRequest) -> Record:
    """Attach a magic token; a customer's first method becomes the default."""
    behaviour = tokens.behaviour(request.token)
    customer = live(session, customer_id)
    if not behaviour.attaches:
        raise PaymentDeclined("the bank refused this card", decline_code=behaviour.decline_code)
    is_card = behaviour.type == "card"
    method_id = session.new_id("pm")
    body = {
        "object": "payment_method",
        "id": method_id,
        "created": session.now,
        "customer": customer_id,
        "previous_customer": None,
        "type": behaviour.type,
        "brand": behaviour.brand,
        "last4": behaviour.last4,
        "exp_month": 12 if is_card else None,
        "exp_year": 2099 if is_card else None,
        "billing_address": dict(request.billing_address),
        "active": True,
        "reference": request.reference or None,
    }
    hidden = {"token": request.token, "charges": 0}
    method = session.save(
        Record("payment_method", method_id, body, hidden), "payment_method.attached"
    )
    if customer.body["default_payment_method"] is None:
        customer.body["default_payment_method"] = method_id
        session.save(customer, "customer.updated")
    return method


def detach(session: Session, method_id: str) -> Record:
    """Detach a method; who used it has none then. Repeating changes nothing."""
    method = session.require("payment_method", method_id)
    if not method.body["active"]:
        return method
    customer_id = method.body["customer"]
    method.body.update(customer=None, previous_customer=customer_id, active=False)
    session.save(method, "payment_method.detached")
    customer = session.require("customer", customer_id)
    if customer.body["default_payment_method"] == method_id:
        customer.body["default_payment_method"] = None
        session.save(customer, "customer.updated")
    for subscription in running(session, customer_id):
        if subscription.body["payment_method"] == method_id:
            subscription.body["payment_method"] = None
            session.save(subscription, "subscription.updated")
    return method


def set_default(session: Session, customer_id: str, method_id: str) -> Record:
    """Charge renewals to this method, those of running subscriptions too."""
    customer = live(session, customer_id)
    method = session.require("payment_method", method_id)
    if method.body["customer"] != customer_id:
        raise InvalidRequest("the method is not the customer's", param="payment_method")
    if customer.body["default_payment_method"] != method_id:
        customer.body["default_payment_method"] = method_id
        session.save(customer, "customer.updated")
    for subscription in running(session, customer_id):
        if subscription.body["payment_method"] != method_id:
            subscription.body["payment_method"] = method_id
            session.save(subscription, "subscription.updated")
    return customer
