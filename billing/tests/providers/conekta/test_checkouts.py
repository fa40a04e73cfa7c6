"""Conekta's pages: an order that is paid there, and a subscription's portal."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from billing.enums import CheckoutMode, CheckoutStatus, InvoiceStatus
from billing.errors import InvalidRequest, OutcomeUnknown
from billing.providers.conekta import ConektaProvider
from billing.providers.conekta.checkouts import checkout_data
from billing.providers.types import CheckoutRequest, Ref, SubscriptionRequest
from billing.testing import checkout_request, key, plan_request
from billing.tests.conekta_account import ConektaAccount, checkouts, orders

AS_OF = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
OPEN, COMPLETE, EXPIRED = CheckoutStatus.OPEN, CheckoutStatus.COMPLETE, CheckoutStatus.EXPIRED


@pytest.fixture
def selling(conekta: ConektaProvider, owner: Ref) -> CheckoutRequest:
    """A subscription."""
    plan = conekta.create_plan(plan_request(), idempotency_key=key())
    return checkout_request(owner, Ref(id=plan.id))


@pytest.fixture
def payment(selling: CheckoutRequest) -> CheckoutRequest:
    sold = {"amount_minor": 19990, "currency": "MXN", "description": "A book"}
    return replace(selling, mode=CheckoutMode.PAYMENT, price_id="", **sold)


def sent(account: ConektaAccount) -> dict[str, object]:
    found = account.sent("POST", "orders")
    assert len(found) == 1
    return dict(found[0])


def test_a_subscription_is_sold_by_card(
    conekta: ConektaProvider, account: ConektaAccount, selling: CheckoutRequest
) -> None:
    made = conekta.create_checkout(selling, idempotency_key=key())
    assert sent(account)["checkout"] == {
        "type": "HostedPayment",
        "allowed_payment_methods": ["card"],
        "plan_ids": [selling.price_id],
        "success_url": selling.success_url,
        "failure_url": selling.cancel_url or selling.success_url,
    }
    assert made.expires_at
    assert (made.payment_id, made.invoice_id) == (None, None)


def test_a_payment_by_voucher_is_complete_before_it_is_paid(
    conekta: ConektaProvider, account: ConektaAccount, payment: CheckoutRequest
) -> None:
    made = conekta.create_checkout(payment, idempotency_key=key())
    assert (made.status, made.total_minor, made.currency) == (OPEN, 19990, "MXN")
    cash = {"payment_method": {"type": "cash"}}
    orders.act(account, ["POST", "orders", made.id, "charges"], cash)
    waiting = conekta.get_checkout(Ref(id=made.id))
    assert (waiting.status, waiting.is_paid, waiting.url) == (COMPLETE, False, "")
    orders.pay(account, made.id)
    paid = conekta.get_checkout(Ref(id=made.id))
    assert paid.is_paid
    assert conekta.get_invoice(Ref(id=str(paid.invoice_id))).status is InvoiceStatus.PAID
    assert paid.payment_id == account.all("charge")[0]["id"]


def test_a_price_is_sold_so_many_times(
    conekta: ConektaProvider, account: ConektaAccount, selling: CheckoutRequest
) -> None:
    request = replace(selling, mode=CheckoutMode.PAYMENT, quantity=3)
    made = conekta.create_checkout(request, idempotency_key=key())
    assert made.total_minor == 3 * account.one(selling.price_id)["amount"]


def test_it_runs_out(
    conekta: ConektaProvider, account: ConektaAccount, payment: CheckoutRequest
) -> None:
    made = conekta.create_checkout(payment, idempotency_key=key())
    checkouts.expire(account, account.one(made.id)["checkout"]["id"])
    over = conekta.get_checkout(Ref(id=made.id))
    assert (over.status, over.url, over.is_paid) == (EXPIRED, "", False)


def test_a_lost_answer_makes_no_second_page(
    conekta: ConektaProvider, account: ConektaAccount, payment: CheckoutRequest
) -> None:
    account.lose_next("POST", "orders")
    with pytest.raises(OutcomeUnknown):
        conekta.create_checkout(payment, idempotency_key=key())
    found = conekta.create_checkout(payment, idempotency_key=key())
    assert (found.reference, found.status) == (payment.reference, OPEN)
    assert len(account.all("order")) == 1


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"mode": CheckoutMode.SETUP}, "mode"),
        ({"mode": CheckoutMode.SUBSCRIPTION}, "price_id"),
        ({"amount_minor": 0}, "amount_minor"),
        ({"currency": ""}, "currency"),
        ({"description": ""}, "description"),
    ],
)
def test_what_cannot_be_sold(
    conekta: ConektaProvider,
    account: ConektaAccount,
    payment: CheckoutRequest,
    changes: dict[str, object],
    param: str,
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        conekta.create_checkout(replace(payment, **changes), idempotency_key=key())  # type: ignore[arg-type]
    assert refused.value.param == param
    assert account.all("order") == []


@pytest.mark.parametrize(
    ("word", "status"),
    [("Issued", OPEN), ("Expired", EXPIRED), ("Cancelled", EXPIRED), ("new", None), (7, None)],
)
def test_words_for_how_it_stands(word: object, status: CheckoutStatus | None) -> None:
    source = {"id": "ord_1", "amount": 1, "currency": "MXN", "checkout": {"status": word}}
    assert checkout_data(source, as_of=AS_OF).status is status


def test_a_portal_is_a_subscription_s(
    conekta: ConektaProvider, account: ConektaAccount, owner: Ref, wanted: SubscriptionRequest
) -> None:
    with pytest.raises(InvalidRequest):
        conekta.create_portal_session(owner, return_url="", idempotency_key=key())
    conekta.create_subscription(wanted, idempotency_key=key())
    made = conekta.create_portal_session(owner, return_url="", idempotency_key=key())
    assert made.customer_id == owner.id
    assert made.url not in str(made.raw)
