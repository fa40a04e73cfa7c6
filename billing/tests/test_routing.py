"""The pure router: first match wins, and every rule says what became of it."""

from typing import Any

import pytest

from billing.errors import NoRoute
from billing.routing import (
    ProviderFacts,
    RoutingContext,
    Selection,
    candidates,
    covered_by,
    problems,
    select_provider,
)

RULES: list[dict[str, Any]] = [
    {"countries": ["MX"], "provider": "first", "currency": "MXN"},
    {"transaction_types": ["product_purchase"], "provider": "second"},
    {"currencies": ["EUR", "CHF"], "provider": "third"},
    {"payment_methods": ["spei"], "provider": "fourth"},
    {"provider": "last"},
]
ABLE = {
    alias: ProviderFacts(hindrance="", methods={"card": [], "oxxo": ["MXN"]})
    for alias in ("first", "second", "third", "fourth", "last")
}


def context(kind: str = "subscription", **known: str) -> RoutingContext:
    return RoutingContext(transaction_type=kind, default_currency="USD", **known)


def select(
    kind: str = "subscription", facts: dict[str, ProviderFacts] | None = None, **known: str
) -> Selection:
    return select_provider(context(kind, **known), RULES, ABLE | (facts or {}))


@pytest.mark.parametrize(
    ("kind", "known", "provider", "currency"),
    [
        ("subscription", {"country": "MX"}, "first", "MXN"),
        ("subscription", {"country": "MX", "currency": "USD"}, "first", "USD"),
        ("product_purchase", {"country": "MX"}, "first", "MXN"),
        ("product_purchase", {"country": "DE"}, "second", "USD"),
        ("subscription", {"country": "DE", "currency": "EUR"}, "third", "EUR"),
        ("subscription", {"country": "DE", "local_currency": "EUR"}, "last", "EUR"),
        ("subscription", {"payment_method": "spei"}, "last", "USD"),
        ("subscription", {"country": "DE"}, "last", "USD"),
        ("subscription", {}, "last", "USD"),
    ],
)
def test_the_first_match_wins(
    kind: str, known: dict[str, str], provider: str, currency: str
) -> None:
    facts = {"last": ProviderFacts(hindrance="", methods={"card": [], "spei": []})}
    selection = select(kind, facts, **known)
    assert (selection.provider, selection.currency) == (provider, currency)
    assert RULES[selection.rule_index]["provider"] == provider


def test_every_rule_says_what_became_of_it() -> None:
    selection = select("product_purchase", country="DE")
    assert [(each.provider, each.result, each.code) for each in selection.answers] == [
        ("first", "skipped", "condition_not_met"),
        ("second", "matched", "conditions_met"),
        ("third", "skipped", "condition_not_met"),
        ("fourth", "skipped", "condition_not_met"),
        ("last", "not_reached", "conditions_met"),
    ]
    assert selection.answers[0].values == {
        "condition": "countries",
        "value": "DE",
        "wanted": ["MX"],
    }
    assert selection.answers[2].values["value"] == ""
    assert selection.answers[1].values == {"transaction_types": "product_purchase"}
    assert [each.currency for each in selection.answers] == ["", "USD", "", "", "USD"]
    assert select(country="MX").answers[4].values == {}
    twice = [{"countries": ["MX"], "provider": "first"}] * 2
    passed = select_provider(context(country="MX"), twice, ABLE).answers[1]
    assert (passed.result, passed.values) == ("not_reached", {"countries": "MX"})


def test_a_rule_of_several_conditions_names_the_first_that_is_not_met() -> None:
    rules = [{"countries": ["MX"], "currencies": ["MXN"], "provider": "first"}]
    met = select_provider(context(country="MX", currency="MXN"), rules, ABLE)
    assert met.answers[0].values == {"countries": "MX", "currencies": "MXN"}
    with pytest.raises(NoRoute) as caught:
        select_provider(context(country="MX", currency="USD"), rules, ABLE)
    assert caught.value.answers[0].values["condition"] == "currencies"  # type: ignore[attr-defined]


def test_the_runner_up_is_the_next_other_provider_that_could() -> None:
    assert select("product_purchase", country="MX").runner_up == "second"
    assert select(country="MX").runner_up == "last"
    assert select(country="DE").runner_up == ""
    twice = [{"countries": ["MX"], "provider": "first"}, {"provider": "first"}]
    assert select_provider(context(country="MX"), twice, ABLE).runner_up == ""


class TestFacts:
    @pytest.mark.parametrize("code", ["not_configured", "capability_missing", "circuit_open"])
    def test_a_hindrance_is_the_reason(self, code: str) -> None:
        selection = select(facts={"first": ProviderFacts(hindrance=code)}, country="MX")
        assert selection.provider == "last"
        assert (selection.answers[0].code, selection.answers[0].result) == (code, "skipped")
        assert selection.answers[0].values == {}

    def test_what_it_cannot_do_is_named(self) -> None:
        lacking = ProviderFacts(hindrance="capability_missing", needs=["ManagesSubscriptions"])
        selection = select(facts={"first": lacking}, country="MX")
        assert selection.answers[0].values == {"needs": ["ManagesSubscriptions"]}

    def test_who_is_not_known_is_not_configured(self) -> None:
        facts = {"last": ABLE["last"]}
        selection = select_provider(context(country="MX"), RULES, facts)
        assert selection.answers[0].code == "not_configured"

    def test_the_first_currency_that_it_sells_in_counts(self) -> None:
        facts = {"first": ProviderFacts(hindrance="", currencies=["EUR", "USD"])}
        assert select(facts=facts, country="MX").currency == "USD"
        assert select(facts=facts, country="MX", local_currency="EUR").currency == "EUR"

    def test_without_a_published_price_it_is_skipped(self) -> None:
        facts = {"first": ProviderFacts(hindrance="", currencies=["CAD"])}
        selection = select(facts=facts, country="MX", item="Pro, monthly")
        assert selection.provider == "last"
        skipped = selection.answers[0]
        assert (skipped.provider, skipped.result) == ("first", "skipped")
        assert skipped.code == "no_published_price"
        assert selection.answers[0].values == {"item": "Pro, monthly", "currencies": ["MXN", "USD"]}

    def test_without_an_item_it_is_the_currency_that_is_not_taken(self) -> None:
        facts = {"first": ProviderFacts(hindrance="", currencies=["CAD"])}
        assert select(facts=facts, country="MX").answers[0].code == "currency_not_taken"

    def test_only_the_currency_asked_for_counts(self) -> None:
        facts = {"first": ProviderFacts(hindrance="", currencies=["MXN"])}
        selection = select(facts=facts, country="MX", currency="USD")
        assert selection.answers[0].values["currencies"] == ["USD"]

    def test_a_method_chooses_the_currency_that_it_goes_with(self) -> None:
        facts = {"last": ProviderFacts(hindrance="", methods={"sepa_debit": ["EUR"], "card": []})}
        known = {"payment_method": "sepa_debit", "country": "DE", "local_currency": "EUR"}
        assert select(facts=facts, **known).currency == "EUR"
        assert select(facts=facts, **known).methods == ["sepa_debit", "card"]

    def test_a_provider_without_the_method_asked_for_is_skipped(self) -> None:
        facts = {"first": ProviderFacts(hindrance="", methods={"oxxo": ["MXN"]})}
        selection = select(facts=facts, country="MX", payment_method="card")
        assert selection.provider == "last"
        assert selection.answers[0].code == "method_not_offered"
        assert selection.answers[0].values == {
            "payment_method": "card",
            "currencies": ["MXN", "USD"],
        }

    def test_the_methods_are_those_of_the_currency(self) -> None:
        assert select(country="MX").methods == ["card", "oxxo"]
        assert select(country="MX", currency="USD").methods == ["card"]


class TestNoRoute:
    def test_it_says_what_became_of_every_rule(self) -> None:
        facts = {alias: ProviderFacts(hindrance="circuit_open") for alias in ABLE}
        with pytest.raises(NoRoute, match="first: circuit_open; second: condition_not_met; .*"):
            select(facts=facts, country="MX")

    def test_no_rules_at_all(self) -> None:
        with pytest.raises(NoRoute, match="no rule leads to a provider: there are no rules$"):
            select_provider(context(), [], ABLE)


def test_candidates_are_those_whose_conditions_are_met() -> None:
    assert candidates(context(country="MX"), RULES) == ["first", "last"]
    assert candidates(context("product_purchase", country="DE"), RULES) == ["second", "last"]
    assert candidates(context(), [*RULES, {"provider": "last"}]) == ["last"]


class TestProblems:
    def test_rules_that_can_decide_have_none(self) -> None:
        assert problems(RULES) == []

    @pytest.mark.parametrize(
        ("rules", "problem"),
        [
            ([], "There are no rules."),
            ("MX", "There are no rules."),
            (None, "There are no rules."),
            (["first"], "Rule 1: it is not a mapping."),
            ([{"countries": ["MX"]}], "Rule 1: it names no provider."),
            ([{"provider": 7}], "Rule 1: it names no provider."),
            (
                [{"provider": "a", "country": "MX"}],
                "Rule 1: 'country' is not a condition; there are countries, transaction_types, ",
            ),
            ([{"provider": "a", "countries": "MX"}], "Rule 1: countries must be a list"),
            ([{"provider": "a", "countries": []}], "Rule 1: countries must be a list"),
            ([{"provider": "a", "currencies": [7]}], "Rule 1: currencies must be a list"),
            (
                [{"provider": "a", "transaction_types": ["gift"]}],
                "Rule 1: there is no transaction type 'gift'.",
            ),
            ([{"provider": "a", "countries": ["MX"]}], "Rule 1: it is the last one and must match"),
        ],
    )
    def test_each_is_told(self, rules: Any, problem: str) -> None:
        assert any(each.startswith(problem) for each in problems(rules))


class TestCoveredBy:
    def test_rules_that_each_decide_something(self) -> None:
        assert covered_by(RULES) == {}

    @pytest.mark.parametrize(
        ("earlier", "later", "is_covered"),
        [
            ({}, {"countries": ["MX"]}, True),
            ({"countries": ["MX"]}, {}, False),
            ({"countries": ["MX", "CO"]}, {"countries": ["CO"]}, True),
            ({"countries": ["CO"]}, {"countries": ["MX", "CO"]}, False),
            ({"countries": ["MX"]}, {"currencies": ["MXN"]}, False),
            ({"countries": ["MX"]}, {"countries": ["MX"], "currencies": ["MXN"]}, True),
        ],
    )
    def test_only_by_a_rule_that_matches_all_of_it(
        self, earlier: Any, later: Any, is_covered: bool
    ) -> None:
        rules = [{"provider": "a", **earlier}, {"provider": "b", **later}]
        assert covered_by(rules) == ({1: 0} if is_covered else {})
