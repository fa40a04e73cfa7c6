"""Money as integer minor units with its currency. No floats, no Django."""

import re
from dataclasses import dataclass
from decimal import Decimal

# ISO 4217 exponents other than 2. CLDR's table (babel) gives display digits, which differ for
# IQD, ALL, PKR and others, so the standard's own figures stand here.
_EXPONENTS = {
    **dict.fromkeys(["BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"], 0),
    **dict.fromkeys(["RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"], 0),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}
_CODE = re.compile(r"[A-Z]{3}")


def exponent(currency: str) -> int:
    """Digits after the decimal point of `currency` (ISO 4217, upper case): JPY 0, MXN 2, KWD 3.

    Raises ValueError when `currency` is not three capital letters.
    """
    if not _CODE.fullmatch(currency):
        raise ValueError(f"{currency!r} is not an ISO 4217 code in capital letters")
    return _EXPONENTS.get(currency, 2)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (centavos for MXN, yen for JPY) and its ISO 4217 currency."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if isinstance(self.minor, bool) or not isinstance(self.minor, int):
            raise TypeError(f"Money takes integer minor units, not {type(self.minor).__name__}")
        exponent(self.currency)

    @classmethod
    def from_decimal(cls, amount: Decimal, currency: str) -> "Money":
        """Take an amount in major units; raise ValueError when it has too many digits."""
        if not isinstance(amount, Decimal):
            raise TypeError(f"Money takes a Decimal, not {type(amount).__name__}")
        scaled = amount.scaleb(exponent(currency))
        if not scaled.is_finite() or scaled != scaled.to_integral_value():
            raise ValueError(f"{amount} has more decimals than {currency} allows")
        return cls(int(scaled), currency)

    @property
    def decimal(self) -> Decimal:
        """The amount in major units, with all decimals of the currency: Decimal('29.90')."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    def __add__(self, other: "Money") -> "Money":
        if self.currency != other.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.minor + other.minor, self.currency)

    def __str__(self) -> str:
        return f"{self.decimal} {self.currency}"
