"""Reading JSON that a stranger sent. Plain Python.

`parse_object` refuses what no provider sends; `clean` makes the rest storable in every database
(`parse_storable` does both at once), `mask_json` free of card numbers.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from billing.cards import contains_card_number, mask_value
from billing.errors import InvalidPayload

MAX_DEPTH = 100
_INT64 = 2**63
_INT64_DIGITS = 19  # with fewer, a number always fits
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MAYBE_UNSTORABLE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


def parse_object(body: bytes | str) -> dict[str, Any]:
    """Parse a JSON object; raise InvalidPayload for anything else.

    NaN, Infinity, nesting over 100 and numbers too long to read are refused as well.
    """
    return _parsed(_text(body), _AS_SENT)


def parse_storable(body: bytes | str) -> dict[str, Any]:
    """Parse a JSON object as every database can hold it: what `clean` makes of `parse_object`.

    Raises InvalidPayload as `parse_object` does.
    """
    text = _text(body)
    value = _parsed(text, _STORABLE)
    # UTF-8 and JSON carry such characters as escapes only.
    return dict(clean(value)) if _MAYBE_UNSTORABLE.search(text) else value


def _text(body: bytes | str) -> str:
    try:
        return body.decode("utf-8") if isinstance(body, bytes) else body
    except UnicodeDecodeError as exc:
        raise InvalidPayload("the body is not UTF-8") from exc


def _parsed(text: str, decoder: json.JSONDecoder) -> dict[str, Any]:
    try:
        value = decoder.decode(text)
    except (ValueError, RecursionError) as exc:
        raise InvalidPayload("the body is not a JSON object that we read") from exc
    if not isinstance(value, dict):
        raise InvalidPayload("the body is not a JSON object")
    has_depth = text.count("{") + text.count("[") > MAX_DEPTH
    if has_depth and _depth_exceeds(value, MAX_DEPTH):
        raise InvalidPayload(f"the body is nested deeper than {MAX_DEPTH}")
    return value


def require_text(value: object, name: str, *, max_length: int = 255) -> str:
    """Return `value` when it is storable, non-empty text; raise InvalidPayload naming `name`.

    A card number is refused: what identifies something cannot be stored masked.
    """
    if not isinstance(value, str) or not value or len(value) > max_length:
        raise InvalidPayload(f"{name} is not text of 1 to {max_length} characters")
    if _UNSTORABLE.search(value):
        raise InvalidPayload(f"{name} holds characters that cannot be stored")
    if contains_card_number(value):
        raise InvalidPayload(f"{name} holds what looks like a card number")
    return value


def clean(value: Any) -> Any:
    """Return `value` as every database can hold it.

    NUL and lone surrogates become U+FFFD, integers beyond 64 bits and infinite numbers text.
    """
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {clean(str(key)): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -_INT64 <= value < _INT64:
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def mask_json(text: str) -> str:
    """Return the JSON `text` with card numbers masked; the same text where it holds none.

    Escapes hide a number from a look at the text, and of a key that comes twice a reader sees one.
    """
    if "\\" not in text and not contains_card_number(text):
        return text
    has_twins = False

    def read(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal has_twins
        found = dict(pairs)
        has_twins = has_twins or len(found) < len(pairs)
        return found

    value = json.loads(text, object_pairs_hook=read)
    masked = mask_value(value)
    return text if masked == value and not has_twins else json.dumps(clean(masked))


def _storable_integer(text: str) -> Any:
    number = int(text)
    return number if len(text) < _INT64_DIGITS else clean(number)


def _storable_float(text: str) -> Any:
    return clean(float(text))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _depth_exceeds(value: object, limit: int) -> bool:
    level: list[object] = [value]
    for _ in range(limit):
        level = [
            child
            for node in level
            for child in (
                node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
            )
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


_AS_SENT = json.JSONDecoder(parse_constant=_refuse_constant)
_STORABLE = json.JSONDecoder(
    parse_int=_storable_integer, parse_float=_storable_float, parse_constant=_refuse_constant
)
