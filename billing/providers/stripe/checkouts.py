"""Stripe's own pages: Checkout, which sells or keeps a payment method, and the customer portal."""

from datetime import datetime
from typing import Any

from billing.enums import CheckoutMode, CheckoutStatus
from billing.errors import InvalidRequest
from billing.providers.base import HostsCheckout, HostsPortal
from billing.providers.stripe.amounts import optional_amount, to_stripe
from billing.providers.stripe.backend import StripeBackend
from billing.providers.stripe.mapping import REFERENCE_KEY, member, reference
from billing.providers.types import (
    JSON,
    CheckoutData,
    CheckoutRequest,
    PortalSessionData,
    Ref,
)
from billing.providers.values import (
    incomplete,
    moment,
    optional_currency,
    remote_id,
    required_id,
    text,
)

_SETTLED = ("paid", "no_payment_required")
_MADE = {
    CheckoutMode.SUBSCRIPTION: "subscription_data",
    CheckoutMode.PAYMENT: "payment_intent_data",
    CheckoutMode.SETUP: "setup_intent_data",
}


class Checkouts(StripeBackend, HostsCheckout, HostsPortal):
    def create_checkout(self, request: CheckoutRequest, *, idempotency_key: str) -> CheckoutData:
        """Stripe offers the methods that are switched on in its dashboard and fit what is sold."""
        answer = self._client.post(
            "checkout",
            "sessions",
            idempotency_key=idempotency_key,
            params=session(request, self._tax),
        )
        return checkout_data(answer.body, as_of=answer.as_of)

    def get_checkout(self, checkout: Ref) -> CheckoutData:
        answer = self._client.get("checkout", "sessions", checkout.id)
        return checkout_data(answer.body, as_of=answer.as_of)

    def create_portal_session(
        self, customer: Ref, *, return_url: str, idempotency_key: str
    ) -> PortalSessionData:
        """Needs the portal's settings to be saved once in Stripe's dashboard. It tells no end."""
        answer = self._client.post(
            "billing_portal",
            "sessions",
            idempotency_key=idempotency_key,
            params={"customer": customer.id, "return_url": return_url},
        )
        return portal_data(answer.body, as_of=answer.as_of)


def session(request: CheckoutRequest, tax: JSON) -> JSON:
    """`tax` as in `parameters.tax`. What the session makes carries our reference too.

    Raises InvalidRequest where what is sold is missing, or its amount is none of Stripe's.
    """
    made = _MADE[request.mode]
    metadata = {**request.metadata, REFERENCE_KEY: request.reference}
    params: dict[str, object] = {
        "mode": request.mode.value,
        "customer": request.customer_id,
        "client_reference_id": request.reference,
        "success_url": request.success_url,
        "cancel_url": request.cancel_url or None,
        "metadata": metadata,
        made: {"metadata": metadata},
    }
    if request.mode is CheckoutMode.SETUP:
        return {**params, "currency": _required(request, "currency").lower()}
    if request.mode is CheckoutMode.SUBSCRIPTION:
        _required(request, "price_id")
        end = request.trial_end_at
        params[made] = {"metadata": metadata, "trial_end": int(end.timestamp()) if end else None}
    return {**params, "line_items": [_line_item(request)], **_taxed(tax)}


def _line_item(request: CheckoutRequest) -> JSON:
    if request.price_id:
        return {"price": request.price_id, "quantity": request.quantity}
    price = {
        "currency": _required(request, "currency").lower(),
        "unit_amount": to_stripe(_required(request, "amount_minor"), request.currency),
        "product_data": {"name": _required(request, "description")},
    }
    return {"price_data": price, "quantity": request.quantity}


def _taxed(tax: JSON) -> JSON:
    """Stripe taxes by the address that the customer types there, if it may keep it."""
    return {**tax, "customer_update": {"address": "auto"}} if tax else {}


def _required(request: CheckoutRequest, name: str) -> Any:
    value = getattr(request, name)
    if not value:
        raise InvalidRequest(f"a {request.mode} checkout needs a {name}", param=name)
    return value


def checkout_data(source: JSON, *, as_of: datetime) -> CheckoutData:
    raw_status = text(source.get("status"))
    status = member(CheckoutStatus, raw_status)
    code = optional_currency(source)
    is_settled = source.get("payment_status") in _SETTLED
    return CheckoutData(
        id=required_id(source),
        customer_id=remote_id(source.get("customer")),
        mode=member(CheckoutMode, text(source.get("mode"))),
        status=status,
        provider_status=raw_status,
        as_of=as_of,
        url=text(source.get("url")),
        is_paid=status is CheckoutStatus.COMPLETE and is_settled,
        total_minor=(optional_amount(source, "amount_total", code) or 0) if code else 0,
        currency=code,
        expires_at=moment(source.get("expires_at")),
        subscription_id=remote_id(source.get("subscription")) or None,
        payment_id=remote_id(source.get("payment_intent")) or None,
        invoice_id=remote_id(source.get("invoice")) or None,
        setup_session_id=remote_id(source.get("setup_intent")) or None,
        reference=reference(source) or text(source.get("client_reference_id")) or None,
        raw=source,
    )


def portal_data(source: JSON, *, as_of: datetime) -> PortalSessionData:
    return PortalSessionData(
        id=required_id(source),
        customer_id=remote_id(source.get("customer")),
        as_of=as_of,
        url=text(source.get("url")) or incomplete(source, "url"),
        raw=source,
    )
