"""Conekta's own pages: the checkout of an order, and the customer portal of a subscription.

A checkout is part of its order: the order's id is the checkout's here, for it tells all of it.
"""

from datetime import datetime

from billing.enums import CheckoutMode, CheckoutStatus, InvoiceStatus, SubscriptionStatus
from billing.errors import InvalidRequest
from billing.providers.base import HostsCheckout, HostsPortal
from billing.providers.conekta import mapping, orders_mapping
from billing.providers.conekta.orders import Orders
from billing.providers.types import (
    JSON,
    CheckoutData,
    CheckoutRequest,
    PlanData,
    PortalSessionData,
    Ref,
)
from billing.providers.values import (
    currency,
    incomplete,
    moment,
    part,
    remote_id,
    required_id,
    text,
)

_METHODS = ("card", "cash", "bank_transfer")
_RECURRENT_METHODS = ("card",)
_OPEN = "issued"


class Checkouts(Orders, HostsCheckout, HostsPortal):
    def create_checkout(self, request: CheckoutRequest, *, idempotency_key: str) -> CheckoutData:
        """One that was made for the same reference before is answered as it is now. Conekta keeps
        no methods by a checkout, and starts subscriptions there by card only."""
        _check(request)
        answer = self._order_made_for(request.reference)
        if answer is None:
            plan = self._plan(request)
            wanted = order_request(request, plan)
            answer = self._client.write("OrdersApi", "create_order", order_request=wanted)
        return checkout_data(answer.body, as_of=answer.as_of)

    def get_checkout(self, checkout: Ref) -> CheckoutData:
        answer = self._order(checkout.id)
        return checkout_data(answer.body, as_of=answer.as_of)

    def create_portal_session(
        self, customer: Ref, *, return_url: str, idempotency_key: str
    ) -> PortalSessionData:
        """Conekta's portal belongs to a subscription, and leads back to nowhere: `return_url` is
        not sent. Raises InvalidRequest for a customer without one."""
        listed = self._subscriptions_of(customer)
        alive = [each for each in listed if each.status is not SubscriptionStatus.CANCELED]
        if not alive:
            raise InvalidRequest("the customer has no subscription to manage", param="customer")
        newest = max(alive, key=lambda each: mapping.made_at(each.raw))
        answer = self._client.write(
            "SubscriptionsCustomerPortalApi", "create_customer_portal", subscription_id=newest.id
        )
        return portal_data(answer.body, as_of=answer.as_of)

    def _plan(self, request: CheckoutRequest) -> PlanData | None:
        if not request.price_id:
            return None
        answer = self._client.read("PlansApi", "get_plan", id=request.price_id)
        return mapping.plan(answer.body, as_of=answer.as_of)


def _check(request: CheckoutRequest) -> None:
    """Raises InvalidRequest where what is sold is missing."""
    if request.mode is CheckoutMode.SETUP:
        raise InvalidRequest("Conekta's checkout sells something", param="mode")
    if request.price_id:
        return
    if request.mode is CheckoutMode.SUBSCRIPTION:
        raise InvalidRequest("a subscription is of a plan", param="price_id")
    for name in ("amount_minor", "currency", "description"):
        if not getattr(request, name):
            raise InvalidRequest(f"a payment needs a {name}", param=name)


def order_request(request: CheckoutRequest, plan: PlanData | None) -> JSON:
    """An order that is paid on Conekta's page; of `plan`, or of what the request names."""
    is_recurrent = request.mode is CheckoutMode.SUBSCRIPTION
    page: dict[str, object] = {
        "type": "HostedPayment",
        "allowed_payment_methods": list(_RECURRENT_METHODS if is_recurrent else _METHODS),
        "success_url": request.success_url,
        "failure_url": request.cancel_url or request.success_url,
    }
    if is_recurrent and plan:
        page["plan_ids"] = [plan.id]
    line, code = _line(request, plan)
    return {
        "currency": code,
        "customer_info": {"customer_id": request.customer_id},
        "line_items": [line],
        "checkout": page,
        "metadata": {**request.metadata, mapping.REFERENCE_KEY: request.reference},
    }


def _line(request: CheckoutRequest, plan: PlanData | None) -> tuple[JSON, str]:
    if plan:
        line = {"name": plan.name, "quantity": request.quantity, "unit_price": plan.amount_minor}
        return line, plan.currency
    line = {"name": request.description, "quantity": request.quantity}
    return {**line, "unit_price": request.amount_minor}, request.currency


def checkout_data(source: JSON, *, as_of: datetime) -> CheckoutData:
    page = part(source, "checkout")
    status = _status(source, page)
    charge = orders_mapping.current_charge(source)
    return CheckoutData(
        id=required_id(source),
        customer_id=orders_mapping.owner(source),
        mode=CheckoutMode.SUBSCRIPTION if page.get("plan_ids") else CheckoutMode.PAYMENT,
        status=status,
        provider_status=text(page.get("status")),
        as_of=as_of,
        url=text(page.get("url")) if status is CheckoutStatus.OPEN else "",
        is_paid=orders_mapping.invoice_status(source) is InvoiceStatus.PAID,
        total_minor=mapping.amount(source),
        currency=currency(source),
        expires_at=moment(page.get("expires_at")),
        payment_id=remote_id(charge) or None,
        invoice_id=remote_id(source) if charge else None,
        reference=mapping.reference(source),
        raw=source,
    )


def _status(source: JSON, page: JSON) -> CheckoutStatus | None:
    """A checkout is complete once something was charged, be it a voucher that waits. Conekta's word
    for an open one is "Issued" (specification); those for the end of one are not published."""
    if orders_mapping.charges(source):
        return CheckoutStatus.COMPLETE
    word = text(page.get("status")).lower()
    if word == _OPEN:
        return CheckoutStatus.OPEN
    is_over = word.startswith(("expire", "cancel"))
    return CheckoutStatus.EXPIRED if is_over else None


def portal_data(source: JSON, *, as_of: datetime) -> PortalSessionData:
    return PortalSessionData(
        id=required_id(source),
        customer_id=remote_id(source.get("customer_id")),
        as_of=as_of,
        url=text(source.get("portal_url")) or incomplete(source, "portal_url"),
        raw={name: value for name, value in source.items() if name not in ("portal_url", "slug")},
    )
