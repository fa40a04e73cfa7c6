"""Stripe's own pages: Checkout and the customer portal."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from billing.enums import CheckoutMode, CheckoutStatus, SubscriptionStatus
from billing.errors import InvalidRequest, OutcomeUnknown, ProviderObjectMissing
from billing.providers.stripe import StripeProvider
from billing.providers.stripe.checkouts import checkout_data
from billing.providers.types import CheckoutRequest, Ref, SubscriptionRequest
from billing.testing import key
from billing.tests.stripe_account import StripeAccount
from billing.tests.stripe_account.checkouts import expire
from billing.tests.stripe_life import published

TRIAL_END = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def selling(wanted: SubscriptionRequest) -> CheckoutRequest:
    return CheckoutRequest(
        reference="row-1",
        mode=CheckoutMode.SUBSCRIPTION,
        customer_id=wanted.customer_id,
        success_url="https://shop.example/ok?id={CHECKOUT_SESSION_ID}",
        cancel_url="https://shop.example/no",
        price_id=wanted.price_id,
        quantity=2,
        metadata={"organization_id": "org-1"},
    )


def payment(selling: CheckoutRequest) -> CheckoutRequest:
    return replace(
        selling,
        mode=CheckoutMode.PAYMENT,
        price_id="",
        amount_minor=500,
        currency="ISK",
        description="A poster",
    )


def setup(selling: CheckoutRequest) -> CheckoutRequest:
    return replace(selling, mode=CheckoutMode.SETUP, price_id="", currency="EUR")


def sent(account: StripeAccount) -> dict[str, str]:
    (params,) = account.sent("POST", "checkout/sessions")
    return params


class TestSubscription:
    def test_what_is_sent(
        self, stripe: StripeProvider, account: StripeAccount, selling: CheckoutRequest
    ) -> None:
        made = stripe.create_checkout(selling, idempotency_key="op-checkout")
        assert sent(account) == {
            "mode": "subscription",
            "customer": selling.customer_id,
            "client_reference_id": "row-1",
            "success_url": "https://shop.example/ok?id={CHECKOUT_SESSION_ID}",
            "cancel_url": "https://shop.example/no",
            "metadata[organization_id]": "org-1",
            "metadata[cobro_reference]": "row-1",
            "subscription_data[metadata][organization_id]": "org-1",
            "subscription_data[metadata][cobro_reference]": "row-1",
            "line_items[0][price]": selling.price_id,
            "line_items[0][quantity]": "2",
        }
        assert account.keys()[-1] == "op-checkout"
        assert (made.mode, made.status) == (CheckoutMode.SUBSCRIPTION, CheckoutStatus.OPEN)
        assert made.url.startswith("https://checkout.stripe.com/")
        assert (made.total_minor, made.currency, made.is_paid) == (59800, "MXN", False)
        assert made.expires_at == account.now + timedelta(hours=24)
        assert (made.customer_id, made.reference) == (selling.customer_id, "row-1")

    def test_the_subscription_it_makes_carries_our_reference(
        self, stripe: StripeProvider, account: StripeAccount, selling: CheckoutRequest
    ) -> None:
        made = stripe.create_checkout(selling, idempotency_key=key())
        account.complete_checkout(made.id)
        done = stripe.get_checkout(Ref(id=made.id))
        assert (done.status, done.is_paid, done.url) == (CheckoutStatus.COMPLETE, True, "")
        assert done.subscription_id
        bought = stripe.get_subscription(Ref(id=done.subscription_id))
        assert (bought.status, bought.reference) == (SubscriptionStatus.ACTIVE, "row-1")
        assert (bought.price_id, bought.quantity) == (selling.price_id, 2)
        assert done.invoice_id == bought.latest_invoice_id

    def test_with_a_trial(
        self, stripe: StripeProvider, account: StripeAccount, selling: CheckoutRequest
    ) -> None:
        request = replace(selling, trial_end_at=TRIAL_END)
        made = stripe.create_checkout(request, idempotency_key=key())
        assert sent(account)["subscription_data[trial_end]"] == str(int(TRIAL_END.timestamp()))
        assert (made.total_minor, made.is_paid) == (0, False)
        account.complete_checkout(made.id)
        done = stripe.get_checkout(Ref(id=made.id))
        assert (done.status, done.is_paid) == (CheckoutStatus.COMPLETE, True)


class TestPayment:
    def test_of_an_amount(
        self, stripe: StripeProvider, account: StripeAccount, selling: CheckoutRequest
    ) -> None:
        made = stripe.create_checkout(payment(selling), idempotency_key=key())
        params = sent(account)
        assert params["line_items[0][price_data][unit_amount]"] == "50000"
        assert params["line_items[0][price_data][currency]"] == "isk"
        assert params["line_items[0][price_data][product_data][name]"] == "A poster"
        assert params["payment_intent_data[metadata][cobro_reference]"] == "row-1"
        assert (made.total_minor, made.currency) == (1000, "ISK")
        account.complete_checkout(made.id)
        done = stripe.get_checkout(Ref(id=made.id))
        assert done.is_paid
        assert done.payment_id
        paid = stripe.get_payment(Ref(id=done.payment_id))
        assert (paid.amount_minor, paid.reference) == (1000, "row-1")

    def test_of_a_price(
        self, stripe: StripeProvider, account: StripeAccount, selling: CheckoutRequest
    ) -> None:
        account.objects[selling.price_id]["recurring"] = None
        request = replace(selling, mode=CheckoutMode.PAYMENT)
        made = stripe.create_checkout(request, idempotency_key=key())
        assert sent(account)["line_items[0][price]"] == selling.price_id
        assert made.total_minor == 59800

    def test_a_debit_is_complete_and_not_paid(
        self, stripe: StripeProvider, account: StripeAccount, selling: CheckoutRequest
    ) -> None:
        made = stripe.create_checkout(payment(selling), idempotency_key=key())
        account.complete_checkout(made.id, "pm_sepaDebit")
        done = stripe.get_checkout(Ref(id=made.id))
        assert (done.status, done.is_paid) == (CheckoutStatus.COMPLETE, False)


class TestSetup:
    def test_it_keeps_a_method(
        self, stripe: StripeProvider, account: StripeAccount, selling: CheckoutRequest
    ) -> None:
        made = stripe.create_checkout(setup(selling), idempotency_key=key())
        params = sent(account)
        assert params["currency"] == "eur"
        assert params["setup_intent_data[metadata][cobro_reference]"] == "row-1"
        assert not [name for name in params if name.startswith("line_items")]
        account.complete_checkout(made.id)
        done = stripe.get_checkout(Ref(id=made.id))
        assert done.setup_session_id
        session = stripe.get_setup_session(Ref(id=done.setup_session_id))
        assert session.reference == "row-1"
        assert session.payment_method_id


class TestAll:
    @pytest.mark.parametrize(
        ("changes", "param"),
        [
            ({"price_id": ""}, "price_id"),
            ({"mode": CheckoutMode.SETUP}, "currency"),
            ({"mode": CheckoutMode.PAYMENT, "price_id": ""}, "currency"),
            ({"mode": CheckoutMode.PAYMENT, "price_id": "", "currency": "USD"}, "amount_minor"),
        ],
    )
    def test_what_is_missing_is_told(
        self,
        stripe: StripeProvider,
        account: StripeAccount,
        selling: CheckoutRequest,
        changes: dict[str, object],
        param: str,
    ) -> None:
        account.calls.clear()
        with pytest.raises(InvalidRequest) as refused:
            stripe.create_checkout(replace(selling, **changes), idempotency_key=key())
        assert refused.value.param == param
        assert account.calls == []

    def test_one_that_runs_out(
        self, stripe: StripeProvider, account: StripeAccount, selling: CheckoutRequest
    ) -> None:
        made = stripe.create_checkout(selling, idempotency_key=key())
        expire(account, made.id)
        gone = stripe.get_checkout(Ref(id=made.id))
        assert (gone.status, gone.url, gone.is_paid) == (CheckoutStatus.EXPIRED, "", False)

    def test_one_that_never_was(self, stripe: StripeProvider, account: StripeAccount) -> None:
        with pytest.raises(ProviderObjectMissing):
            stripe.get_checkout(Ref(id="cs_none"))

    def test_a_lost_answer_opens_one(
        self, stripe: StripeProvider, account: StripeAccount, selling: CheckoutRequest
    ) -> None:
        account.lose_next("POST", "checkout/sessions")
        used = key()
        with pytest.raises(OutcomeUnknown):
            stripe.create_checkout(selling, idempotency_key=used)
        made = stripe.create_checkout(selling, idempotency_key=used)
        assert [each["id"] for each in account.all("checkout.session")] == [made.id]

    def test_words_that_we_do_not_know_cost_nothing_else(self) -> None:
        source = published("checkout.session") | {"status": "paused", "mode": "auction"}
        found = checkout_data(source, as_of=TRIAL_END)
        assert (found.status, found.mode, found.provider_status) == (None, None, "paused")
        assert found.id == source["id"]
        assert found.payment_id == source["payment_intent"]


class TestPortal:
    def test_a_customer_is_let_in(
        self, stripe: StripeProvider, account: StripeAccount, wanted: SubscriptionRequest
    ) -> None:
        customer = Ref(id=wanted.customer_id)
        made = stripe.create_portal_session(
            customer, return_url="https://shop.example/account", idempotency_key="op-portal"
        )
        assert account.sent("POST", "billing_portal/sessions") == [
            {"customer": customer.id, "return_url": "https://shop.example/account"}
        ]
        assert account.keys()[-1] == "op-portal"
        assert made.url.startswith("https://billing.stripe.com/")
        assert (made.customer_id, made.expires_at) == (customer.id, None)
        assert made.url not in repr(made)

    def test_nobody_is_let_in_for_one_who_is_gone(
        self, stripe: StripeProvider, account: StripeAccount
    ) -> None:
        with pytest.raises(ProviderObjectMissing):
            stripe.create_portal_session(
                Ref(id="cus_none"), return_url="https://shop.example", idempotency_key=key()
            )
