"""Why a provider was chosen, in sentences: English, and Spanish by the active language.

Imported by doors only. What is stored are codes and values, so a decision can be explained in any
language years later; a code of another release is told as it is.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as now
from django.utils.translation import gettext_lazy as _

from billing.models import RoutingDecision
from billing.routing import MATCHED, SKIPPED

Texts = Mapping[str, Promise]

_CHOICES: Texts = {
    "subscription": _("%(provider)s takes this subscription, in %(currency)s."),
    "product_purchase": _("%(provider)s takes this purchase, in %(currency)s."),
}
_KINDS: Texts = {"subscription": _("subscription"), "product_purchase": _("product purchase")}
_SOURCES: Texts = {
    "request": _("the billing address of this purchase"),
    "payment_method": _("the billing address of the default payment method"),
    "account_address": _("the billing address of the account"),
    "account_country": _("the country of the account"),
    "user_profile": _("the user's profile"),
}
_MET: Texts = {
    "countries": _("The country is %(value)s."),
    "transaction_types": _("It is a %(value)s."),
    "currencies": _("The currency asked for is %(value)s."),
    "payment_methods": _("The payment method asked for is %(value)s."),
}
_NOT_MET: Texts = {
    "countries": _("The country is %(value)s, and the rule is for %(wanted)s."),
    "transaction_types": _("It is a %(value)s, and the rule is for a %(wanted)s."),
    "currencies": _("The currency asked for is %(value)s, and the rule is for %(wanted)s."),
    "payment_methods": _(
        "The payment method asked for is %(value)s, and the rule is for %(wanted)s."
    ),
}
_NOT_TOLD: Texts = {
    "countries": _("The country is not known, and the rule is for %(wanted)s."),
    "transaction_types": _("It is not told what is bought, and the rule is for a %(wanted)s."),
    "currencies": _("No currency is asked for, and the rule is for %(wanted)s."),
    "payment_methods": _("No payment method is asked for, and the rule is for %(wanted)s."),
}
_CONDITIONS: Texts = {
    "countries": _("the country is %(wanted)s"),
    "transaction_types": _("it is a %(wanted)s"),
    "currencies": _("the currency asked for is %(wanted)s"),
    "payment_methods": _("the payment method asked for is %(wanted)s"),
}
_WARNINGS: Texts = {
    "never_decides": _(
        "It never decides: rule %(earlier)s matches all of it for the same provider."
    ),
    "only_a_fallback": _(
        "It decides only when the provider of rule %(earlier)s cannot: that rule matches all of it."
    ),
    "not_configured": _("%(provider)s is not set up here, so the rule is always skipped."),
    "not_a_country": _("%(country)s is no country of ISO 3166-1."),
    "currency_not_taken": _("%(provider)s does not take %(currency)s, the money of %(country)s."),
    "no_published_price": _(
        "The plan %(plan)s has no published price at %(provider)s in %(currencies)s."
    ),
}
_HINDRANCES: Texts = {
    "not_configured": _("The provider is not set up here."),
    "capability_missing": _("The provider cannot do this (%(needs)s)."),
    "circuit_open": _("The provider did not answer several times and is left alone for a moment."),
    "currency_not_taken": _("It takes nothing in %(currencies)s."),
    "no_published_price": _("%(item)s has no published price there in %(currencies)s."),
    "method_not_offered": _("It does not take %(payment_method)s in %(currencies)s."),
}
_RESULTS: Texts = {
    MATCHED: _("matched"),
    SKIPPED: _("skipped"),
    "not_reached": _("not reached"),
}


def explain(decision: RoutingDecision) -> list[str]:
    """Return the decision in sentences: the choice, its rule, the country, what was passed over."""
    answer = decision.answers[decision.rule_index]
    return [
        str(_CHOICES[decision.transaction_type]) % _choice(decision),
        now("Rule %(rule)s decides. %(because)s")
        % {"rule": decision.rule_index + 1, "because": because(answer)},
        *_country(decision.evidence),
        *_passed_over(decision),
        *_runner_up(decision.runner_up),
    ]


def because(answer: Mapping[str, Any]) -> str:
    """Return why one rule matched or was skipped, as stored in `RoutingDecision.answers`."""
    code, values = str(answer.get("code", "")), answer.get("values", {})
    if code == "conditions_met":
        return _met(values)
    if code == "condition_not_met":
        return _not_met(values)
    text = str(_HINDRANCES.get(code, code))
    return text % _shown(values) if values else text


def in_words(rule: Mapping[str, Any]) -> str:
    """Return a rule as one line: `The country is MX → conekta, in MXN`."""
    words = {"conditions": conditions(rule), **rule}
    if rule.get("currency"):
        return now("%(conditions)s → %(provider)s, in %(currency)s") % words
    return now("%(conditions)s → %(provider)s") % words


def conditions(rule: Mapping[str, Any]) -> str:
    """Return when a rule matches: `The country is MX and it is a subscription`."""
    told = [
        str(text) % {"wanted": _either([_word(name, each) for each in rule[name]])}
        for name, text in _CONDITIONS.items()
        if name in rule
    ]
    text = now(" and ").join(told) or now("everything else")
    return text[0].upper() + text[1:]


def warning(code: str, values: Mapping[str, Any]) -> str:
    """Return one of `services.rule_warnings` as a sentence."""
    return str(_WARNINGS[code]) % _shown(values)


def result(answer: Mapping[str, Any]) -> str:
    """Return `matched`, `skipped` or `not reached` in the active language."""
    code = str(answer.get("result", ""))
    return str(_RESULTS.get(code, code))


def source(evidence: Mapping[str, Any]) -> str:
    """Return where one piece of evidence comes from."""
    word = str(evidence.get("source", ""))
    if evidence.get("tier") == "ip":
        return now("the IP address (%(service)s, network %(network)s)") % {
            "service": word,
            "network": evidence.get("network") or "-",
        }
    return str(_SOURCES.get(word, word))


def _choice(decision: RoutingDecision) -> dict[str, str]:
    return {"provider": decision.provider.capitalize(), "currency": decision.currency}


def _met(values: Mapping[str, str]) -> str:
    sentences = [str(_MET[name]) % {"value": _word(name, values[name])} for name in values]
    return " ".join(sentences) or now("It takes all that no earlier rule took.")


def _not_met(values: Mapping[str, Any]) -> str:
    name = str(values["condition"])
    texts = _NOT_MET if values["value"] else _NOT_TOLD
    wanted = _either([_word(name, each) for each in values["wanted"]])
    return str(texts[name]) % {"value": _word(name, values["value"]), "wanted": wanted}


def _word(condition: str, value: str) -> str:
    return str(_KINDS.get(value, value)) if condition == "transaction_types" else value


def _shown(values: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: _either(value) if isinstance(value, list) else str(value)
        for name, value in values.items()
    }


def _either(words: list[str]) -> str:
    *others, last = words
    return (
        now("%(first)s or %(last)s") % {"first": ", ".join(others), "last": last}
        if others
        else last
    )


def _country(evidence: list[Mapping[str, Any]]) -> Iterable[str]:
    if not evidence:
        yield now("Nothing tells the customer's country.")
        return
    first, *others = evidence
    yield now("The country %(country)s comes from %(source)s.") % _piece(first)
    for other in others:
        if other["country"] != first["country"]:
            yield now("Against it speaks %(source)s with %(country)s, which counts less.") % (
                _piece(other)
            )


def _piece(evidence: Mapping[str, Any]) -> dict[str, str]:
    return {"country": str(evidence["country"]), "source": source(evidence)}


def _passed_over(decision: RoutingDecision) -> Iterable[str]:
    for position, answer in enumerate(decision.answers[: decision.rule_index], start=1):
        yield now("Rule %(rule)s (%(provider)s) was skipped. %(because)s") % {
            "rule": position,
            "provider": answer["provider"],
            "because": because(answer),
        }


def _runner_up(alias: str) -> Iterable[str]:
    if alias:
        yield now("Otherwise %(provider)s would take it.") % {"provider": alias.capitalize()}
    else:
        yield now("No other provider would take it.")
