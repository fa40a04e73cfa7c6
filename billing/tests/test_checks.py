"""Rules in the settings that could not decide keep a server from starting."""

from typing import Any

import pytest

from billing.checks import startup_errors

EVERYTHING = {"provider": "stripe"}


def told(settings: Any, routes: Any) -> list[str]:
    settings.ENVIRONMENT = "staging"
    settings.BILLING_ROUTES = routes
    return [error for error in startup_errors() if error.startswith("BILLING_ROUTES")]


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("routes", "error"),
    [
        ([], "BILLING_ROUTES: There are no rules."),
        (
            [EVERYTHING, {"countries": ["MX"], "provider": "stripe"}],
            "Rule 2: it is the last one and must match",
        ),
        (
            [{"countries": ["mx"], "provider": "stripe"}, EVERYTHING],
            "Rule 1: 'mx' is not a country",
        ),
        ([{"countries": ["MEX"], "provider": "stripe"}, EVERYTHING], "Rule 1: 'MEX' is not a"),
        (
            [{"provider": "nobody"}],
            "BILLING_ROUTES ends in 'nobody', but that provider has no keys",
        ),
    ],
)
def test_rules_that_could_not_decide(settings: Any, routes: Any, error: str) -> None:
    (found,) = told(settings, routes)
    assert error in found


@pytest.mark.usefixtures("sandbox")
def test_rules_that_can(settings: Any) -> None:
    assert told(settings, [{"countries": ["MX"], "provider": "conekta"}, EVERYTHING]) == []
