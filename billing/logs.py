"""What every log line goes through: masking, the request id, one JSON object a line."""

import json
import logging
import math
from contextvars import ContextVar
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing.cards import mask, mask_number

request_id: ContextVar[str] = ContextVar("billing_request_id", default="")

_STANDARD = frozenset(logging.LogRecord("", 0, "", 0, "", None, None).__dict__) | {
    "message",
    "asctime",
    "taskName",
    "request_id",
}
_READABLE = (UUID, date, datetime, Decimal, BaseException)
_MAX_DEPTH = 5


class MaskCardNumbers(logging.Filter):
    """Masks card numbers in the message, the traceback and the extra fields. Never fails."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            _mask_record(record)
        except Exception:  # noqa: BLE001 - a log line must not end the request that writes it
            record.msg, record.args = "log.unreadable", None
            record.exc_info, record.exc_text, record.stack_info = None, None, None
            for name in set(record.__dict__) - _STANDARD:
                delattr(record, name)
        return True


class AddRequestId(logging.Filter):
    """Gives each record the `request_id` of the request being served, or ''."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line, so that nothing in a message can start a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "event": _message(record),
        }
        if current := getattr(record, "request_id", ""):
            line["request_id"] = current
        line |= {name: _plain(value) for name, value in _extra(record).items() if name not in line}
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            line["exception"] = mask(record.exc_text)
        if record.stack_info:
            line["stack"] = mask(record.stack_info)
        return json.dumps(line)


def _mask_record(record: logging.LogRecord) -> None:
    message = _message(record)
    masked = mask(message)
    if masked != message or not _formats(record):
        record.msg, record.args = masked, None
    if record.exc_info and not record.exc_text:
        record.exc_text = logging.Formatter().formatException(record.exc_info)
    if record.exc_text:
        record.exc_text = mask(record.exc_text)
    if record.stack_info:
        record.stack_info = mask(record.stack_info)
    for name, value in _extra(record).items():
        setattr(record, name, _masked(value))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - wrong arguments, or an object that cannot be printed
        return f"{record.msg!s:.500}"


def _formats(record: logging.LogRecord) -> bool:
    try:
        record.getMessage()
    except Exception:  # noqa: BLE001 - logging would print the arguments, unmasked, to stderr
        return False
    return True


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in record.__dict__.items() if name not in _STANDARD}


def _masked(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return mask_number(value)
    if isinstance(value, dict | list | tuple | set | frozenset):
        return _masked_container(value, depth)
    return value


def _masked_container(value: Any, depth: int) -> Any:
    if depth >= _MAX_DEPTH:
        return f"<{type(value).__name__}>"
    if isinstance(value, dict):
        return {_masked(key): _masked(item, depth + 1) for key, item in value.items()}
    return [_masked(item, depth + 1) for item in value]


def _plain(value: Any, depth: int = 0) -> object:
    """Return what JSON can hold; other objects by their class, since str() may query or leak."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str | bool | int | float | None):
        return _masked(str(value) if isinstance(value, str) else value)
    if isinstance(value, _READABLE):
        return mask(str(value))
    if depth < _MAX_DEPTH and isinstance(value, dict):
        return {mask(str(key)): _plain(item, depth + 1) for key, item in value.items()}
    if depth < _MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in value]
    return f"<{type(value).__name__}>"
