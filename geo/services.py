"""Where a customer is, from the strongest word about it to the weakest, and in which currency."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from geo.countries import currency_of, normalize
from geo.ip import Visitor
from geo.lookup import lookup

_REST_OF_THE_WORLD = "USD"


class Tier(StrEnum):
    """What a country is known from; the first that names one decides."""

    BILLING_ADDRESS = "billing_address"
    PROFILE = "profile"
    IP = "ip"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What one tier says. It may be stored: there is no address in it."""

    tier: Tier
    country: str
    """ISO 3166-1 alpha-2; '' where the tier says nothing that counts."""

    source: str
    """`given` by the caller, or the name of the backend that placed the address; '' without one."""

    problem: str = ""
    """`not_a_country` where something was given that is none; it was ignored."""

    network: str = ""
    """Of the tier `ip`: the /24 or /48 of the address."""


@dataclass(frozen=True, kw_only=True)
class Detection:
    """Where a customer is, and everything that was said about it, also where it disagrees."""

    country: str
    """ISO 3166-1 alpha-2; '' where nothing is known, and then `tier` is None, `source` ''."""

    tier: Tier | None
    source: str
    evidence: tuple[Evidence, ...]
    """One of each tier, the strongest first."""


class GeolocationService:
    """The first design's three methods, and `detect`, which also says why."""

    def detect_country(
        self, ip_address: str, user_country: str = "", billing_country: str = ""
    ) -> str:
        """Return the ISO 3166-1 alpha-2 code by billing address, profile, address; '' unknown.

        What is no country is ignored. Never raises; see `detect` for how long it may take.
        """
        visitor = Visitor(ip=ip_address)
        found = self.detect(visitor, user_country=user_country, billing_country=billing_country)
        return found.country

    def detect(
        self, visitor: Visitor, *, user_country: str = "", billing_country: str = ""
    ) -> Detection:
        """Return where the customer is, by which tier, and what each tier says. Never raises.

        Services on the network are asked only where neither billing address nor profile names a
        country, for at most GEO_TIMEOUT_SECONDS; what is known here is always shown beside them.
        """
        billing = _given(Tier.BILLING_ADDRESS, billing_country)
        profile = _given(Tier.PROFILE, user_country)
        located = lookup(visitor, network=not (billing.country or profile.country))
        address = Evidence(
            tier=Tier.IP,
            country=located.country,
            source=located.source,
            network=located.network,
        )
        evidence = (billing, profile, address)
        decisive = next((each for each in evidence if each.country), None)
        return Detection(
            country=decisive.country if decisive else "",
            tier=decisive.tier if decisive else None,
            source=decisive.source if decisive else "",
            evidence=evidence,
        )

    def is_mexican_customer(
        self, country_code: str, billing_address: Mapping[str, object] | None = None
    ) -> bool:
        """Whether the customer is in Mexico: by `billing_address["country"]`, else `country_code`.

        A billing address elsewhere outweighs a Mexican `country_code`.
        """
        billing = _country((billing_address or {}).get("country"))
        return (billing or _country(country_code)) == "MX"

    def get_currency_for_country(self, country_code: str) -> str:
        """Return the ISO 4217 code of the country's legal tender; USD where there is none.

        That is where `country_code` is no country, and for Antarctica. `geo.countries.currency_of`
        says which one counts where there are several.
        """
        country = _country(country_code)
        return (currency_of(country) if country else "") or _REST_OF_THE_WORLD


def _given(tier: Tier, told: str) -> Evidence:
    """What the caller says about a tier; where it is no country, that it was ignored."""
    country = _country(told)
    problem = "not_a_country" if told and not country else ""
    return Evidence(tier=tier, country=country, source="given" if country else "", problem=problem)


def _country(told: object) -> str:
    try:
        return normalize(told) if isinstance(told, str) else ""
    except ValueError:
        return ""
