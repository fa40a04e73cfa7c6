"""The country of an address: what is here, what is remembered, then the services, one at a time."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from geo import backends, circuit
from geo.backends.base import Backend, LookupFailed
from geo.cache import store
from geo.conf import conf
from geo.countries import is_country
from geo.ip import Visitor, fingerprint, is_public, network_of

logger = logging.getLogger(__name__)
_POLL_SECONDS = 0.03


@dataclass(frozen=True, kw_only=True)
class Located:
    """Where a visitor is. `country` is '' where nobody knows, and then `source` is too."""

    country: str
    source: str
    """The name of the backend that said so."""

    network: str
    """The /24 or /48 of the address, which may be stored; '' where there was no address."""


class _Found(NamedTuple):
    country: str
    source: str


_UNKNOWN = _Found("", "")


def lookup(visitor: Visitor, *, network: bool = True) -> Located:
    """Return where `visitor` is; never raises, and takes at most GEO_TIMEOUT_SECONDS.

    Addresses that are not of the open internet are not asked about. With `network=False` only the
    local backends and what was answered before count.
    """
    found = _find(visitor, network) if is_public(visitor.ip) else _UNKNOWN
    return Located(country=found.country, source=found.source, network=network_of(visitor.ip))


def _find(visitor: Visitor, network: bool) -> _Found:
    asked = backends.configured()
    for backend in asked:
        if backend.is_local and (country := _ask(backend, visitor, conf.timeout_seconds)):
            return _Found(country, backend.name)
    services = [backend for backend in asked if not backend.is_local]
    if not services:
        return _UNKNOWN
    name = fingerprint(visitor.ip)
    found = _remembered(name)
    if found is None and network:
        found = _find_once(services, visitor, name)
    return found or _UNKNOWN


def _find_once(services: Sequence[Backend], visitor: Visitor, name: str) -> _Found:
    """Ask the services, or wait for the answer of whoever is asking them about the same address."""
    ends_at = time.monotonic() + conf.timeout_seconds
    services = [service for service in services if not circuit.is_open(service.name)]
    lock = f"lookup:{name}"
    while services and time.monotonic() < ends_at:
        if store.add(lock, 1, conf.timeout_seconds + 2):
            try:
                return _remembered(name) or _ask_in_turn(services, visitor, name, ends_at)
            finally:
                store.delete(lock)
        time.sleep(_POLL_SECONDS)
        if found := _remembered(name):
            return found
    return _UNKNOWN


def _ask_in_turn(
    services: Sequence[Backend], visitor: Visitor, name: str, ends_at: float
) -> _Found:
    """Ask one after the other until one knows, each for its share of the time; remember that."""
    found, kept_for = _UNKNOWN, conf.failure_seconds
    for position, service in enumerate(services):
        share = (ends_at - time.monotonic()) / (len(services) - position)
        if share <= 0 or not circuit.take_from_budget(service.name):
            continue
        if country := _ask(service, visitor, share):
            found, kept_for = _Found(country, service.name), conf.cache_seconds
            break
    store.set(f"answer:{name}", tuple(found), kept_for)
    return found


def _ask(backend: Backend, visitor: Visitor, seconds: float) -> str:
    """'' where it does not know or failed; a service's failures count against it."""
    try:
        country = backend.country_of(visitor, seconds)
    except LookupFailed as error:
        logger.warning(
            "geo.lookup_failed",
            extra={
                "backend": backend.name,
                "reason": error.reason,
                "network": network_of(visitor.ip),
            },
        )
        if not backend.is_local:
            circuit.record_failure(backend.name, error.retry_after)
        return ""
    if not backend.is_local:
        circuit.record_success(backend.name)
    return country if is_country(country) else ""


def _remembered(name: str) -> _Found | None:
    """What was answered about an address before; None where nobody was asked."""
    stored = store.get(f"answer:{name}")
    return _Found(*stored) if stored else None
