"""Our requests as Stripe's parameters. Pure; None is not sent, "" unsets."""

from billing.enums import BillingInterval, TaxBehavior
from billing.providers.stripe.amounts import to_stripe
from billing.providers.stripe.mapping import REFERENCE_KEY
from billing.providers.types import (
    JSON,
    CustomerRequest,
    PlanRequest,
    SubscriptionRequest,
    SubscriptionUpdate,
)

PLAN_REFERENCE_KEY = "cobro_plan_reference"
INTERVALS = {BillingInterval.MONTHLY: "month", BillingInterval.YEARLY: "year"}
_ADDRESS_LINES = ("line1", "line2", "city", "state", "postal_code", "country")


def new_customer(request: CustomerRequest) -> JSON:
    """Without blanks: there is nothing to unset yet, and Stripe refuses some of them."""
    lines = {name: request.address.get(name) or None for name in _ADDRESS_LINES}
    return {name: value or None for name, value in customer(request).items()} | {"address": lines}


def customer(request: CustomerRequest) -> JSON:
    """The whole profile: what is blank here is unset there."""
    address = {name: request.address.get(name, "") for name in _ADDRESS_LINES}
    return {
        "name": request.name,
        "email": request.email,
        "phone": request.phone,
        "address": address if any(address.values()) else "",
        "metadata": {**request.metadata, REFERENCE_KEY: request.reference},
    }


def product(request: PlanRequest) -> JSON:
    return {
        "name": request.name,
        "description": request.description or None,
        "metadata": {PLAN_REFERENCE_KEY: request.plan_reference},
    }


def price(request: PlanRequest, product_id: str) -> JSON:
    return {
        "product": product_id,
        "currency": request.currency.lower(),
        "unit_amount": to_stripe(request.amount_minor, request.currency),
        "recurring": {"interval": INTERVALS[request.interval]},
        "tax_behavior": _tax_behavior(request.tax_behavior),
        "metadata": {
            REFERENCE_KEY: request.reference,
            PLAN_REFERENCE_KEY: request.plan_reference,
        },
    }


def tax(*, is_automatic: bool) -> JSON:
    """What makes Stripe compute the tax of a new subscription or checkout; else nothing. Changes of
    a subscription, and their previews, follow what it was made with.

    Stripe Tax must be set up in the dashboard, and the customer needs an address that tells where
    tax is owed: without one Stripe refuses the sale (InvalidRequest).
    """
    return {"automatic_tax": {"enabled": True}} if is_automatic else {}


def subscription(request: SubscriptionRequest) -> JSON:
    """It starts unpaid, so that a card that needs its owner leaves something to confirm."""
    trial_end = request.trial_end_at
    return {
        "customer": request.customer_id,
        "items": [{"price": request.price_id, "quantity": request.quantity}],
        "default_payment_method": request.payment_method_id,
        "payment_behavior": "default_incomplete",
        "payment_settings": {"save_default_payment_method": "on_subscription"},
        "trial_end": int(trial_end.timestamp()) if trial_end else None,
        "metadata": {**request.metadata, REFERENCE_KEY: request.reference},
    }


def changes(wanted: SubscriptionUpdate, item_id: str) -> JSON:
    """`item_id` names the item to change: without it Stripe would add a second one."""
    params = {
        "default_payment_method": wanted.payment_method_id,
        "cancel_at_period_end": wanted.cancel_at_period_end,
    }
    if not item_id:
        return params
    item = {"id": item_id, "price": wanted.price_id, "quantity": wanted.quantity}
    return {
        **params,
        "items": [item],
        "proration_behavior": "create_prorations",
        # Refused as a whole when what falls due at once cannot be collected.
        "payment_behavior": "error_if_incomplete",
    }


def _tax_behavior(behavior: TaxBehavior) -> str | None:
    """Unsent, the account's own default decides (Stripe Tax, settings)."""
    return None if behavior is TaxBehavior.UNSPECIFIED else behavior.value
