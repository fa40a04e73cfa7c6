"""Gathers the evidence, asks the pure router, and stores the decision with its reasons."""

from typing import Any

from django.db import IntegrityError, transaction

from billing.conf import conf
from billing.models import AnyOrganization, BillingAccount, RoutingDecision, RuleSet
from billing.providers.base import Capability
from billing.registry import providers
from billing.routing import RoutingContext, select_provider


def ensure_rule_set() -> RuleSet:
    """Return the active rule set; make version 1 from BILLING_ROUTES when there is none."""
    active = RuleSet.objects.filter(is_active=True).first()
    if active:
        return active
    try:
        with transaction.atomic():
            return RuleSet.objects.create(
                version=1,
                rules=[dict(rule) for rule in conf.routes],
                is_active=True,
                note="From BILLING_ROUTES",
            )
    except IntegrityError:
        return RuleSet.objects.get(is_active=True)


def decide(
    organization: AnyOrganization,
    *,
    transaction_type: str,
    currency: str = "",
    needs: type[Capability] | None = None,
    user: Any = None,
) -> RoutingDecision:
    """Choose the provider for a purchase of `organization` and store why.

    Evidence comes in this order: country of the billing address, of the profile, of the user's own
    profile (BILLING_USER_COUNTRY). Raises NoRoute.
    """
    rule_set = ensure_rule_set()
    evidence = _evidence(organization, user)
    country = next((item["country"] for item in evidence), "")
    selection = select_provider(
        RoutingContext(transaction_type=transaction_type, country=country, currency=currency),
        rule_set.rules,
        default_currency=conf.default_currency,
        why_not=lambda alias: _why_not(alias, needs),
    )
    return RoutingDecision.objects.create(
        organization=organization,
        rule_set=rule_set,
        transaction_type=transaction_type,
        provider=selection.provider,
        currency=selection.currency,
        country=country,
        evidence=evidence,
        rules=selection.rules,
        rule_index=selection.rule_index,
        reason=selection.reason,
    )


def _why_not(alias: str, needs: type[Capability] | None) -> str:
    if alias not in providers.aliases():
        return "the provider has no keys configured"
    if needs and not providers.supports(alias, needs):
        return f"the provider does not have {needs.__name__}"
    return ""


def _evidence(organization: AnyOrganization, user: Any) -> list[dict[str, str]]:
    account = BillingAccount.objects.for_organization(organization).first()
    candidates = [
        ("billing address", str(account.address.get("country", "")) if account else ""),
        ("billing profile", account.country if account else ""),
        ("user profile", conf.user_country(user) if user and conf.user_country else ""),
    ]
    return [
        {"source": source, "country": country.upper()} for source, country in candidates if country
    ]
