"""Refunds of payments, and the disputes that banks open."""

from billing.tests.stripe_account.account import JSON, Account, Refusal, page

_GONE = ("failed", "canceled")


def act(account: Account, path: list[str], params: JSON) -> JSON | None:
    """The object that the call of this path is answered with; None: not one of these paths."""
    match path:
        case ["POST", "refunds"]:
            return _refund(account, params)
        case ["GET", "refunds"]:
            return page(_refunds_of(account, params), "/v1/refunds")
        case ["GET", "disputes"]:
            return page(account.all("dispute"), "/v1/disputes")
    return None


def open_dispute(account: Account, payment_id: str, status: str = "needs_response") -> str:
    """The customer's bank objects to a payment; return the dispute's id."""
    intent = account.one(payment_id)
    with account.happening():
        made = account.make(
            "dispute",
            "dp",
            amount=intent["amount"],
            currency=intent["currency"],
            charge=intent["latest_charge"],
            payment_intent=payment_id,
            status=status,
            reason="fraudulent",
            is_charge_refundable=status.startswith("warning"),
        )
    return str(made["id"])


def decide(account: Account, dispute_id: str, status: str) -> None:
    """The bank decides a dispute: `won`, `lost`, `prevented` or `warning_closed`."""
    with account.happening():
        account.one(dispute_id).update(status=status, is_charge_refundable=status != "lost")


def send_back(account: Account, refund_id: str) -> None:
    """The customer's bank does not take a refund; Stripe: it fails even after it succeeded."""
    with account.happening():
        account.one(refund_id).update(status="failed", failure_reason="expired_or_canceled_card")


def _refund(account: Account, params: JSON) -> JSON:
    intent = account.one(params["payment_intent"])
    if intent["status"] != "succeeded":
        raise Refusal(400, param="payment_intent")
    if any(
        not each["is_charge_refundable"]
        for each in account.all("dispute")
        if each["payment_intent"] == intent["id"]
    ):
        raise Refusal(400, code="charge_disputed")
    made = [each for each in _refunds_of(account, params) if each["status"] not in _GONE]
    left = intent["amount_received"] - sum(each["amount"] for each in made)
    amount = int(params.get("amount", left))
    if not left:
        raise Refusal(400, code="charge_already_refunded")
    if not 0 < amount <= left:
        raise Refusal(400, param="amount")
    return account.make(
        "refund",
        "re",
        amount=amount,
        currency=intent["currency"],
        charge=intent["latest_charge"],
        payment_intent=intent["id"],
        status="succeeded",
        reason=params.get("reason"),
        metadata=params.get("metadata", {}),
    )


def _refunds_of(account: Account, params: JSON) -> list[JSON]:
    found = account.all("refund")
    wanted = params.get("payment_intent")
    return [each for each in found if wanted in (None, each["payment_intent"])]
