"""Single charges, outside any subscription."""

from dataclasses import replace

import pytest

from billing.enums import NextActionType, PaymentStatus
from billing.errors import InvalidRequest, OutcomeUnknown, PaymentDeclined
from billing.providers.stripe import StripeProvider
from billing.providers.types import PaymentMethodRequest, PaymentRequest, Ref, SubscriptionRequest
from billing.testing import key
from billing.tests.stripe_account import StripeAccount


@pytest.fixture
def charge(wanted: SubscriptionRequest) -> PaymentRequest:
    assert wanted.payment_method_id
    return PaymentRequest(
        reference="payment-row",
        customer_id=wanted.customer_id,
        payment_method_id=wanted.payment_method_id,
        amount_minor=1999,
        currency="USD",
        description="A poster",
        metadata={"organization_id": "org-1"},
    )


def with_card(stripe: StripeProvider, charge: PaymentRequest, token: str) -> PaymentRequest:
    made = stripe.create_payment_method(
        Ref(id=charge.customer_id), PaymentMethodRequest(token=token), idempotency_key=key()
    )
    return replace(charge, payment_method_id=made.id)


def test_a_card_is_charged(
    stripe: StripeProvider, account: StripeAccount, charge: PaymentRequest
) -> None:
    account.calls.clear()
    paid = stripe.create_payment(charge, idempotency_key="op-charge")
    assert account.sent("POST", "payment_intents") == [
        {
            "amount": "1999",
            "currency": "usd",
            "customer": charge.customer_id,
            "payment_method": charge.payment_method_id,
            "confirm": "true",
            "off_session": "false",
            "automatic_payment_methods[enabled]": "true",
            "automatic_payment_methods[allow_redirects]": "never",
            "description": "A poster",
            "metadata[organization_id]": "org-1",
            "metadata[cobro_reference]": "payment-row",
            "expand[0]": "latest_charge",
        }
    ]
    assert account.keys() == ["op-charge"]
    assert (paid.status, paid.amount_minor, paid.currency) == (PaymentStatus.SUCCEEDED, 1999, "USD")
    assert (paid.customer_id, paid.reference) == (charge.customer_id, "payment-row")
    assert paid.payment_method_id == charge.payment_method_id
    assert paid.paid_at
    assert (paid.invoice_id, paid.next_action) == (None, None)
    assert stripe.get_payment(Ref(id=paid.id)).status is PaymentStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("return_url", "action"),
    [("", NextActionType.USE_SDK), ("https://shop.example/back", NextActionType.REDIRECT)],
)
def test_a_card_that_needs_its_owner(
    stripe: StripeProvider,
    account: StripeAccount,
    charge: PaymentRequest,
    return_url: str,
    action: NextActionType,
) -> None:
    challenged = with_card(stripe, charge, "pm_card_authenticationRequired")
    waiting = stripe.create_payment(
        replace(challenged, return_url=return_url), idempotency_key=key()
    )
    assert waiting.status is PaymentStatus.REQUIRES_ACTION
    assert waiting.next_action
    assert waiting.next_action.type is action
    assert waiting.next_action.details.get("url" if return_url else "client_secret")
    (sent,) = account.sent("POST", "payment_intents")
    redirects = sent.get("automatic_payment_methods[allow_redirects]")
    assert (sent.get("return_url", ""), redirects) == (return_url, None if return_url else "never")
    account.authenticate(waiting.id)
    assert stripe.get_payment(Ref(id=waiting.id)).status is PaymentStatus.SUCCEEDED


def test_off_session_that_is_a_decline(
    stripe: StripeProvider, account: StripeAccount, charge: PaymentRequest
) -> None:
    challenged = with_card(stripe, charge, "pm_card_authenticationRequired")
    with pytest.raises(PaymentDeclined) as declined:
        stripe.create_payment(
            replace(challenged, is_off_session=True, return_url="https://shop.example/back"),
            idempotency_key=key(),
        )
    assert declined.value.decline_code == "authentication_required"
    (sent,) = account.sent("POST", "payment_intents")
    assert sent["off_session"] == "true"
    assert "return_url" not in sent


def test_a_decline(stripe: StripeProvider, account: StripeAccount, charge: PaymentRequest) -> None:
    broke = with_card(stripe, charge, "pm_card_chargeCustomerFail")
    used = key()
    for _ in range(2):
        with pytest.raises(PaymentDeclined) as declined:
            stripe.create_payment(broke, idempotency_key=used)
        assert declined.value.decline_code == "insufficient_funds"
    assert len(account.all("payment_intent")) == 1


@pytest.mark.parametrize("token", ["pm_sepaDebit", "pm_usBankAccount"])
def test_a_debit_takes_days(
    stripe: StripeProvider, account: StripeAccount, charge: PaymentRequest, token: str
) -> None:
    debit = replace(with_card(stripe, charge, token), currency="EUR")
    under_way = stripe.create_payment(debit, idempotency_key=key())
    assert under_way.status is PaymentStatus.PROCESSING
    assert under_way.paid_at is None
    assert under_way.next_action
    assert under_way.next_action.type is NextActionType.WAIT


@pytest.mark.parametrize(
    ("minor", "currency", "theirs"), [(500, "ISK", "50000"), (500, "JPY", "500")]
)
def test_amounts_are_stripe_s(
    stripe: StripeProvider,
    account: StripeAccount,
    charge: PaymentRequest,
    minor: int,
    currency: str,
    theirs: str,
) -> None:
    paid = stripe.create_payment(
        replace(charge, amount_minor=minor, currency=currency), idempotency_key=key()
    )
    (sent,) = account.sent("POST", "payment_intents")
    assert (sent["amount"], paid.amount_minor, paid.currency) == (theirs, minor, currency)


@pytest.mark.parametrize(("minor", "currency"), [(0, "USD"), (-1, "USD"), (5124, "KWD")])
def test_what_is_no_amount_is_not_sent(
    stripe: StripeProvider,
    account: StripeAccount,
    charge: PaymentRequest,
    minor: int,
    currency: str,
) -> None:
    account.calls.clear()
    with pytest.raises(InvalidRequest):
        stripe.create_payment(
            replace(charge, amount_minor=minor, currency=currency), idempotency_key=key()
        )
    assert account.calls == []


def test_a_lost_answer_charges_once(
    stripe: StripeProvider, account: StripeAccount, charge: PaymentRequest
) -> None:
    account.lose_next("POST", "payment_intents")
    used = key()
    with pytest.raises(OutcomeUnknown):
        stripe.create_payment(charge, idempotency_key=used)
    paid = stripe.create_payment(charge, idempotency_key=used)
    assert [each["id"] for each in account.all("payment_intent")] == [paid.id]


def test_months_without_interest_are_not_asked_of_stripe(
    stripe: StripeProvider, account: StripeAccount, charge: PaymentRequest
) -> None:
    with pytest.raises(InvalidRequest):
        stripe.create_payment(replace(charge, installments=3), idempotency_key=key())
    assert account.sent("POST", "payment_intents") == []
