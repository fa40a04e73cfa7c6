"""Magic tokens: what a payment method made from each of them looks like and does when charged."""

from dataclasses import dataclass, replace
from enum import StrEnum

from billing.errors import InvalidRequest

PREFIX = "tok_"
DEBITS = ("bank_account", "sepa_debit")


class Charge(StrEnum):
    SUCCEEDS = "succeeds"
    DECLINES = "declines"
    REQUIRES_ACTION = "requires_action"
    VOUCHER = "voucher"
    DEBIT = "debit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """`first` is what the first charge of a method does, `later` every other one. One that is not
    `is_verified` waits for micro-deposits when it is set up. One that does not clear is debited,
    and refused by its bank days later."""

    type: str = "card"
    brand: str = "visa"
    last4: str = "4242"
    first: Charge = Charge.SUCCEEDS
    later: Charge = Charge.SUCCEEDS
    decline_code: str = "card_declined"
    attaches: bool = True
    is_verified: bool = True
    clears: bool = True

    def charge(self, earlier: int) -> Charge:
        """Return what a charge does after `earlier` others."""
        return self.later if earlier else self.first


_OXXO = Behaviour(type="oxxo", brand="", last4="", first=Charge.VOUCHER)

_DEBIT = Behaviour(first=Charge.DEBIT, later=Charge.DEBIT, decline_code="insufficient_funds")
_BANK = replace(_DEBIT, type="bank_account", brand="Test Bank", last4="6789")
_SEPA = replace(_DEBIT, type="sepa_debit", brand="19043", last4="3201")

TOKENS: dict[str, Behaviour] = {
    "tok_visa": Behaviour(),
    "tok_mastercard": Behaviour(brand="mastercard", last4="4444"),
    "tok_declined": Behaviour(last4="0002", first=Charge.DECLINES, later=Charge.DECLINES),
    "tok_insufficient_funds": Behaviour(
        last4="9995",
        decline_code="insufficient_funds",
        first=Charge.DECLINES,
        later=Charge.DECLINES,
    ),
    "tok_attach_declined": Behaviour(attaches=False),
    "tok_requires_action": Behaviour(last4="3155", first=Charge.REQUIRES_ACTION),
    "tok_renewal_declined": Behaviour(last4="0341", later=Charge.DECLINES),
    "tok_voucher": _OXXO,
    "tok_oxxo": _OXXO,
    "tok_spei": Behaviour(type="spei", brand="", last4="", first=Charge.VOUCHER),
    "tok_bank_account": _BANK,
    "tok_bank_account_unverified": replace(_BANK, is_verified=False),
    "tok_bank_account_refused": replace(_BANK, clears=False),
    "tok_sepa_debit": _SEPA,
    "tok_sepa_debit_refused": replace(_SEPA, clears=False),
}


def behaviour(token: object) -> Behaviour:
    """Return what `token` does; an unknown `tok_...` is a card that always pays."""
    if not isinstance(token, str) or not token.startswith(PREFIX) or token == PREFIX:
        raise InvalidRequest("a sandbox token begins with tok_", param="token")
    return TOKENS.get(token, Behaviour())
