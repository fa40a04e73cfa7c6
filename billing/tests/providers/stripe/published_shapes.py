"""Whole objects made of Stripe's published shapes, which lie beside the checkout."""

import functools
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

SPEC = Path(__file__).parents[5] / "shared" / "specs" / "stripe.openapi.json"
_DEPTH = 5
_EXPANDED_DEPTH = 3
# An error holds the objects that it is about, and these hold errors.
_ROUND = ("last_payment_error.payment_intent", "last_payment_error.setup_intent")


def require_spec() -> None:
    """Skip the test where the spec is not beside the checkout, but fail in CI."""
    if SPEC.exists():
        return
    if os.environ.get("CI"):
        pytest.fail("Stripe's published shapes (../shared/specs) must be there in CI")
    pytest.skip("../shared/specs is not beside this checkout")


@functools.cache
def schemas() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(SPEC.read_text())["components"]["schemas"]
    return found


def enum_words(schema: str, field: str) -> list[str]:
    """The words that Stripe lists for a field of an object."""
    words: list[str] = schemas()[schema]["properties"][field]["enum"]
    return words


def whole_object(schema: str, expanded: Collection[str] = ()) -> dict[str, Any]:
    """Return an object that has every property of its schema, none of them null or empty.

    What can be expanded is an id, but for the paths in `expanded` (`latest_charge`,
    `payments.data.payment.payment_intent`).
    """
    made: dict[str, Any] = _object(schemas()[schema], "", expanded, _DEPTH)
    return made


def _object(schema: Any, path: str, expanded: Collection[str], depth: int) -> dict[str, Any]:
    paths = {name: f"{path}.{name}" if path else name for name in schema.get("properties", {})}
    return {
        name: _value(schema["properties"][name], each, expanded, depth - 1)
        for name, each in paths.items()
        if not each.endswith(_ROUND)
    }


def _value(schema: Any, path: str, expanded: Collection[str], depth: int) -> Any:
    if "$ref" in schema:
        return _value(schemas()[schema["$ref"].rpartition("/")[2]], path, expanded, depth)
    if "anyOf" in schema:
        chosen = _choice(schema["anyOf"], path in expanded)
        return _value(chosen, path, expanded, _EXPANDED_DEPTH if path in expanded else depth)
    if "enum" in schema:
        return schema["enum"][-1]
    kind = schema.get("type")
    if kind == "object":
        return _object(schema, path, expanded, depth) if depth else {}
    if kind == "array":
        return [_value(schema["items"], path, expanded, depth)] if depth else []
    return {"integer": 1_790_000_000, "number": 1.5, "boolean": True}.get(kind, f"text of {path}")


def _choice(options: list[Any], is_expanded: bool) -> Any:
    """The id or the value where there is one; the object where it is expanded or nothing else."""
    plain = [each for each in options if "$ref" not in each]
    objects = [each for each in options if "$ref" in each]
    first, second = (objects, plain) if is_expanded else (plain, objects)
    return (first or second)[0]
