"""Whole objects and deliveries made of Polar's published shapes, which lie beside the checkout."""

import functools
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

SPEC = Path(__file__).parents[5] / "shared" / "specs" / "polar.openapi.json"
_DEPTH = 6
_WORDS = {
    "date-time": "2026-01-20T08:30:00.123456Z",
    "uuid": "00000000-0000-4000-8000-000000000009",
    "uuid4": "00000000-0000-4000-8000-000000000009",
}
_EMPTY: Mapping[str, Callable[[], Any]] = {
    "array": list, "boolean": lambda: True, "integer": lambda: 1, "null": lambda: None,
    "number": lambda: 1.5, "object": dict, "string": lambda: "text",
}  # fmt: skip


def require_spec() -> None:
    """Skip the test where the spec is not beside the checkout, but fail in CI."""
    if SPEC.exists():
        return
    if os.environ.get("CI"):
        pytest.fail("Polar's published shapes (../shared/specs) must be there in CI")
    pytest.skip("../shared/specs is not beside this checkout")


@functools.cache
def published() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(SPEC.read_text())
    return found


def event_types() -> list[str]:
    return sorted(published()["webhooks"])


def schema(name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = published()["components"]["schemas"][name]
    return found


def delivery(event_type: str, *, word: str = "") -> dict[str, Any]:
    """The payload of an event, with every field that the schema knows; with `word` in the place of
    every word out of a list."""
    post = published()["webhooks"][event_type]["post"]
    content = post["requestBody"]["content"]["application/json"]
    made: dict[str, Any] = _made_of(content["schema"], word, _DEPTH)
    return made | {"type": event_type, "timestamp": _WORDS["date-time"]}


def _made_of(shape: Mapping[str, Any], word: str, depth: int) -> Any:
    """A value of a schema. What stands deeper than `depth` is left empty."""
    choices = shape.get("anyOf") or shape.get("oneOf")
    if "$ref" in shape:
        return _made_of(schema(shape["$ref"].rpartition("/")[2]), word, depth)
    if choices:
        return _made_of(choices[0], word, depth)
    if "const" in shape or "enum" in shape:
        return word or shape.get("const") or shape["enum"][0]
    if depth and shape.get("properties"):
        parts = shape["properties"].items()
        made = {name: _made_of(each, word, depth - 1) for name, each in parts}
        return made | ({"currency": "usd"} if "currency" in made else {})  # as text, any is valid
    if depth and shape.get("items"):
        return [_made_of(shape["items"], word, depth - 1)]
    return _WORDS.get(shape.get("format", ""), _EMPTY[shape.get("type", "object")]())


def with_the_unknown(value: Any) -> Any:
    """The same with a new key in every object."""
    if isinstance(value, dict):
        return {key: with_the_unknown(each) for key, each in value.items()} | {
            "brand_new": {"x": 1}
        }
    return [with_the_unknown(each) for each in value] if isinstance(value, list) else value
