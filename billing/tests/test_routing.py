"""The pure router: first match wins, and every rule says what became of it."""

from typing import Any

import pytest

from billing.errors import NoRoute
from billing.routing import RoutingContext, Selection, select_provider

RULES: list[dict[str, Any]] = [
    {"countries": ["MX"], "provider": "first", "currency": "MXN"},
    {"transaction_types": ["product_purchase"], "provider": "second"},
    {"currencies": ["EUR", "CHF"], "provider": "third"},
    {"provider": "last"},
]


def select(
    kind: str = "subscription", why_not: dict[str, str] | None = None, **context: str
) -> Any:
    hindrances = why_not or {}
    return select_provider(
        RoutingContext(transaction_type=kind, **context),
        RULES,
        default_currency="USD",
        why_not=lambda alias: hindrances.get(alias, ""),
    )


@pytest.mark.parametrize(
    ("kind", "context", "provider", "currency"),
    [
        ("subscription", {"country": "MX"}, "first", "MXN"),
        ("subscription", {"country": "MX", "currency": "USD"}, "first", "USD"),
        ("product_purchase", {"country": "MX"}, "first", "MXN"),
        ("product_purchase", {"country": "DE"}, "second", "USD"),
        ("subscription", {"country": "DE", "currency": "EUR"}, "third", "EUR"),
        ("subscription", {"country": "DE"}, "last", "USD"),
        ("subscription", {}, "last", "USD"),
    ],
)
def test_the_first_match_wins(
    kind: str, context: dict[str, str], provider: str, currency: str
) -> None:
    selection = select(kind, **context)
    assert (selection.provider, selection.currency) == (provider, currency)
    assert RULES[selection.rule_index]["provider"] == provider


def test_every_rule_says_what_became_of_it() -> None:
    selection = select("product_purchase", country="DE")
    assert [(rule["provider"], rule["result"]) for rule in selection.rules] == [
        ("first", "skipped"),
        ("second", "matched"),
        ("third", "skipped"),
        ("last", "not reached"),
    ]
    assert selection.rules[0]["because"] == "the country is DE, not MX"
    assert selection.rules[2]["because"] == "the currency is unknown, not EUR or CHF"
    assert selection.reason == "The transaction type is product_purchase -> second."


def test_what_comes_after_the_match_is_not_reached() -> None:
    selection = select("product_purchase", country="MX")
    results = [rule["result"] for rule in selection.rules]
    assert results == ["matched", "not reached", "skipped", "not reached"]


def test_a_rule_of_several_conditions_says_them_all() -> None:
    context = RoutingContext(transaction_type="subscription", country="MX", currency="MXN")
    rule = {"countries": ["MX"], "currencies": ["MXN"], "provider": "first"}
    selection = select_provider(context, [rule], default_currency="USD")
    assert selection.reason == "The country is MX and the currency is MXN -> first."


def test_a_provider_that_cannot_take_it_is_skipped_with_the_reason() -> None:
    selection = select(country="MX", why_not={"first": "it has no keys"})
    assert selection.provider == "last"
    assert selection.rules[0] == {
        "provider": "first",
        "result": "skipped",
        "because": "it has no keys",
    }
    assert selection.currency == "USD"


def test_nothing_left_is_no_route_and_says_why() -> None:
    everybody = {rule["provider"]: "it has no keys" for rule in RULES}
    with pytest.raises(NoRoute, match="first: it has no keys; second: .*; last: it has no keys"):
        select(country="MX", why_not=everybody)


def test_no_rules_at_all_is_no_route() -> None:
    with pytest.raises(NoRoute, match=r"\(there are no rules\)"):
        select_provider(RoutingContext(transaction_type="subscription"), [], default_currency="USD")


def test_who_is_asked_is_only_who_matches() -> None:
    asked: list[str] = []

    def why_not(alias: str) -> str:
        asked.append(alias)
        return ""

    selection: Selection = select_provider(
        RoutingContext(transaction_type="subscription", country="DE"),
        RULES,
        default_currency="USD",
        why_not=why_not,
    )
    assert asked == ["last"]
    assert selection.reason == "No earlier rule applied -> last."
