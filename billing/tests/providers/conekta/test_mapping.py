from datetime import UTC, datetime
from typing import Any

import pytest

from billing.enums import BillingInterval, EndReason, PaymentMethodType, SubscriptionStatus
from billing.providers.conekta import mapping
from billing.providers.values import Incomplete
from billing.testing import check_data
from billing.tests.providers.conekta.conftest import example
from billing.tests.providers.json_places import GONE, places, with_value

AS_OF = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
READ = {
    "customer": mapping.customer,
    "payment_source": mapping.payment_method,
    "subscription": mapping.subscription,
    "plan": mapping.plan,
}
# Without these there is nothing to map.
NEEDED = {"customer": {"id"}, "payment_source": {"id"}, "subscription": {"id"}}
NEEDED |= {"plan": {"id", "amount", "currency"}}
ODD: list[Any] = [
    None, "", "\x00", "x" * 5000, 0, -1, 2**63, 1.5, True, [], {}, [[]], {"id": {}}, "9" * 5000,
]  # fmt: skip


def unix(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class TestOddFields:
    @pytest.mark.parametrize("name", READ)
    def test_what_is_missing_or_odd_costs_its_own_field_only(self, name: str) -> None:
        source = example(name)
        for where in places(source):
            for value in [GONE, *ODD]:
                changed = with_value(source, where, value)
                try:
                    data = READ[name](changed, as_of=AS_OF)
                except Incomplete:
                    assert where[0] in NEEDED[name]
                else:
                    check_data(data)
                    assert data.raw == changed

    @pytest.mark.parametrize("name", READ)
    def test_without_a_time_of_its_own_nothing_else_is_lost(self, name: str) -> None:
        source = example(name)
        whole = READ[name](source, as_of=AS_OF)
        del source["created_at"]
        bare = READ[name](source, as_of=AS_OF)
        told = {each: getattr(whole, each) for each in whole.__slots__}
        left = {each: getattr(bare, each) for each in bare.__slots__}
        changed = {each for each in told if told[each] != left[each]} - {"raw"}
        assert changed <= {"created_at"}


class TestCustomer:
    def test_reads_the_published_example(self) -> None:
        data = mapping.customer(example("customer"), as_of=AS_OF)
        assert (data.id, data.email) == ("cus_2tHJfJ79KyUwpxTik", "Felipe@gmail.com")
        assert (data.name, data.reference) == ("Felipe", "custom_reference")
        assert data.default_payment_method_id == "src_2tHJfJ79KyUwpxTio"
        assert data.created_at == unix(1485151007)
        assert not data.is_deleted

    def test_a_reference_in_the_metadata_is_one(self) -> None:
        source = example("customer", custom_reference="", metadata={"cobro_reference": "ours"})
        assert mapping.customer(source, as_of=AS_OF).reference == "ours"


class TestPaymentMethod:
    def test_a_card(self) -> None:
        data = mapping.payment_method(example("payment_source"), as_of=AS_OF)
        assert (data.type, data.brand, data.last4) == (PaymentMethodType.CARD, "visa", "0526")
        assert (data.exp_month, data.exp_year) == (1, 2025)
        assert data.customer_id == "cus_2tUkvasdas1s4ihjs"
        assert data.is_active

    @pytest.mark.parametrize(
        ("word", "kind"),
        [
            ("cash_recurrent", PaymentMethodType.OXXO),
            ("oxxo_recurrent", PaymentMethodType.OXXO),
            ("spei_recurrent", PaymentMethodType.SPEI),
            ("brand_new_wallet", "brand_new_wallet"),
        ],
    )
    def test_other_types(self, word: str, kind: str) -> None:
        source = {"id": "src_1", "type": word, "parent_id": "cus_1", "expires_at": "0"}
        data = mapping.payment_method(source, as_of=AS_OF)
        assert (data.id, data.type, data.is_active) == ("src_1", kind, True)

    @pytest.mark.parametrize("changes", [{"payment_source_status": "inactive"}, {"deleted": True}])
    def test_one_that_is_gone(self, changes: dict[str, Any]) -> None:
        source = example("payment_source", **changes)
        assert not mapping.payment_method(source, as_of=AS_OF).is_active

    @pytest.mark.parametrize(
        ("told", "year"), [("25", 2025), ("2031", 2031), (30, 2030), ("x", None)]
    )
    def test_years(self, told: Any, year: int | None) -> None:
        source = example("payment_source", exp_year=told)
        assert mapping.payment_method(source, as_of=AS_OF).exp_year == year


class TestSubscription:
    def test_reads_the_published_example(self) -> None:
        data = mapping.subscription(example("subscription"), as_of=AS_OF)
        assert (data.status, data.provider_status) == (SubscriptionStatus.PAST_DUE, "past_due")
        assert data.current_period_start == unix(1677626827)
        assert data.current_period_end == unix(1680305227)
        assert data.price_id == "plan_2tXx672QLQ68CkmMn"
        assert data.payment_method_id == "src_2tKcHxhTz7xU5SymL"
        assert data.latest_invoice_id == "ord_2tSoMP7bZJbLiq4z8"
        assert (data.reference, data.quantity, data.ended_at) == (None, 1, None)

    @pytest.mark.parametrize(
        ("word", "status"),
        [
            ("in_trial", SubscriptionStatus.TRIALING),
            ("active", SubscriptionStatus.ACTIVE),
            ("paused", SubscriptionStatus.PAUSED),
            ("canceled", SubscriptionStatus.CANCELED),
            ("expired", SubscriptionStatus.CANCELED),
            ("brand_new", None),
            (None, None),
        ],
    )
    def test_each_word(self, word: Any, status: SubscriptionStatus | None) -> None:
        data = mapping.subscription(example("subscription", status=word), as_of=AS_OF)
        assert (data.status, data.provider_status) == (status, word or "")

    def test_one_that_was_never_paid_is_incomplete(self) -> None:
        source = example("subscription", billing_cycle_start=None)
        data = mapping.subscription(source, as_of=AS_OF)
        assert data.status is SubscriptionStatus.INCOMPLETE

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"status": "canceled"}, EndReason.CUSTOMER),
            ({"status": "canceled", "canceled_reason": "max_retries"}, EndReason.PROVIDER),
            ({"status": "canceled", "canceled_reason": None}, None),
            ({"status": "expired"}, EndReason.TERM_COMPLETED),
            ({"status": "active"}, None),
        ],
    )
    def test_why_it_ended(self, changes: dict[str, Any], reason: EndReason | None) -> None:
        data = mapping.subscription(example("subscription", **changes), as_of=AS_OF)
        assert data.end_reason is reason
        assert (data.ended_at is None) is (changes["status"] == "active")


class TestPlan:
    def test_reads_the_published_example(self) -> None:
        data = mapping.plan(example("plan"), as_of=AS_OF)
        assert (data.amount_minor, data.currency) == (10000, "MXN")
        assert (data.interval, data.name) == (BillingInterval.MONTHLY, "Extra Plan3")
        assert (data.product_id, data.reference, data.is_active) == ("", None, True)

    @pytest.mark.parametrize(
        ("changes", "interval"),
        [
            ({"interval": "year"}, BillingInterval.YEARLY),
            ({"interval": "half_month"}, None),
            ({"frequency": 3}, None),
        ],
    )
    def test_intervals(self, changes: dict[str, Any], interval: BillingInterval | None) -> None:
        assert mapping.plan(example("plan", **changes), as_of=AS_OF).interval is interval

    def test_an_id_that_we_chose_is_our_reference(self) -> None:
        chosen = "0b2f9d5e-6d3a-4a50-9a1c-6f4f1a4a7d11"
        assert mapping.plan(example("plan", id=chosen), as_of=AS_OF).reference == chosen
