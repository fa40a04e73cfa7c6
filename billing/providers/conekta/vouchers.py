"""OXXO and SPEI: what the customer is shown to pay with, and until when. Pure.

A voucher lasts until the end of a day in Mexico City, for that is how stores and people count.
"""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from billing.enums import PaymentMethodType
from billing.errors import InvalidRequest
from billing.providers.types import JSON, VoucherRequest
from billing.providers.values import moment, part, text, whole

MEXICO_CITY = ZoneInfo("America/Mexico_City")
LASTS_DAYS = 3
_CURRENCY = "MXN"
_TYPES = {PaymentMethodType.OXXO: "cash", PaymentMethodType.SPEI: "spei"}
_LAST_SECOND = time(23, 59, 59)


def ends_at(now: datetime, days: int = LASTS_DAYS) -> datetime:
    """The last second of the day in Mexico City that comes `days` after today's."""
    last_day = now.astimezone(MEXICO_CITY).date() + timedelta(days=days)
    return datetime.combine(last_day, _LAST_SECOND, MEXICO_CITY)


def charged(request: VoucherRequest, *, now: datetime) -> JSON:
    """What is sent for a voucher. Raises InvalidRequest for what cannot be paid by one."""
    if request.method not in _TYPES:
        raise InvalidRequest("Conekta has vouchers for OXXO and SPEI", param="method")
    if request.currency != _CURRENCY:
        raise InvalidRequest("vouchers are paid in pesos", param="currency")
    until = request.expires_at or ends_at(now)
    if until <= now:
        raise InvalidRequest("a voucher that has expired cannot be paid", param="expires_at")
    return {"type": _TYPES[request.method], "expires_at": int(until.timestamp())}


def voucher(charge: JSON, amount_minor: int, currency: str) -> dict[str, str] | None:
    """What the customer needs in order to pay a charge by voucher; None for any other charge.

    `expires_at` is UTC, `expires_on` the day in Mexico City. The barcode's value is the reference
    itself (specification, payment_method_cash_response).
    """
    method = part(charge, "payment_method")
    if method.get("object") == "cash_payment":
        number = _digits(method.get("reference"))
        shown = {"method": PaymentMethodType.OXXO.value, "reference": number, "barcode": number}
        shown["barcode_url"] = text(method.get("barcode_url"))
    elif method.get("object") == "bank_transfer_payment":
        clabe = _digits(method.get("clabe") or method.get("receiving_account_number"))
        bank = text(method.get("bank") or method.get("receiving_account_bank"))
        shown = {"method": PaymentMethodType.SPEI.value, "clabe": clabe, "bank": bank}
    else:
        return None
    shown |= {"amount_minor": str(amount_minor), "currency": currency}
    return {name: value for name, value in (shown | _end(method)).items() if value}


def _end(method: JSON) -> dict[str, str]:
    end = moment(method.get("expires_at"))
    if end is None or end.timestamp() == 0:
        return {}
    local = end.astimezone(MEXICO_CITY)
    return {"expires_at": end.isoformat(), "expires_on": local.date().isoformat()}


def _digits(value: object) -> str:
    """A reference; the specification's examples write it as a number too."""
    number = whole(value)
    return text(value) if number is None else str(number)
