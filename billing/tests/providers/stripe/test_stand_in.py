"""The Stripe account behind a port: what it answers, how it breaks, and what it tells."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from billing.errors import OutcomeUnknown, PaymentDeclined, ProviderUnavailable, RateLimited
from billing.providers.stripe import StripeProvider, events
from billing.providers.types import (
    PaymentMethodRequest,
    Ref,
    SubscriptionRequest,
    SubscriptionUpdate,
)
from billing.testing import customer_request, key, plan_request
from billing.tests.accounts.faults import Fault
from billing.tests.accounts.server import CALL_TAKES, served
from billing.tests.contract.checks import Contract
from billing.tests.providers.stripe.shared_contract import contract_module
from billing.tests.stripe_account import StripeAccount, charging, journal
from billing.tests.stripe_account.journal import Journal, types

STARTED = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


@pytest.fixture
def account() -> StripeAccount:
    return StripeAccount(now=STARTED, step=CALL_TAKES)


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    return tmp_path / "calls.jsonl"


@pytest.fixture
def stripe(account: StripeAccount, calls: Path) -> Iterator[StripeProvider]:
    with served(account, calls=calls) as url:
        options: dict[str, Any] = {"api_key": "sk_test_fake", "api_base": url}
        options |= {"max_retries": 0, "read_timeout_seconds": 0.5}
        yield StripeProvider(alias="stripe", mode="test", options=options)


def subscription_request(stripe: StripeProvider, token: str) -> SubscriptionRequest:
    customer = stripe.create_customer(customer_request(), idempotency_key=key())
    method = stripe.create_payment_method(
        Ref(id=customer.id), PaymentMethodRequest(token=token), idempotency_key=key()
    )
    plan = stripe.create_plan(plan_request(), idempotency_key=key())
    return SubscriptionRequest(
        reference=key(),
        customer_id=customer.id,
        price_id=plan.id,
        payment_method_id=method.id,
    )


def made(account: StripeAccount, kind: str) -> list[Any]:
    return [each for each in account.objects.values() if each["object"] == kind]


def test_it_sells(stripe: StripeProvider, account: StripeAccount) -> None:
    request = subscription_request(stripe, "pm_card_visa")
    data = stripe.create_subscription(request, idempotency_key=key())
    (subscription,) = made(account, "subscription")
    assert (data.id, data.status) == (subscription["id"], "active")


def test_calls_are_written_as_the_contract_reads_them(stripe: StripeProvider, calls: Path) -> None:
    request = subscription_request(stripe, "pm_card_visa")
    sold = stripe.create_subscription(request, idempotency_key=key())
    invoices = stripe.list_invoices(Ref(id=request.customer_id))
    assert [each.subscription_id for each in invoices] == [sold.id]
    lines = [json.loads(line) for line in calls.read_text().splitlines()]
    assert len(lines) == 8
    assert "sk_test_fake" not in calls.read_text()
    contract = Contract()
    assert [contract.violations(each) for each in lines] == [[]] * 8


def test_what_one_call_wrote_is_older_than_what_the_next_reads(
    stripe: StripeProvider, account: StripeAccount
) -> None:
    journal = Journal(account)
    customer = stripe.create_customer(customer_request(), idempotency_key=key())
    (told,) = journal.take()
    assert datetime.fromtimestamp(told["created"], UTC) == STARTED + CALL_TAKES
    assert stripe.get_customer(Ref(id=customer.id)).as_of > STARTED + CALL_TAKES


def test_stripes_own_failure_stays_the_keys_answer(
    stripe: StripeProvider, account: StripeAccount
) -> None:
    account.break_next(Fault.FAIL, "POST", "customers")
    request, own = customer_request(), key()
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            stripe.create_customer(request, idempotency_key=own)
    (customer,) = made(account, "customer")
    found = stripe.find_customer(request.reference)
    assert found is not None
    assert found.id == customer["id"]


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.BREAK, Fault.HALF, Fault.RESET])
def test_a_lost_answer_is_repeated_with_one_effect(
    stripe: StripeProvider, account: StripeAccount, fault: Fault
) -> None:
    account.break_next(fault, "POST", "customers")
    request, own = customer_request(), key()
    with pytest.raises(OutcomeUnknown):
        stripe.create_customer(request, idempotency_key=own)
    again = stripe.create_customer(customer_request(), idempotency_key=key())
    assert [each["id"] for each in made(account, "customer")][1:] == [again.id]
    repeated = stripe.create_customer(request, idempotency_key=own)
    assert repeated.id == made(account, "customer")[0]["id"]
    assert len(made(account, "customer")) == 2


def test_a_deaf_server_does_nothing(stripe: StripeProvider, account: StripeAccount) -> None:
    account.break_next(Fault.DEAF, "*", "*")
    with pytest.raises(OutcomeUnknown):
        stripe.create_customer(customer_request(), idempotency_key=key())
    account.break_next(Fault.RESET, "GET", "customers/*")
    with pytest.raises(ProviderUnavailable):
        stripe.get_customer(Ref(id="cus_0001"))
    assert account.objects == {}


def test_too_many_requests(stripe: StripeProvider, account: StripeAccount) -> None:
    account.refuse_next("POST", "customers", 429)
    with pytest.raises(RateLimited) as refused:
        stripe.create_customer(customer_request(), idempotency_key=key())
    assert refused.value.retry_after == 1
    assert account.objects == {}


def test_the_sdk_repeats_with_the_same_key(account: StripeAccount) -> None:
    with served(account) as url:
        options = {"api_key": "sk_test_fake", "api_base": url, "max_retries": 2}
        stripe = StripeProvider(alias="stripe", mode="test", options=options)
        account.break_next(Fault.RESET, "POST", "customers")
        account.break_next(Fault.BREAK, "POST", "customers")
        stripe.create_customer(customer_request(), idempotency_key="one")
    assert account.keys() == ["one"] * 3
    assert len(made(account, "customer")) == 1


def test_side_by_side_a_key_has_one_effect(stripe: StripeProvider, account: StripeAccount) -> None:
    request = customer_request()

    def create(idempotency_key: str) -> str:
        return stripe.create_customer(request, idempotency_key=idempotency_key).id

    with ThreadPoolExecutor(8) as senders:
        ids = list(senders.map(create, ["a", "b", "c", "d"] * 4))
    assert ids[:4] * 4 == ids
    assert sorted(set(ids)) == sorted(each["id"] for each in made(account, "customer"))
    assert len(set(ids)) == 4


def test_what_a_sale_tells(stripe: StripeProvider, account: StripeAccount) -> None:
    journal = Journal(account)
    request = subscription_request(stripe, "pm_card_visa")
    stripe.create_subscription(request, idempotency_key=key())
    own = journal.take(request.customer_id)
    assert [each["type"] for each in own] == [
        "customer.created",
        "payment_method.attached",
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "payment_intent.created",
        "customer.subscription.updated",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
        "payment_intent.succeeded",
        "invoice_payment.paid",
        "charge.succeeded",
    ]
    listed = [json.loads(each.body) for each in stripe.list_events().items]
    assert [each for each in listed[::-1] if each in own] == own
    assert [each["type"] for each in journal.take()] == ["product.created", "price.created"]
    assert journal.take() == []
    assert own[6]["data"]["previous_attributes"]["status"] == "incomplete"
    checker = contract_module().Checker()
    assert [checker.check_webhook("stripe", each) for each in own] == [[]] * len(own)


def test_what_a_decline_tells(stripe: StripeProvider, account: StripeAccount) -> None:
    journal = Journal(account)
    request = subscription_request(stripe, "pm_card_chargeCustomerFail")
    with pytest.raises(PaymentDeclined):
        stripe.create_subscription(request, idempotency_key=key())
    told = [each["type"] for each in journal.take(request.customer_id)]
    assert told[-6:] == [
        "invoice.payment_failed",
        "payment_intent.payment_failed",
        "customer.subscription.updated",
        "invoice.updated",
        "invoice.voided",
        "payment_intent.canceled",
    ]


def test_it_sends_only_what_stripe_has() -> None:
    tables = (journal._MADE, journal._CHANGED, journal._ENDED, journal._ATTEMPTS)
    by_status = [each for told in journal._STATUSES.values() for each in told]
    sent = [*by_status, *(each for table in tables for each in table.values())]
    assert set(sent) <= events.KINDS.keys() | events.IGNORED.keys()


def sold(stripe: StripeProvider, token: str) -> str:
    request = subscription_request(stripe, token)
    return stripe.create_subscription(request, idempotency_key=key()).id


def state(account: StripeAccount, subscription_id: str) -> tuple[Any, ...]:
    """Of the subscription, and of its latest invoice and payment."""
    subscription = account.one(subscription_id)
    life = account.lives[subscription_id]
    objects = (subscription, account.one(life.invoice_id), account.one(life.payment_id))
    return tuple(each["status"] for each in objects)


@pytest.mark.parametrize("token", ["pm_usBankAccount", "pm_sepaDebit"])
def test_a_bank_debit_takes_days(
    stripe: StripeProvider, account: StripeAccount, token: str
) -> None:
    made = sold(stripe, token)
    assert state(account, made) == ("active", "open", "processing")
    started = account.now
    charging.arrive(account, made)
    assert state(account, made) == ("active", "paid", "succeeded")
    assert account.now - started > timedelta(days=3)


def test_a_renewal(stripe: StripeProvider, account: StripeAccount) -> None:
    made = sold(stripe, "pm_card_visa")
    charging.renew(account, made)
    assert state(account, made) == ("active", "paid", "succeeded")
    assert [each["status"] for each in account.all("invoice")] == ["paid", "paid"]


def test_a_renewal_that_is_planned_to_be_none(
    stripe: StripeProvider, account: StripeAccount
) -> None:
    made = sold(stripe, "pm_card_visa")
    stripe.cancel_subscription(Ref(id=made), at_period_end=True, idempotency_key=key())
    charging.renew(account, made)
    assert state(account, made) == ("canceled", "paid", "succeeded")


def test_a_card_that_is_refused_later(stripe: StripeProvider, account: StripeAccount) -> None:
    made = sold(stripe, "pm_card_visa")
    charging.refuse(account, account.one(made)["default_payment_method"])
    charging.renew(account, made)
    assert state(account, made) == ("past_due", "open", "requires_payment_method")
    charging.retry(account, made)
    (invoice, _) = account.all("invoice")
    assert invoice["attempt_count"] == 2
    charging.give_up(account, made)
    assert state(account, made)[0] == "canceled"
    assert account.one(made)["cancellation_details"]["reason"] == "payment_failed"


def test_a_change_is_paid_with_the_next_invoice(
    stripe: StripeProvider, account: StripeAccount
) -> None:
    """After half of the period: half of the old amount back, half of the new one to pay."""
    made = sold(stripe, "pm_card_visa")
    amount = account.all("invoice")[0]["total"]
    account.now += timedelta(days=15)
    change = SubscriptionUpdate(quantity=3)
    stripe.update_subscription(Ref(id=made), change, idempotency_key=key())
    charging.renew(account, made)
    (invoice, _) = account.all("invoice")
    back, more = (each["amount"] for each in invoice["lines"]["data"][:2])
    assert invoice["total"] == invoice["amount_paid"] == 3 * amount + back + more
    assert back == pytest.approx(-amount / 2, abs=2)
    assert more == pytest.approx(3 * amount / 2, abs=2)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"customer": "cus_1"}, {"customer": "cus_1", "x": 1}, ["payment_method.updated"]),
        ({"customer": "cus_1"}, {"customer": None}, ["payment_method.detached"]),
        ({"customer": None}, {"customer": "cus_1"}, ["payment_method.attached"]),
        (None, {"customer": None}, []),
    ],
)
def test_a_payment_method(before: Any, after: Any, told: list[str]) -> None:
    kind = {"object": "payment_method"}
    assert list(types(kind | after, before and kind | before)) == told
