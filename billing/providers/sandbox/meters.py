"""Meters, and usage that each of them counts once per reference."""

from datetime import timedelta
from decimal import Decimal

from billing.enums import Aggregation
from billing.errors import InvalidRequest
from billing.providers.base import MetersUsage
from billing.providers.sandbox import clock, customers, mapping
from billing.providers.sandbox.backend import SandboxBackend
from billing.providers.sandbox.store import Record, Session
from billing.providers.types import MeterData, MeterRequest, Ref, UsageReport

# As at Stripe: what happened longer ago, or later than clocks may differ, is not counted.
OLDEST = timedelta(days=35)
NEWEST = timedelta(minutes=5)


class Meters(SandboxBackend, MetersUsage):
    def create_meter(self, request: MeterRequest, *, idempotency_key: str) -> MeterData:
        answer = self._calls.write(
            "create_meter", idempotency_key, request, lambda session: create(session, request)
        )
        return mapping.meter(answer.body, answer.as_of)

    def report_usage(self, report: UsageReport, *, idempotency_key: str) -> None:
        self._calls.write(
            "report_usage", idempotency_key, report, lambda session: count(session, report)
        )

    def usage_total(self, event_name: str, customer: Ref) -> Decimal:
        """What a meter has counted for a customer, as it aggregates."""
        with self._store.read() as session:
            return total(session, event_name, customer.id)


def create(session: Session, request: MeterRequest) -> Record:
    found = _named(session, request.event_name)
    if found is None:
        meter_id = session.new_id("meter")
        body = {
            "object": "meter",
            "id": meter_id,
            "created": session.now,
            "event_name": request.event_name,
            "name": request.name,
            "aggregation": request.aggregation,
            "active": True,
        }
        return session.save(Record("meter", meter_id, body))
    if found.body["aggregation"] != request.aggregation:
        raise InvalidRequest("another meter has this event name", param="event_name")
    return found


def count(session: Session, report: UsageReport) -> Record:
    """Keep the usage, unless the reference is known: that one has been counted."""
    usage_id = f"usage_{report.reference}"
    known = session.find("usage", usage_id)
    if known is not None:
        return known
    meter = _named(session, report.event_name)
    if meter is None:
        raise InvalidRequest(f"nothing counts {report.event_name!r}", param="event_name")
    customers.live(session, report.customer_id)
    if not report.value.is_finite():
        raise InvalidRequest(f"{report.value} is no amount of usage", param="value")
    age = clock.moment(session.now) - report.occurred_at
    if not -NEWEST <= age <= OLDEST:
        raise InvalidRequest("usage of that time is not counted", param="occurred_at")
    body = {
        "object": "usage",
        "id": usage_id,
        "created": session.now,
        "meter": meter.id,
        "customer": report.customer_id,
        "value": format(report.value, "f"),
        "occurred_at": clock.stamp(report.occurred_at),
    }
    return session.save(Record("usage", usage_id, body))


def total(session: Session, event_name: str, customer_id: str) -> Decimal:
    meter = _named(session, event_name)
    if meter is None:
        raise InvalidRequest(f"nothing counts {event_name!r}", param="event_name")
    counted = session.of_parent("usage", meter.id)
    mine = [each.body for each in counted if each.body["customer"] == customer_id]
    if meter.body["aggregation"] == Aggregation.COUNT:
        return Decimal(len(mine))
    if meter.body["aggregation"] == Aggregation.LAST:
        latest = max(mine, key=lambda each: int(each["occurred_at"]), default={"value": "0"})
        return Decimal(latest["value"])
    return sum((Decimal(each["value"]) for each in mine), Decimal(0))


def _named(session: Session, event_name: str) -> Record | None:
    found = session.of_kind("meter")
    return next((each for each in found if each.body["event_name"] == event_name), None)
