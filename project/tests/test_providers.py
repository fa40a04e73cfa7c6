"""BILLING_PROVIDERS as the environment says it."""

from pathlib import Path
from typing import Any

import environ
import pytest

from project.providers import billing_providers


def stripe_options() -> dict[str, Any]:
    found = billing_providers(environ.Env(), "development", Path("unused"), "http://127.0.0.1:8000")
    options: dict[str, Any] = found["stripe"]["OPTIONS"]
    return options


@pytest.mark.parametrize(("value", "is_on"), [(None, False), ("false", False), ("true", True)])
def test_tax_is_computed_only_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, value: str | None, is_on: bool
) -> None:
    monkeypatch.setenv("STRIPE_TEST_KEY", "sk_test_fake")
    monkeypatch.delenv("STRIPE_AUTOMATIC_TAX", raising=False)
    if value is not None:
        monkeypatch.setenv("STRIPE_AUTOMATIC_TAX", value)
    assert stripe_options()["automatic_tax"] is is_on
