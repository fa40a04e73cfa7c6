"""Conekta's codes of refused charges as our stable ones. Pure."""

_CODES = {
    "insufficient_funds": "insufficient_funds",
    "expired_card": "expired_card",
    "expired": "expired_card",
    "authentication_required": "authentication_required",
    "three_ds_required": "authentication_required",
}


def decline_code(code: str) -> str:
    """Return our code for a charge's `failure_code` or an error's `code`, whose last word tells:
    `conekta.errors.processing.bank.insufficient_funds`."""
    return _CODES.get(code.rpartition(".")[2], "card_declined")
