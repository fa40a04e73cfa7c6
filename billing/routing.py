"""Which provider takes the money: pure functions over rules and facts. No database, no network.

A rule is a mapping with `provider` and any of `countries`, `transaction_types`, `currencies`,
`payment_methods` to match on; `currency` is what it suggests when nobody asks for one. The first
match wins. Every rule answers with a code and its values; `billing.explanations` makes sentences.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from billing.enums import TransactionType
from billing.errors import NoRoute

Rule = Mapping[str, Any]

MATCHED = "matched"
SKIPPED = "skipped"
NOT_REACHED = "not_reached"  # would have matched, but an earlier rule did
CONDITIONS = {
    "countries": "country",
    "transaction_types": "transaction_type",
    "currencies": "currency",
    "payment_methods": "payment_method",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingContext:
    """What is known about the customer and the purchase; '' where it is not known.

    `currency` and `payment_method` are what is asked for; `local_currency` is the country's own.
    `item` names what is bought, for people; without it nothing has to be on sale.
    """

    transaction_type: str
    default_currency: str
    country: str = ""
    local_currency: str = ""
    currency: str = ""
    payment_method: str = ""
    item: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFacts:
    """What was known of one provider: enough to decide again later.

    `hindrance` is a code, '' when purchases can be made there. `currencies` are those in which it
    sells the item, None for any. `methods` are what it offers the country, with their currencies.
    """

    hindrance: str = "not_configured"
    needs: list[str] = field(default_factory=list)
    currencies: list[str] | None = None
    methods: dict[str, list[str]] = field(default_factory=dict)

    def methods_for(self, currency: str) -> list[str]:
        """The methods that can be paid with in `currency`."""
        return [name for name, taken in self.methods.items() if not taken or currency in taken]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one rule. `currency` is the one it would be paid in, '' when skipped."""

    provider: str
    result: str
    code: str
    values: dict[str, Any]
    currency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The choice, its rule's index from 0, who would be next, and what every rule answered."""

    provider: str
    runner_up: str
    rule_index: int
    currency: str
    methods: list[str]
    answers: list[Answer]


def select_provider(
    context: RoutingContext, rules: Sequence[Rule], facts: Mapping[str, ProviderFacts]
) -> Selection:
    """Return the first rule's provider that matches `context` and can take it.

    `facts` must hold `candidates(context, rules)`; who is missing is not configured. Raises
    NoRoute, with every rule's answer, when nothing is left.
    """
    answers = [_answer(rule, context, facts) for rule in rules]
    able = [index for index, answer in enumerate(answers) if answer.result == MATCHED]
    if not able:
        raise NoRoute(f"no rule leads to a provider: {_told(answers)}", answers=answers)
    chosen = answers[able[0]]
    others = [answers[index].provider for index in able[1:]]
    return Selection(
        provider=chosen.provider,
        runner_up=next((alias for alias in others if alias != chosen.provider), ""),
        rule_index=able[0],
        currency=chosen.currency,
        methods=facts[chosen.provider].methods_for(chosen.currency),
        answers=[_after(answer, index > able[0]) for index, answer in enumerate(answers)],
    )


def candidates(context: RoutingContext, rules: Sequence[Rule]) -> list[str]:
    """The aliases whose rules match `context`, each once: those whose facts are needed."""
    return list(
        dict.fromkeys(str(rule["provider"]) for rule in rules if not _mismatch(rule, context))
    )


def problems(rules: object) -> list[str]:
    """What is wrong with `rules`, each in one English sentence; none when they can decide."""
    if not isinstance(rules, Sequence) or isinstance(rules, str) or not rules:
        return ["There are no rules."]
    return [
        f"Rule {position}: {problem}"
        for position, found in problems_by_rule(rules).items()
        for problem in found
    ]


def problems_by_rule(rules: Sequence[object]) -> dict[int, list[str]]:
    """The position, from 1, of each rule that something is wrong with, and what."""
    found = {position: list(_rule_problems(rule)) for position, rule in enumerate(rules, start=1)}
    if rules and isinstance(rules[-1], Mapping) and set(rules[-1]) & set(CONDITIONS):
        found[len(rules)].append(
            "it is the last one and must match everything: give it no conditions."
        )
    return {position: told for position, told in found.items() if told}


def covered_by(rules: Sequence[Rule]) -> dict[int, int]:
    """Of each rule that matches only what an earlier one matches too: its index, the earlier's."""
    found: dict[int, int] = {}
    for index, rule in enumerate(rules):
        earlier = [before for before in range(index) if _covers(rules[before], rule)]
        if earlier:
            found[index] = earlier[0]
    return found


def asked_currencies(rule: Rule, local_currency: str, default_currency: str) -> list[str]:
    """In which currencies `rule` looks for a price when the customer asks for none, best first."""
    usual = (rule.get("currency"), local_currency, default_currency)
    return list(dict.fromkeys(code for code in usual if code))


def _rule_problems(rule: object) -> Iterable[str]:
    if not isinstance(rule, Mapping):
        yield "it is not a mapping."
        return
    if not isinstance(rule.get("provider"), str) or not rule["provider"]:
        yield "it names no provider."
    for name in sorted(set(rule) - set(CONDITIONS) - {"provider", "currency"}):
        yield f"{name!r} is not a condition; there are {', '.join(CONDITIONS)}."
    for name in CONDITIONS:
        if name in rule and not _are_texts(rule[name]):
            yield f"{name} must be a list of texts that is not empty."
        elif name == "transaction_types":
            for unknown in sorted(set(rule.get(name, ())) - set(TransactionType)):
                yield f"there is no transaction type {unknown!r}."


def _are_texts(value: object) -> bool:
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(each, str) and each for each in value)
    )


def _answer(rule: Rule, context: RoutingContext, facts: Mapping[str, ProviderFacts]) -> Answer:
    alias = str(rule["provider"])
    mismatch = _mismatch(rule, context)
    if mismatch:
        return Answer(provider=alias, result=SKIPPED, code="condition_not_met", values=mismatch)
    known = facts.get(alias, ProviderFacts())
    if known.hindrance:
        needs = {"needs": known.needs} if known.needs else {}
        return Answer(provider=alias, result=SKIPPED, code=known.hindrance, values=needs)
    return _offer(alias, rule, context, known)


def _offer(alias: str, rule: Rule, context: RoutingContext, known: ProviderFacts) -> Answer:
    """The first currency that the item is sold and the wanted method taken in."""
    usual = asked_currencies(rule, context.local_currency, context.default_currency)
    asked = [context.currency] if context.currency else usual
    sold = [code for code in asked if known.currencies is None or code in known.currencies]
    method = context.payment_method
    paid = [code for code in sold if not method or method in known.methods_for(code)]
    if not sold:
        code = "no_published_price" if context.item else "currency_not_taken"
        values = {"item": context.item, "currencies": asked}
    elif not paid:
        code, values = "method_not_offered", {"payment_method": method, "currencies": sold}
    else:
        met = {name: _told_value(context, name) for name in CONDITIONS if name in rule}
        return Answer(
            provider=alias, result=MATCHED, code="conditions_met", values=met, currency=paid[0]
        )
    return Answer(provider=alias, result=SKIPPED, code=code, values=values)


def _covers(earlier: Rule, later: Rule) -> bool:
    """Whether all that `later` matches is matched by `earlier`."""
    return all(
        name in later and set(later[name]) <= set(earlier[name])
        for name in CONDITIONS
        if name in earlier
    )


def _mismatch(rule: Rule, context: RoutingContext) -> dict[str, Any]:
    """The first condition that is not met, with what was known and what is wanted."""
    for name in CONDITIONS:
        told = _told_value(context, name)
        if name in rule and told not in rule[name]:
            return {"condition": name, "value": told, "wanted": list(rule[name])}
    return {}


def _told_value(context: RoutingContext, condition: str) -> str:
    value: str = getattr(context, CONDITIONS[condition])
    return value


def _after(answer: Answer, is_after: bool) -> Answer:
    if not is_after or answer.result == SKIPPED:
        return answer
    return Answer(
        provider=answer.provider,
        result=NOT_REACHED,
        code=answer.code,
        values=answer.values,
        currency=answer.currency,
    )


def _told(answers: Sequence[Answer]) -> str:
    """For the log: codes, no sentences."""
    return "; ".join(f"{each.provider}: {each.code}" for each in answers) or "there are no rules"
