"""Usage at Stripe: meters, and the events that they count."""

from datetime import datetime

from billing.enums import Aggregation
from billing.errors import InvalidRequest
from billing.providers.base import MetersUsage
from billing.providers.stripe.backend import StripeBackend
from billing.providers.stripe.mapping import member
from billing.providers.types import JSON, MeterData, MeterRequest, UsageReport
from billing.providers.values import part, required_id, text

_CUSTOMER_KEY = "stripe_customer_id"
_VALUE_KEY = "value"


class Meters(StripeBackend, MetersUsage):
    def create_meter(self, request: MeterRequest, *, idempotency_key: str) -> MeterData:
        """Stripe: an event name belongs to one active meter, so a refusal is looked at."""
        try:
            answer = self._client.post(
                "billing", "meters", idempotency_key=idempotency_key, params=meter(request)
            )
        except InvalidRequest:
            found = self._active_meter(request.event_name)
            if found is None or found.aggregation is not request.aggregation:
                raise
            return found
        return meter_data(answer.body, as_of=answer.as_of)

    def report_usage(self, report: UsageReport, *, idempotency_key: str) -> None:
        """Stripe takes events of the last 35 days, and refuses an identifier that it knows (for at
        least 24 hours): that one has been counted."""
        try:
            self._client.post(
                "billing", "meter_events", idempotency_key=idempotency_key, params=event(report)
            )
        except InvalidRequest as exc:
            if exc.provider_code != "duplicate_meter_event":
                raise

    def _active_meter(self, event_name: str) -> MeterData | None:
        listed = self._client.pages("billing", "meters", status="active")
        found = (meter_data(each, as_of=as_of) for each, as_of in listed)
        return next((each for each in found if each.event_name == event_name), None)


def meter(request: MeterRequest) -> JSON:
    return {
        "display_name": request.name,
        "event_name": request.event_name,
        "default_aggregation": {"formula": request.aggregation.value},
        "customer_mapping": {"type": "by_id", "event_payload_key": _CUSTOMER_KEY},
        "value_settings": {"event_payload_key": _VALUE_KEY},
    }


def event(report: UsageReport) -> JSON:
    """The value goes as text, without an exponent. Raises InvalidRequest for what is no number."""
    if not report.value.is_finite():
        raise InvalidRequest(f"{report.value} is no amount of usage", param="value")
    return {
        "event_name": report.event_name,
        "identifier": report.reference,
        "timestamp": int(report.occurred_at.timestamp()),
        "payload": {_CUSTOMER_KEY: report.customer_id, _VALUE_KEY: format(report.value, "f")},
    }


def meter_data(source: JSON, *, as_of: datetime) -> MeterData:
    formula = text(part(source, "default_aggregation").get("formula"))
    return MeterData(
        id=required_id(source),
        event_name=text(source.get("event_name")),
        name=text(source.get("display_name")),
        aggregation=member(Aggregation, formula),
        is_active=source.get("status") == "active",
        as_of=as_of,
        raw=source,
    )
