"""Stripe's objects as older API versions render them, made of those of the pinned version.

Sources: Stripe's changelog. 2022-11-15 took `charges` off the PaymentIntent; 2025-03-31.basil moved
periods to subscription items, and an invoice's subscription, payment, taxes and discount as well as
its lines' price and subscription to where they are read today. What later versions only added
(`billing_mode`, `latest_charge`) stands in older ones too.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

JSON = dict[str, Any]
Objects = Mapping[tuple[str, str], JSON]
PINNED = "2026-10-28.endive"
OLDER = ("2020-08-27", "2024-09-30.acacia", "2025-04-30.basil")
_BASIL = "2025-03-31"
_LATEST_CHARGE = "2022-11-15"


def is_known(event_type: str, version: str) -> bool:
    """Whether that version has such events: before basil an invoice had one payment."""
    return version >= _BASIL or not event_type.startswith("invoice_payment.")


def rendered(source: JSON, version: str, objects: Objects) -> JSON:
    """Return a copy of the object in the shape of `version`; `objects` are the account's others."""
    found = copy.deepcopy(source)
    if version < PINNED:
        found.pop("status_details", None)
    if version < _BASIL and found["object"] in _BEFORE_BASIL:
        _BEFORE_BASIL[found["object"]](found, objects)
    if version < _LATEST_CHARGE and found["object"] == "payment_intent":
        charges = [charge_of(found, objects)] if found["latest_charge"] else []
        url = f"/v1/charges?payment_intent={found['id']}"
        found["charges"] = {"object": "list", "data": charges, "has_more": False, "url": url}
    return found


def charge_of(intent: JSON, objects: Objects) -> JSON:
    """The charge that a PaymentIntent names, as far as we read charges."""
    return {
        "id": intent["latest_charge"],
        "object": "charge",
        "amount": intent["amount"],
        "created": _link(objects, intent["id"])["status_transitions"]["paid_at"],
        "currency": intent["currency"],
        "customer": intent["customer"],
        "payment_intent": intent["id"],
        "payment_method": intent["payment_method"],
        "status": "succeeded",
    }


def _subscription(found: JSON, objects: Objects) -> None:
    items = found["items"]["data"]
    for name in ("current_period_start", "current_period_end"):
        found[name] = [item.pop(name) for item in items][0]
    found |= {"plan": copy.deepcopy(items[0]["plan"]), "quantity": items[0]["quantity"]}
    found["discount"] = next(iter(found["discounts"]), None)


def _invoice(found: JSON, objects: Objects) -> None:
    details = found.pop("parent")["subscription_details"]
    intent = _payment_of(found["id"], objects)
    taxes = found.pop("total_taxes") or []
    is_paid = found["status"] == "paid"
    for name in ("payments", "confirmation_secret", "amount_overpaid"):
        found.pop(name, None)
    found |= {
        "application_fee_amount": None,
        "charge": intent["latest_charge"] if is_paid else None,
        "discount": next(iter(found["discounts"]), None),
        "paid": is_paid,
        "paid_out_of_band": False,
        "payment_intent": intent["id"],
        "quote": None,
        "subscription": details["subscription"],
        "subscription_details": {"metadata": details["metadata"]},
        "tax": sum(each["amount"] for each in taxes) if taxes else None,
        "total_tax_amounts": [{"amount": each["amount"], "inclusive": False} for each in taxes],
        "transfer_data": None,
    }
    for line in found["lines"]["data"]:
        _line(line)


def _line(found: JSON) -> None:
    parent, pricing = found.pop("parent"), found.pop("pricing")
    is_item = parent["type"] == "invoice_item_details"
    details = parent[parent["type"]]
    rate = {"unit_amount_decimal": pricing["unit_amount_decimal"]}
    price = pricing.get("price_details") or {}
    found.pop("taxes", None)
    found |= {
        "invoice_item": details["invoice_item"],
        "price": {"id": price.get("price"), "object": "price", "product": price.get("product")}
        | rate,
        "proration": details["proration"],
        "proration_details": details["proration_details"],
        "subscription": details["subscription"],
        "tax_amounts": [],
        "tax_rates": [],
        "type": "invoiceitem" if is_item else "subscription",
    }
    if not is_item:
        found["subscription_item"] = details["subscription_item"]


def _payment_intent(found: JSON, objects: Objects) -> None:
    found["invoice"] = _link(objects, found["id"])["invoice"]


_BEFORE_BASIL: dict[str, Callable[[JSON, Objects], None]] = {
    "subscription": _subscription,
    "invoice": _invoice,
    "payment_intent": _payment_intent,
}


def _payment_of(invoice_id: str, objects: Objects) -> JSON:
    return objects["payment_intent", _link(objects, invoice_id)["payment"]["payment_intent"]]


def _link(objects: Objects, remote_id: str) -> JSON:
    """The invoice payment between an invoice and a PaymentIntent, by the id of either."""
    links = [each for (kind, _), each in objects.items() if kind == "invoice_payment"]
    return next(
        each for each in links if remote_id in (each["invoice"], each["payment"]["payment_intent"])
    )
