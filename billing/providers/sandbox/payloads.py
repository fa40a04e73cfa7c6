"""Reading a delivery: whatever a hostile body holds ends in InvalidPayload."""

from collections.abc import Mapping
from datetime import datetime

from billing.errors import InvalidPayload
from billing.payloads import parse_object, require_text
from billing.providers.sandbox import clock, events
from billing.providers.types import ProviderEvent

_LATEST = 32_503_680_000  # the year 3000: room for a clock that was moved on


def parse(body: bytes) -> ProviderEvent:
    """Return id, type, time and object of a delivery."""
    payload = parse_object(body)
    event_type = _text(payload, "type")
    kind = events.KINDS.get(event_type)
    customer_id = parent_id = object_id = ""
    if kind is not None:
        target = _object(payload)
        object_id = _text(target, "id")
        _check_ids(target)
        customer_id, parent_id = events.ids(kind, target)
    api_version = _text(payload, "api_version")
    return ProviderEvent(
        id=_text(payload, "id"),
        type=event_type,
        occurred_at=_created(payload),
        mode=_text(payload, "mode"),
        kind=kind,
        object_id=object_id,
        customer_id=customer_id,
        parent_id=parent_id,
        api_version=api_version,
        is_pinned=api_version == events.API_VERSION,
        ignored_because="" if kind else events.IGNORED.get(event_type, events.UNKNOWN_TYPE),
    )


def _object(payload: Mapping[str, object]) -> Mapping[str, object]:
    data = payload.get("data")
    target = data.get("object") if isinstance(data, dict) else None
    if not isinstance(target, dict):
        raise InvalidPayload("data.object is not an object")
    return target


def _check_ids(target: Mapping[str, object]) -> None:
    for name in ("customer", "previous_customer", "subscription", "invoice", "payment"):
        if target.get(name) is not None:
            _text(target, name)


def _text(source: Mapping[str, object], name: str) -> str:
    return require_text(source.get(name), name)


def _created(payload: Mapping[str, object]) -> datetime:
    value = payload.get("created")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < _LATEST:
        raise InvalidPayload("created is not a Unix time in seconds")
    return clock.moment(value)
