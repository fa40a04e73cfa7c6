"""Which provider takes the money: a pure function over rules. No database, no network.

A rule is a mapping with `provider` and any of `countries`, `transaction_types`, `currencies` to
match on; `currency` is what it suggests when the request names none. The first match wins.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from billing.errors import NoRoute

Rule = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingContext:
    """What is known about the customer and the purchase; '' where it is not known."""

    transaction_type: str
    country: str = ""
    currency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The choice: alias, the rule's index from 0, the currency, and what each rule said."""

    provider: str
    rule_index: int
    currency: str
    rules: list[dict[str, Any]]

    @property
    def reason(self) -> str:
        """One English sentence that staff can read out."""
        return f"{self.rules[self.rule_index]['because']} -> {self.provider}."


def select_provider(
    context: RoutingContext,
    rules: Sequence[Rule],
    *,
    default_currency: str,
    why_not: Callable[[str], str] = lambda alias: "",
) -> Selection:
    """Return the first rule's provider that matches `context` and can take it.

    `why_not(alias)` answers why a provider cannot be used ('' when it can); such a rule is skipped
    with that reason. Raises NoRoute when nothing is left.
    """
    looked_at = [_look_at(rule, context, why_not) for rule in rules]
    for index, (rule, seen) in enumerate(zip(rules, looked_at, strict=True)):
        if seen["result"] == "matched":
            currency = context.currency or rule.get("currency") or default_currency
            for later in looked_at[index + 1 :]:
                later["result"] = "not reached" if later["result"] == "matched" else later["result"]
            return Selection(
                provider=rule["provider"], rule_index=index, currency=currency, rules=looked_at
            )
    reasons = "; ".join(f"{seen['provider']}: {seen['because']}" for seen in looked_at)
    raise NoRoute(f"no rule leads to a provider ({reasons or 'there are no rules'})")


def _look_at(rule: Rule, context: RoutingContext, why_not: Callable[[str], str]) -> dict[str, Any]:
    alias = str(rule["provider"])
    mismatch = _mismatch(rule, context)
    hindrance = "" if mismatch else why_not(alias)
    return {
        "provider": alias,
        "result": "skipped" if mismatch or hindrance else "matched",
        "because": mismatch or hindrance or _matched_because(rule, context),
    }


def _conditions(rule: Rule, context: RoutingContext) -> list[tuple[str, str, Sequence[str]]]:
    named = [
        ("country", context.country, "countries"),
        ("transaction type", context.transaction_type, "transaction_types"),
        ("currency", context.currency, "currencies"),
    ]
    return [(label, value, rule[key]) for label, value, key in named if key in rule]


def _mismatch(rule: Rule, context: RoutingContext) -> str:
    for label, value, wanted in _conditions(rule, context):
        if value not in wanted:
            return f"the {label} is {value or 'unknown'}, not {' or '.join(wanted)}"
    return ""


def _matched_because(rule: Rule, context: RoutingContext) -> str:
    conditions = _conditions(rule, context)
    if not conditions:
        return "No earlier rule applied"
    return "The " + " and the ".join(f"{label} is {value}" for label, value, _ in conditions)
