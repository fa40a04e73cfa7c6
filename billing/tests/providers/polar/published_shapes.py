"""What Polar publishes of its API, which lies beside the checkout."""

import functools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

SPEC = Path(__file__).parents[5] / "shared" / "specs" / "polar.openapi.json"


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
