import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import responses

from billing.providers.polar import PolarProvider

API = "https://sandbox-api.polar.sh"
SECRET = "polar_whs_fake_secret"
FIXTURES = Path(__file__).parents[2] / "fixtures" / "polar"


def example(name: str, **changes: Any) -> dict[str, Any]:
    """An object in Polar's published shape."""
    found: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text())
    return found | changes


@pytest.fixture
def wire() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def polar() -> PolarProvider:
    options = {"api_key": "polar_oat_fake", "webhook_secret": SECRET, "max_retries": 0}
    return PolarProvider(alias="polar", mode="test", options=options)
