"""BILLING_PROVIDERS as the environment says it."""

from pathlib import Path
from typing import Any

import environ
import pytest

from billing.checks import startup_errors
from billing.tests.conekta_account.signing import public_key
from project.providers import billing_providers

SECRET = "a-shared-secret-made-up"
PEM = public_key()


def configured(environment: str = "development") -> dict[str, dict[str, Any]]:
    return billing_providers(environ.Env(), environment, Path("unused"), "http://127.0.0.1:8000")


@pytest.mark.parametrize(("value", "is_on"), [(None, False), ("false", False), ("true", True)])
def test_tax_is_computed_only_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, value: str | None, is_on: bool
) -> None:
    monkeypatch.setenv("STRIPE_TEST_KEY", "sk_test_fake")
    monkeypatch.delenv("STRIPE_AUTOMATIC_TAX", raising=False)
    if value is not None:
        monkeypatch.setenv("STRIPE_AUTOMATIC_TAX", value)
    assert configured()["stripe"]["OPTIONS"]["automatic_tax"] is is_on


class TestConekta:
    @pytest.fixture
    def entry(self, monkeypatch: pytest.MonkeyPatch) -> Any:
        """What the environment makes of these values."""

        def entry(environment: str = "production", **values: str) -> dict[str, Any]:
            for name in ("API_KEY", "TEST_KEY", "WEBHOOK_PUBLIC_KEY", "WEBHOOK_SECRET"):
                monkeypatch.setenv(f"CONEKTA_{name}", values.get(name, ""))
            return configured(environment)["conekta"]

        return entry

    @pytest.mark.parametrize(
        ("environment", "key", "mode"),
        [
            ("production", "API_KEY", "live"),
            ("staging", "TEST_KEY", "test"),
            ("development", "TEST_KEY", "test"),
        ],
    )
    def test_each_environment_reads_its_own_key(
        self, entry: Any, environment: str, key: str, mode: str
    ) -> None:
        found = entry(environment, **{key: "key_fake"})
        assert found["BACKEND"] == "billing.providers.conekta.ConektaProvider"
        assert (found["MODE"], found["OPTIONS"]["api_key"]) == (mode, "key_fake")

    @pytest.mark.parametrize(
        ("values", "told"),
        [
            ({"WEBHOOK_PUBLIC_KEY": PEM}, ""),
            ({"WEBHOOK_PUBLIC_KEY": PEM.replace("\n", "\\n")}, ""),
            ({"WEBHOOK_SECRET": SECRET}, ""),
            ({}, "CONEKTA_WEBHOOK_PUBLIC_KEY is blank"),
            ({"WEBHOOK_PUBLIC_KEY": "fake"}, "CONEKTA_WEBHOOK_PUBLIC_KEY is not an RSA public key"),
            ({"WEBHOOK_SECRET": "fake"}, "CONEKTA_WEBHOOK_SECRET is shorter than 16 bytes"),
            ({"WEBHOOK_SECRET": PEM}, "CONEKTA_WEBHOOK_SECRET holds a key in PEM"),
            (
                {"WEBHOOK_SECRET": SECRET, "WEBHOOK_PUBLIC_KEY": PEM},
                "CONEKTA_WEBHOOK_SECRET and the public key are both set",
            ),
            ({"WEBHOOK_SECRET": SECRET, "TEST_KEY": "key_fake"}, "CONEKTA_API_KEY is a test key"),
        ],
    )
    def test_production_takes_exactly_one_way_to_verify(
        self, entry: Any, settings: Any, values: dict[str, str], told: str
    ) -> None:
        settings.ENVIRONMENT = "production"
        settings.BILLING_PROVIDERS = {"conekta": entry(API_KEY="key_fake", **values)}
        errors = [each for each in startup_errors() if "CONEKTA" in each]
        assert len(errors) == bool(told)
        assert all(each.startswith(told) for each in errors)

    @pytest.mark.parametrize("environment", ["development", "staging"])
    def test_confusion_is_refused_everywhere(
        self, entry: Any, settings: Any, environment: str
    ) -> None:
        settings.ENVIRONMENT = environment
        found = entry(environment, TEST_KEY="key_fake", WEBHOOK_SECRET=PEM)
        settings.BILLING_PROVIDERS = {"conekta": found}
        assert any("CONEKTA_WEBHOOK_SECRET" in each for each in startup_errors())
