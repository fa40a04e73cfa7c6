"""Months without interest: which an amount can be split into. Pure.

Minimum amounts: Conekta help center, "What are Interest-Free Monthly Installments?", which names 3
to 12 months; the API takes 18 too (specification, payment_method_general_request), for which we
keep to as much per month as for 3, 6 and 12.
"""

from billing.errors import InvalidRequest

_LEAST_MINOR = {3: 300_00, 6: 600_00, 9: 800_00, 12: 1200_00, 18: 1800_00}


def offered(amount_minor: int, currency: str) -> tuple[int, ...]:
    """The numbers of months that an amount can be split into; pesos only."""
    if currency != "MXN":
        return ()
    return tuple(months for months, least in _LEAST_MINOR.items() if amount_minor >= least)


def checked(installments: int, amount_minor: int, currency: str) -> int | None:
    """What is sent for this number of instalments, None for 1: the whole at once.

    Raises InvalidRequest for a number that the amount is too small for, or that there is not.
    """
    if installments == 1:
        return None
    if installments not in offered(amount_minor, currency):
        raise InvalidRequest("the amount cannot be split so", param="installments")
    return installments
