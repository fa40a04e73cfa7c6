"""Refunds and chargebacks, which stand in the orders that have gone back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from billing.enums import DisputeStatus, PaymentMethodType, RefundReason, RefundStatus
from billing.errors import InvalidRequest, OutcomeUnknown, ProviderObjectMissing
from billing.providers.conekta import ConektaProvider, returned
from billing.providers.types import Ref, RefundRequest, SubscriptionRequest
from billing.providers.values import Incomplete
from billing.testing import key, refund_request, voucher_request
from billing.tests.conekta_account import ConektaAccount, cycles, orders, refunds

OXXO = PaymentMethodType.OXXO
AS_OF = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
CHARGE = {"id": "charge", "currency": "MXN", "amount": 500}


@pytest.fixture
def order_id(conekta: ConektaProvider, wanted: SubscriptionRequest) -> str:
    return str(conekta.create_subscription(wanted, idempotency_key=key()).latest_invoice_id)


@pytest.fixture
def refund(conekta: ConektaProvider, order_id: str) -> RefundRequest:
    """A part of a paid order."""
    payment = Ref(id=str(conekta.get_invoice(Ref(id=order_id)).payment_id))
    return refund_request(conekta, payment, amount_minor=1000)


def second_order(conekta: ConektaProvider, account: ConektaAccount) -> str:
    (subscription,) = account.all("subscription")
    cycles.renew(account, subscription["id"])
    return str(account.all("order")[0]["id"])


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        (RefundReason.DUPLICATE, "duplicated_transaction"),
        (RefundReason.FRAUDULENT, "suspected_fraud"),
        (RefundReason.REQUESTED_BY_CUSTOMER, "requested_by_client"),
    ],
)
def test_what_is_sent(
    conekta: ConektaProvider,
    account: ConektaAccount,
    order_id: str,
    refund: RefundRequest,
    reason: RefundReason,
    word: str,
) -> None:
    made = conekta.create_refund(replace(refund, reason=reason), idempotency_key=key())
    (sent,) = account.sent("POST", f"orders/{order_id}/refunds")
    assert sent == {"amount": 1000, "reason": word}
    assert (made.status, made.reason) == (RefundStatus.SUCCEEDED, reason)
    assert conekta.get_refund(Ref(id=made.id)).amount_minor == 1000


def test_two_of_one_amount_are_two(
    conekta: ConektaProvider, account: ConektaAccount, owner: Ref
) -> None:
    """The customer has paid two vouchers, and of the second as much was sent back already."""
    first = conekta.create_voucher(voucher_request(owner, OXXO), idempotency_key=key())
    again = replace(voucher_request(owner, OXXO), invoice_id=str(first.invoice_id))
    second = conekta.create_voucher(again, idempotency_key=key())
    for number in (0, 1):
        orders.pay(account, again.invoice_id, number)
    refunds.refund_in_panel(account, again.invoice_id, 1000, 1)
    request = refund_request(conekta, Ref(id=first.id), amount_minor=1000)
    made = conekta.create_refund(request, idempotency_key=key())
    assert made.payment_id == first.id
    (earlier,) = conekta.list_refunds(Ref(id=second.id))
    assert earlier.id != made.id


def test_a_lost_answer_leaves_it_open(
    conekta: ConektaProvider, account: ConektaAccount, refund: RefundRequest
) -> None:
    account.lose_next("POST", "orders/*/refunds")
    with pytest.raises(OutcomeUnknown):
        conekta.create_refund(refund, idempotency_key=key())
    (made,) = conekta.list_refunds(Ref(id=refund.payment_id))
    assert (made.amount_minor, made.reference) == (1000, None)


def test_nothing_is_not_refunded(
    conekta: ConektaProvider, account: ConektaAccount, refund: RefundRequest
) -> None:
    with pytest.raises(InvalidRequest):
        conekta.create_refund(replace(refund, amount_minor=0), idempotency_key=key())
    with pytest.raises(ProviderObjectMissing):
        conekta.get_refund(Ref(id="0" * 24))


def test_all_that_went_back_is_listed(
    conekta: ConektaProvider, account: ConektaAccount, order_id: str
) -> None:
    other = second_order(conekta, account)
    refunds.refund_in_panel(account, other, account.one(other)["amount"])
    refunds.refund_in_panel(account, order_id, 300)
    refunds.refund_in_panel(account, order_id, 200)
    found, cursor = [], ""
    while True:
        page = conekta.list_account_refunds(cursor=cursor)
        found += [each.amount_minor for each in page.items]
        cursor = page.next_cursor
        if not cursor:
            break
    assert found == [account.one(other)["amount"], 200, 300]
    later = account.now + timedelta(days=1)
    assert conekta.list_account_refunds(since=later).items == ()


def test_chargebacks(conekta: ConektaProvider, account: ConektaAccount, order_id: str) -> None:
    dispute_id = orders.charge_back(account, order_id)
    (listed,) = conekta.list_disputes().items
    assert listed == replace(conekta.get_dispute(Ref(id=dispute_id)), as_of=listed.as_of)
    assert (listed.id, listed.status) == (dispute_id, DisputeStatus.NEEDS_RESPONSE)
    assert listed.amount_minor == account.one(order_id)["amount"]
    assert listed.evidence_due_at
    with pytest.raises(ProviderObjectMissing):
        conekta.get_dispute(Ref(id="chbk_other"))


@pytest.mark.parametrize(
    ("word", "status"),
    [
        (None, RefundStatus.SUCCEEDED),
        ("refunded", RefundStatus.SUCCEEDED),
        ("pending", RefundStatus.PENDING),
        ("expired", RefundStatus.FAILED),
        ("failed", RefundStatus.FAILED),
        ("canceled", RefundStatus.CANCELED),
        ("new_word", None),
    ],
)
def test_statuses_of_refunds(word: str | None, status: RefundStatus | None) -> None:
    source = {"id": "1", "amount": -500} | ({"status": word} if word else {})
    found = returned.refund(source, CHARGE, as_of=AS_OF)
    assert (found.status, found.amount_minor, found.payment_id) == (status, 500, "charge")


@pytest.mark.parametrize("source", [{"amount": -5}, {"id": "1"}, {"id": "1", "amount": "-5"}])
def test_a_refund_without_what_every_one_has(source: dict[str, object]) -> None:
    with pytest.raises(Incomplete):
        returned.refund(source, CHARGE, as_of=AS_OF)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("action_required", DisputeStatus.NEEDS_RESPONSE),
        ("pending_review", DisputeStatus.UNDER_REVIEW),
        ("under_review", DisputeStatus.UNDER_REVIEW),
        ("represented", DisputeStatus.UNDER_REVIEW),
        ("rt", DisputeStatus.WARNING),
        ("rt_sent", DisputeStatus.WARNING),
        ("covered", DisputeStatus.WON),
        ("won", DisputeStatus.WON),
        ("lost", DisputeStatus.LOST),
        ("new_word", None),
    ],
)
def test_statuses_of_chargebacks(word: str, status: DisputeStatus | None) -> None:
    found = returned.dispute(CHARGE | {"chargeback": {"id": "1", "status": word}}, as_of=AS_OF)
    assert (found.status, found.provider_status) == (status, word)
