"""Cards, by the token that the browser made of them.

`tok_test_...` may be used again and again; every other `tok_...` is a good card, once.
"""

from dataclasses import dataclass

from billing.tests.accounts.account import JSON
from billing.tests.conekta_account.account import Account, Refusal

DECLINED = "processing.bank.declined"
# Of a card whose bank wants its owner's confirmation, where the order asks for none.
UNCONFIRMED = "processing.bank.authentication_required"


@dataclass(frozen=True, kw_only=True)
class Card:
    """`refusal` is the code with which its bank refuses every charge."""

    brand: str = "visa"
    last4: str = "4242"
    refusal: str = ""


_CARDS = {
    "tok_test_visa_4242": Card(),
    "tok_test_mastercard_4444": Card(brand="mastercard", last4="4444"),
    "tok_test_insufficient_funds": Card(last4="0051", refusal="processing.bank.insufficient_funds"),
    "tok_test_card_declined": Card(last4="0002", refusal=DECLINED),
    "tok_test_3ds_required": Card(last4="3155", refusal=UNCONFIRMED),
}


def tokenized(account: Account, token: str) -> Card:
    """The card behind a token of the browser."""
    if not token.startswith("tok_") or token in account.used:
        raise Refusal(422, "parameter_validation.payment_method.token_id.nonexistent_token")
    if not token.startswith("tok_test_"):
        account.used.add(token)
    return _CARDS.get(token, Card())


def keep(account: Account, source: JSON, card: Card) -> None:
    """Remember what its bank does."""
    if card.refusal:
        account.refused[source["id"]] = card.refusal


def refuse(account: Account, source_id: str, code: str = DECLINED) -> None:
    """From now on its bank refuses to be charged."""
    account.refused[source_id] = code


def accept(account: Account, source_id: str) -> None:
    """From now on its bank pays again."""
    account.refused.pop(source_id, None)


def shown(card: Card) -> JSON:
    return {
        "last4": card.last4,
        "bin": "42424242",
        "card_type": "credit",
        "exp_month": "12",
        "exp_year": "30",
        "brand": card.brand,
        "issuer": "banamex",
        "name": "Ana Prueba",
    }
