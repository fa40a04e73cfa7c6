"""Meters, and usage that is counted once."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from billing.enums import Aggregation
from billing.errors import InvalidRequest, OutcomeUnknown
from billing.providers.stripe import StripeProvider
from billing.providers.types import MeterRequest, UsageReport
from billing.testing import key
from billing.tests.accounts.account import NOW
from billing.tests.stripe_account import StripeAccount
from billing.tests.stripe_account.meters import used

METER = MeterRequest(event_name="api_calls", name="API calls")
REPORT = UsageReport(
    reference="usage-row-1",
    event_name="api_calls",
    customer_id="cus_1",
    value=Decimal("25"),
    occurred_at=NOW - timedelta(hours=1),
)


@pytest.fixture
def meter(stripe: StripeProvider, account: StripeAccount) -> str:
    return stripe.create_meter(METER, idempotency_key=key()).id


class TestMeter:
    def test_it_is_made(self, stripe: StripeProvider, account: StripeAccount) -> None:
        made = stripe.create_meter(METER, idempotency_key="op-meter")
        assert account.sent("POST", "billing/meters") == [
            {
                "display_name": "API calls",
                "event_name": "api_calls",
                "default_aggregation[formula]": "sum",
                "customer_mapping[type]": "by_id",
                "customer_mapping[event_payload_key]": "stripe_customer_id",
                "value_settings[event_payload_key]": "value",
            }
        ]
        assert account.keys() == ["op-meter"]
        assert (made.event_name, made.name) == ("api_calls", "API calls")
        assert (made.aggregation, made.is_active) == (Aggregation.SUM, True)

    def test_one_that_is_there_is_answered_as_it_is(
        self, stripe: StripeProvider, account: StripeAccount, meter: str
    ) -> None:
        again = stripe.create_meter(replace(METER, name="Calls"), idempotency_key=key())
        assert (again.id, again.name) == (meter, "API calls")

    def test_one_that_counts_otherwise_is_not(
        self, stripe: StripeProvider, account: StripeAccount, meter: str
    ) -> None:
        wanted = replace(METER, aggregation=Aggregation.COUNT)
        with pytest.raises(InvalidRequest):
            stripe.create_meter(wanted, idempotency_key=key())

    def test_a_name_that_is_free_again(
        self, stripe: StripeProvider, account: StripeAccount, meter: str
    ) -> None:
        account.objects[meter]["status"] = "inactive"
        assert stripe.create_meter(METER, idempotency_key=key()).id != meter

    def test_a_refusal_for_another_reason(
        self, stripe: StripeProvider, account: StripeAccount
    ) -> None:
        account.refuse_next("POST", "billing/meters", 400, param="display_name")
        with pytest.raises(InvalidRequest) as refused:
            stripe.create_meter(METER, idempotency_key=key())
        assert refused.value.param == "display_name"


@pytest.mark.usefixtures("meter")
class TestUsage:
    def test_it_is_reported(self, stripe: StripeProvider, account: StripeAccount) -> None:
        stripe.report_usage(REPORT, idempotency_key="op-usage")
        assert account.sent("POST", "billing/meter_events") == [
            {
                "event_name": "api_calls",
                "identifier": "usage-row-1",
                "timestamp": str(int(REPORT.occurred_at.timestamp())),
                "payload[stripe_customer_id]": "cus_1",
                "payload[value]": "25",
            }
        ]
        assert account.keys()[-1] == "op-usage"
        assert used(account, "api_calls", "cus_1") == 25

    def test_the_same_row_counts_once_under_any_key(
        self, stripe: StripeProvider, account: StripeAccount
    ) -> None:
        for _ in range(3):
            stripe.report_usage(REPORT, idempotency_key=key())
        stripe.report_usage(replace(REPORT, reference="usage-row-2"), idempotency_key=key())
        assert used(account, "api_calls", "cus_1") == 50

    def test_a_lost_answer_counts_once(
        self, stripe: StripeProvider, account: StripeAccount
    ) -> None:
        account.lose_next("POST", "billing/meter_events")
        used_key = key()
        with pytest.raises(OutcomeUnknown):
            stripe.report_usage(REPORT, idempotency_key=used_key)
        stripe.report_usage(REPORT, idempotency_key=used_key)
        stripe.report_usage(REPORT, idempotency_key=key())
        assert used(account, "api_calls", "cus_1") == 25

    @pytest.mark.parametrize(
        ("value", "text"), [("1E+3", "1000"), ("0.5", "0.5"), ("1E-7", "0.0000001"), ("-3", "-3")]
    )
    def test_values_go_as_plain_text(
        self, stripe: StripeProvider, account: StripeAccount, value: str, text: str
    ) -> None:
        stripe.report_usage(replace(REPORT, value=Decimal(value)), idempotency_key=key())
        (sent,) = account.sent("POST", "billing/meter_events")
        assert sent["payload[value]"] == text

    @pytest.mark.parametrize("value", ["NaN", "Infinity"])
    def test_what_is_no_number_is_not_sent(
        self, stripe: StripeProvider, account: StripeAccount, value: str
    ) -> None:
        with pytest.raises(InvalidRequest):
            stripe.report_usage(replace(REPORT, value=Decimal(value)), idempotency_key=key())
        assert account.sent("POST", "billing/meter_events") == []

    @pytest.mark.parametrize(
        "changes",
        [
            {"event_name": "nothing"},
            {"occurred_at": NOW - timedelta(days=36)},
            {"occurred_at": NOW + timedelta(minutes=6)},
        ],
    )
    def test_what_stripe_does_not_count_is_told(
        self, stripe: StripeProvider, account: StripeAccount, changes: dict[str, object]
    ) -> None:
        with pytest.raises(InvalidRequest):
            stripe.report_usage(replace(REPORT, **changes), idempotency_key=key())
