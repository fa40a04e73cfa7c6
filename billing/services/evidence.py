"""What tells a customer's country: each source with what it says, the most believed first."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from billing.conf import conf
from billing.enums import EvidenceTier
from billing.models import AnyOrganization, BillingAccount, PaymentMethod
from geo.countries import normalize
from geo.ip import Visitor
from geo.lookup import lookup

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One source's word. `network` is all that is kept of an address."""

    tier: EvidenceTier
    source: str
    country: str
    network: str = ""


def gather(
    organization: AnyOrganization | None,
    *,
    billing_address: Mapping[str, str] | None = None,
    user: Any = None,
    visitor: Visitor | None = None,
) -> list[Evidence]:
    """Return all that is known, best first: the first one counts, the others stay to be seen.

    Billing address: of the request, else of the default payment method, else of the account.
    Profile: of the account, then of the user (BILLING_USER_COUNTRY). Last the IP address: nobody
    outside is asked about it when something better is known.
    """
    found = [
        Evidence(tier=tier, source=source, country=country)
        for tier, source, word in _told(organization, billing_address or {}, user)
        if (country := _country(word, source))
    ]
    return found + _by_address(visitor, network=not found)


def _told(
    organization: AnyOrganization | None, billing_address: Mapping[str, str], user: Any
) -> Iterable[tuple[EvidenceTier, str, str]]:
    yield EvidenceTier.BILLING_ADDRESS, "request", str(billing_address.get("country") or "")
    if organization:
        yield from _kept(organization)
    if user and conf.user_country:
        yield EvidenceTier.PROFILE, "user_profile", conf.user_country(user)


def _kept(organization: AnyOrganization) -> Iterable[tuple[EvidenceTier, str, str]]:
    accounts = BillingAccount.objects.for_organization(organization)
    unknown: tuple[dict[str, Any], str] = ({}, "")
    address, country = next(iter(accounts.values_list("address", "country")), unknown)
    method = _default_method_address(organization)
    yield EvidenceTier.BILLING_ADDRESS, "payment_method", str(method.get("country") or "")
    yield EvidenceTier.BILLING_ADDRESS, "account_address", str(address.get("country") or "")
    yield EvidenceTier.PROFILE, "account_country", country


def _default_method_address(organization: AnyOrganization) -> Mapping[str, Any]:
    newest = PaymentMethod.objects.for_organization(organization).defaults().order_by("-created_at")
    return next(iter(newest.values_list("billing_address", flat=True)[:1]), {})


def _country(word: str, source: str) -> str:
    if not word:
        return ""
    try:
        return normalize(word)
    except ValueError:
        logger.warning("evidence.not_a_country", extra={"source": source})
        return ""


def _by_address(visitor: Visitor | None, *, network: bool) -> list[Evidence]:
    located = lookup(visitor, network=network) if visitor else None
    if not located or not located.country:
        return []
    return [
        Evidence(
            tier=EvidenceTier.IP,
            source=located.source,
            country=located.country,
            network=located.network,
        )
    ]
