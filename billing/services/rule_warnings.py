"""What speaks against rules without making them wrong; staff read it before they activate them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from billing.conf import conf
from billing.enums import TransactionType
from billing.models import ProviderPrice, SubscriptionPlan
from billing.providers.base import ManagesSubscriptions, PaymentProvider
from billing.registry import providers
from billing.routing import Rule, asked_currencies, covered_by
from geo.countries import currency_of, is_country


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleWarning:
    """One doubt about the rule at `position`, from 1: a code and its values."""

    position: int
    code: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Catalogue:
    """The plans on sale, id -> name, and where each is published: (id, alias, currency)."""

    plans: dict[Any, str]
    published: set[tuple[Any, str, str]]


def warnings_of(rules: Sequence[Rule]) -> list[RuleWarning]:
    """Return what speaks against `rules` as providers, settings and prices are now."""
    catalogue = _catalogue()
    covered = covered_by(rules)
    return [
        RuleWarning(position=index + 1, code=code, values={"provider": rule["provider"], **values})
        for index, rule in enumerate(rules)
        for code, values in (
            *_order(rules, index, covered.get(index)),
            *_provider(rule),
            *_prices(rule, catalogue),
        )
    ]


def _order(
    rules: Sequence[Rule], index: int, earlier: int | None
) -> Iterable[tuple[str, dict[str, Any]]]:
    if earlier is None:
        return
    outcome = [(rule["provider"], rule.get("currency")) for rule in (rules[earlier], rules[index])]
    is_same = outcome[0] == outcome[1]
    yield ("never_decides" if is_same else "only_a_fallback"), {"earlier": earlier + 1}


def _provider(rule: Rule) -> Iterable[tuple[str, dict[str, Any]]]:
    alias = rule["provider"]
    for word in rule.get("countries", ()):
        if not is_country(word):
            yield "not_a_country", {"country": word}
    if alias not in providers.aliases():
        yield "not_configured", {}
        return
    taken = providers.get(alias, PaymentProvider).features.currencies
    for country in filter(is_country, rule.get("countries", ())):
        currency = currency_of(country)
        if taken and currency not in taken:
            yield "currency_not_taken", {"country": country, "currency": currency}


def _prices(rule: Rule, catalogue: _Catalogue) -> Iterable[tuple[str, dict[str, Any]]]:
    alias = rule["provider"]
    kinds = rule.get("transaction_types", [TransactionType.SUBSCRIPTION])
    if TransactionType.SUBSCRIPTION not in kinds:
        return
    if not providers.supports(alias, ManagesSubscriptions):
        return
    for plan, name in catalogue.plans.items():
        for asked in _asked(rule):
            if not any((plan, alias, currency) in catalogue.published for currency in asked):
                yield "no_published_price", {"plan": name, "currencies": asked}


def _asked(rule: Rule) -> list[list[str]]:
    """The choices of currencies that customers of `rule` come with, each once."""
    if "currencies" in rule:
        return [[currency] for currency in rule["currencies"]]
    countries = filter(is_country, rule.get("countries", ()))
    local = [currency_of(country) for country in countries] or [""]
    asked = [asked_currencies(rule, currency, conf.default_currency) for currency in local]
    return [list(each) for each in dict.fromkeys(map(tuple, asked))]


def _catalogue() -> _Catalogue:
    plans = SubscriptionPlan.objects.filter(is_active=True, prices__archived_at=None)
    published = ProviderPrice.objects.in_mode().filter(is_active=True, price__archived_at=None)
    return _Catalogue(
        plans=dict(plans.exclude(prices=None).values_list("pk", "name")),
        published=set(published.values_list("price__plan_id", "provider", "price__currency")),
    )
