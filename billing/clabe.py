"""The CLABE, Mexico's bank account number. Plain Python: no Django here.

Eighteen digits: bank, place, account, and a check digit (Banco de México, "Clave Bancaria
Estandarizada"; the weights are 3, 7, 1).
"""

LENGTH = 18
_WEIGHTS = (3, 7, 1)


def complete(digits: str) -> str:
    """Return the CLABE that begins with these seventeen digits."""
    total = sum(int(digit) * _WEIGHTS[at % 3] % 10 for at, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


def is_clabe(digits: str) -> bool:
    """Whether `digits`, ASCII digits only, are a CLABE with its right check digit."""
    return len(digits) == LENGTH and complete(digits[:-1]) == digits
