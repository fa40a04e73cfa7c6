import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import responses

API = "https://sandbox-api.polar.sh"
FIXTURES = Path(__file__).parents[2] / "fixtures" / "polar"


def example(name: str, **changes: Any) -> dict[str, Any]:
    """An object in Polar's published shape."""
    found: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text())
    return found | changes


@pytest.fixture
def wire() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock
