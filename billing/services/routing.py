"""Gathers evidence and facts, asks the pure router, and stores the decision with its reasons."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from billing import circuit
from billing.conf import conf
from billing.enums import TransactionType
from billing.errors import (
    BillingError,
    DecisionOutdated,
    NoRoute,
    PlanNotAvailable,
    ProviderUnavailable,
)
from billing.models import (
    AnyOrganization,
    Product,
    ProviderPrice,
    ProviderProductPrice,
    RoutingDecision,
    RuleSet,
    SubscriptionPlan,
)
from billing.providers.base import (
    Capability,
    HostsCheckout,
    ManagesSubscriptions,
    PaymentProvider,
    TakesPayments,
)
from billing.registry import providers
from billing.routing import (
    Answer,
    ProviderFacts,
    RoutingContext,
    Selection,
    candidates,
    select_provider,
)
from billing.services import evidence, rule_sets
from billing.services.evidence import Evidence
from geo.countries import currency_of
from geo.ip import Visitor

_NEEDS: dict[TransactionType, tuple[type[Capability], ...]] = {
    TransactionType.SUBSCRIPTION: (ManagesSubscriptions,),
    TransactionType.PRODUCT_PURCHASE: (HostsCheckout, TakesPayments),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """What is to be paid for, and what the customer asks for; '' and None where nothing is named.

    Of `needs` the provider must have one; empty: what the transaction type needs. Only for a new
    purchase is a provider passed over whose circuit is open: what exists stays where it is.
    """

    transaction_type: TransactionType
    plan: SubscriptionPlan | None = None
    interval: str = ""
    product: Product | None = None
    currency: str = ""
    payment_method: str = ""
    billing_address: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[type[Capability], ...] = ()
    is_purchase: bool = True

    @property
    def item(self) -> str:
        """What is bought, for people; '' where it is not named."""
        words = [str(self.plan or self.product or ""), self.interval]
        return ", ".join(word for word in words if word) if words[0] else ""


def decide(
    organization: AnyOrganization,
    inquiry: Inquiry,
    *,
    user: Any = None,
    visitor: Visitor | None = None,
) -> RoutingDecision:
    """Choose the provider for what `organization` inquires about, and store why.

    Raises NoRoute, PlanNotAvailable where only a published price is missing, ProviderUnavailable
    where only a circuit is open.
    """
    known = evidence.gather(
        organization, billing_address=inquiry.billing_address, user=user, visitor=visitor
    )
    decision = consider(inquiry, known)
    decision.organization = organization
    decision.save(force_insert=True)
    return decision


def consider(
    inquiry: Inquiry, known: list[Evidence], *, rule_set: RuleSet | None = None
) -> RoutingDecision:
    """Return the decision unsaved, by the active rules or by `rule_set`; nobody outside is asked.

    Raises as `decide`.
    """
    rules = rule_set or rule_sets.ensure_active()
    context = _context(inquiry, known)
    facts = _facts(inquiry, context, candidates(context, rules.rules))
    try:
        selection = select_provider(context, rules.rules, facts)
    except NoRoute as error:
        raise _kinder(error) from error
    return RoutingDecision(
        rule_set=rules,
        transaction_type=inquiry.transaction_type.value,
        plan=inquiry.plan,
        billing_interval=inquiry.interval,
        product=inquiry.product,
        country=context.country,
        evidence=[_stored(each) for each in known],
        context=_stored(context),
        facts={alias: _stored(each) for alias, each in facts.items()},
        **_columns(selection),
    )


def answers_of(error: BillingError) -> list[Answer]:
    """What each rule answered when `decide` or `consider` raised `error`."""
    cause = error.__cause__
    answers = cause.answers if isinstance(cause, NoRoute) else ()
    return [answer for answer in answers if isinstance(answer, Answer)]


def recompute(decision: RoutingDecision) -> Selection:
    """Decide again from nothing but what was stored: its rule set, context and facts."""
    facts = {alias: ProviderFacts(**each) for alias, each in decision.facts.items()}
    context = RoutingContext(**decision.context)
    return select_provider(context, decision.rule_set.rules, facts)


def selection_of(decision: RoutingDecision) -> Selection:
    """The choice as it was stored."""
    return Selection(
        provider=decision.provider,
        runner_up=decision.runner_up,
        rule_index=decision.rule_index,
        currency=decision.currency,
        methods=decision.methods,
        answers=[Answer(**each) for each in decision.answers],
    )


def honor(decision: RoutingDecision, inquiry: Inquiry) -> RoutingDecision:
    """Return an earlier decision for use in the purchase that it was made for.

    Raises DecisionOutdated when it is about another purchase or older than BILLING_DECISION_HOURS.
    """
    asked = (
        (inquiry.transaction_type.value, decision.transaction_type),
        (inquiry.plan and inquiry.plan.pk, decision.plan_id),
        (inquiry.product and inquiry.product.pk, decision.product_id),
        (inquiry.interval, decision.billing_interval),
        (inquiry.currency, decision.currency),
    )
    if any(now and then and now != then for now, then in asked):
        raise DecisionOutdated("the decision was made for another purchase")
    if timezone.now() - decision.created_at > conf.decision_age:
        raise DecisionOutdated("the decision is too old")
    return decision


def _stored(value: Any) -> dict[str, Any]:
    """A dataclass of plain values as JSON keeps it; `asdict` would copy each of them first."""
    return {each.name: getattr(value, each.name) for each in fields(value)}


def _columns(selection: Selection) -> dict[str, Any]:
    return {
        "provider": selection.provider,
        "runner_up": selection.runner_up,
        "rule_index": selection.rule_index,
        "currency": selection.currency,
        "methods": selection.methods,
        "answers": [_stored(each) for each in selection.answers],
    }


def _context(inquiry: Inquiry, known: list[Evidence]) -> RoutingContext:
    country = known[0].country if known else ""
    return RoutingContext(
        transaction_type=inquiry.transaction_type.value,
        default_currency=conf.default_currency,
        country=country,
        local_currency=currency_of(country) if country else "",
        currency=inquiry.currency,
        payment_method=inquiry.payment_method,
        item=inquiry.item,
    )


def _facts(
    inquiry: Inquiry, context: RoutingContext, aliases: list[str]
) -> dict[str, ProviderFacts]:
    sold = _sold(inquiry)
    silent = circuit.open_among(aliases) if inquiry.is_purchase else set()
    return {
        alias: ProviderFacts(hindrance="circuit_open")
        if alias in silent
        else _facts_of(alias, inquiry, context, sold.get(alias, []))
        for alias in aliases
    }


def _facts_of(
    alias: str, inquiry: Inquiry, context: RoutingContext, sold: list[str]
) -> ProviderFacts:
    if alias not in providers.aliases():
        return ProviderFacts()
    needs = inquiry.needs or _NEEDS[inquiry.transaction_type]
    if not any(providers.supports(alias, each) for each in needs):
        return ProviderFacts(
            hindrance="capability_missing", needs=[each.__name__ for each in needs]
        )
    features = providers.get(alias, PaymentProvider).features
    is_any = not inquiry.item and not sold
    return ProviderFacts(
        hindrance="",
        currencies=(sorted(features.currencies) or None) if is_any else sold,
        methods=features.methods_in(context.country),
    )


def _sold(inquiry: Inquiry) -> dict[str, list[str]]:
    """Alias -> the currencies in which the item, or without one anything of its kind, is sold."""
    found: dict[str, set[str]] = {}
    for alias, currency in _published(inquiry):
        found.setdefault(alias, set()).add(currency)
    return {alias: sorted(currencies) for alias, currencies in found.items()}


def _published(inquiry: Inquiry) -> QuerySet[Any, tuple[str, str]]:
    rows: QuerySet[Any]
    named: dict[str, Any]
    if inquiry.transaction_type == TransactionType.SUBSCRIPTION:
        rows, named = ProviderPrice.objects.in_mode(), {"price__plan__is_active": True}
        named |= {"price__plan": inquiry.plan, "price__interval": inquiry.interval}
    else:
        rows, named = ProviderProductPrice.objects.in_mode(), {"price__product__is_active": True}
        named |= {"price__product": inquiry.product}
    wanted = {name: value for name, value in named.items() if value}
    return rows.filter(is_active=True, price__archived_at=None, **wanted).values_list(
        "provider", "price__currency"
    )


def _kinder(error: NoRoute) -> BillingError:
    """What the customer can do next decides the error: wait, choose another price, or ask us."""
    codes = {answer.code for answer in error.answers if isinstance(answer, Answer)}
    if "circuit_open" in codes:
        return ProviderUnavailable(error.message, retry_after=conf.circuit_seconds)
    if "no_published_price" in codes:
        return PlanNotAvailable(error.message)
    return error
