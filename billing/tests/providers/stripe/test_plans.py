from dataclasses import replace

import pytest

from billing.enums import BillingInterval
from billing.errors import InvalidRequest
from billing.providers.stripe import StripeProvider
from billing.providers.types import Ref
from billing.testing import key, plan_request
from billing.tests.stripe_account import StripeAccount


def test_a_plan_is_a_product_and_a_price(stripe: StripeProvider, account: StripeAccount) -> None:
    request = plan_request(interval=BillingInterval.YEARLY)
    made = stripe.create_plan(request, idempotency_key="op-plan")
    assert account.sent("POST", "products") == [
        {
            "name": "Pro",
            "description": "All of it",
            "metadata[cobro_plan_reference]": request.plan_reference,
        }
    ]
    assert account.sent("POST", "prices") == [
        {
            "product": made.product_id,
            "currency": "mxn",
            "unit_amount": "29900",
            "recurring[interval]": "year",
            "metadata[cobro_reference]": request.reference,
            "metadata[cobro_plan_reference]": request.plan_reference,
            "expand[0]": "product",
        }
    ]
    assert account.keys() == ["op-plan-product", "op-plan"]
    assert (made.name, made.amount_minor, made.currency) == ("Pro", 29900, "MXN")
    assert (made.interval, made.is_active) == (BillingInterval.YEARLY, True)
    assert made.reference == request.reference


def test_a_known_product_gets_another_price(stripe: StripeProvider, account: StripeAccount) -> None:
    first = stripe.create_plan(plan_request(), idempotency_key=key())
    request = plan_request(product_id=first.product_id)
    second = stripe.create_plan(request, idempotency_key=key())
    assert second.product_id == first.product_id
    assert second.id != first.id
    assert len(account.sent("POST", "products")) == 1


def test_a_repeated_key_makes_nothing_new(stripe: StripeProvider, account: StripeAccount) -> None:
    request, used = plan_request(), key()
    first = stripe.create_plan(request, idempotency_key=used)
    assert stripe.create_plan(request, idempotency_key=used) == first
    assert len(account.objects) == 2


def test_without_description(stripe: StripeProvider, account: StripeAccount) -> None:
    made = stripe.create_plan(plan_request(description=""), idempotency_key=key())
    assert "description" not in account.sent("POST", "products")[0]
    stripe.update_plan(Ref(id=made.id), plan_request(description=""), idempotency_key=key())
    (changed,) = account.sent("POST", f"products/{made.product_id}")
    assert changed == {"name": "Pro", "description": ""}


@pytest.mark.parametrize(
    ("minor", "currency", "theirs"),
    [
        (1999, "USD", "1999"),
        (435, "EUR", "435"),
        (110, "MXN", "110"),
        (1999, "JPY", "1999"),
        (19990, "KWD", "19990"),
        (0, "USD", "0"),
        (500, "ISK", "50000"),
        (500, "UGX", "50000"),
        (500, "MGA", "5"),
    ],
)
def test_amounts_go_in_stripe_s_units_and_come_back_in_ours(
    stripe: StripeProvider, account: StripeAccount, minor: int, currency: str, theirs: str
) -> None:
    request = plan_request(amount_minor=minor, currency=currency)
    made = stripe.create_plan(request, idempotency_key=key())
    (sent,) = account.sent("POST", "prices")
    assert (sent["unit_amount"], sent["currency"]) == (theirs, currency.lower())
    assert (made.amount_minor, made.currency) == (minor, currency)


@pytest.mark.parametrize(
    ("minor", "currency"),
    [(-1, "USD"), (True, "USD"), (19995, "KWD"), (505, "MGA"), (500, "usd"), (500, "")],
)
def test_an_amount_that_stripe_reads_otherwise_is_not_sent(
    stripe: StripeProvider, account: StripeAccount, minor: int, currency: str
) -> None:
    request = plan_request(amount_minor=minor, currency=currency)
    with pytest.raises(InvalidRequest):
        stripe.create_plan(request, idempotency_key=key())
    assert account.calls == []


@pytest.mark.parametrize(
    "change",
    [{"amount_minor": 1}, {"currency": "USD"}, {"interval": BillingInterval.YEARLY}],
)
def test_another_amount_is_another_price(
    stripe: StripeProvider, account: StripeAccount, change: dict[str, object]
) -> None:
    request = plan_request()
    made = stripe.create_plan(request, idempotency_key=key())
    account.calls.clear()
    with pytest.raises(InvalidRequest):
        stripe.update_plan(Ref(id=made.id), replace(request, **change), idempotency_key=key())
    assert [call["method"] for call in account.calls] == ["GET"]


def test_an_archived_plan_is_sold_no_more(stripe: StripeProvider, account: StripeAccount) -> None:
    made = stripe.create_plan(plan_request(), idempotency_key=key())
    gone = stripe.archive_plan(Ref(id=made.id), idempotency_key="op-gone")
    assert not gone.is_active
    assert account.sent("POST", f"prices/{made.id}") == [
        {"active": "false", "expand[0]": "product"}
    ]
    assert account.keys()[-1] == "op-gone"
    assert stripe.list_plans() == []


def test_prices_that_are_none_of_ours_are_passed_over(
    stripe: StripeProvider, account: StripeAccount
) -> None:
    made = stripe.create_plan(plan_request(), idempotency_key=key())
    weekly = stripe.create_plan(plan_request(), idempotency_key=key())
    account.objects[weekly.id]["recurring"]["interval"] = "week"
    tiers = stripe.create_plan(plan_request(), idempotency_key=key())
    account.objects[tiers.id] |= {"unit_amount": None, "unit_amount_decimal": "0.5"}
    quarterly = stripe.create_plan(plan_request(), idempotency_key=key())
    account.objects[quarterly.id]["recurring"]["interval_count"] = 3
    found = {each.id: each.interval for each in stripe.list_plans()}
    assert found == {made.id: BillingInterval.MONTHLY, weekly.id: None, quarterly.id: None}


def test_a_price_of_an_archived_product_is_not_active(
    stripe: StripeProvider, account: StripeAccount
) -> None:
    made = stripe.create_plan(plan_request(), idempotency_key=key())
    account.objects[made.product_id]["active"] = False
    assert not stripe.get_plan(Ref(id=made.id)).is_active
