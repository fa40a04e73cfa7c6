"""Refunds of payments, and the disputes that banks open."""

from billing.tests.accounts.account import JSON
from billing.tests.stripe_account.account import Account, Refusal, page

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


def refund_in_dashboard(account: Account, payment_id: str, amount: int) -> str:
    """The merchant refunds a part of a payment in Stripe's dashboard; return the refund's id."""
    with account.happening():
        made = _refund(account, {"payment_intent": payment_id, "amount": str(amount)})
    return str(made["id"])


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
        refund = account.one(refund_id)
        refund.update(status="failed", failure_reason="expired_or_canceled_card")
        _tell_charge(account, account.one(refund["payment_intent"]))


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
    left = intent["amount_received"] - _refunded(account, intent["id"])
    amount = int(params.get("amount", left))
    if not left:
        raise Refusal(400, code="charge_already_refunded")
    if not 0 < amount <= left:
        raise Refusal(400, param="amount")
    made = account.make(
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
    _tell_charge(account, intent)
    return made


def _refunded(account: Account, payment_id: str) -> int:
    found = _refunds_of(account, {"payment_intent": payment_id})
    return sum(each["amount"] for each in found if each["status"] not in _GONE)


def _tell_charge(account: Account, intent: JSON) -> None:
    """A charge knows how much of it has gone back."""
    charge = account.objects.get(intent["latest_charge"])
    if charge:
        amount = _refunded(account, intent["id"])
        charge |= {"amount_refunded": amount, "refunded": amount == charge["amount"]}


def _refunds_of(account: Account, params: JSON) -> list[JSON]:
    found = account.all("refund")
    wanted = params.get("payment_intent")
    return [each for each in found if wanted in (None, each["payment_intent"])]
