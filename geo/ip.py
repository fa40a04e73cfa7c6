"""Whose address a request came from, and whether an address may be asked about. No look-ups."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # all that was ever given out


def client_ip(request: HttpRequest) -> str:
    """Return the client's address in its shortest form; '' where none is known.

    Each trusted proxy appends the address that it was called from to X-Forwarded-For, so with
    GEO_TRUSTED_PROXIES = n the n-th entry from the right is true and all before it is the client's
    own word. Without trusted proxies, with fewer entries than proxies, or with an entry that is no
    address, only the connection itself counts: it is '' on a Unix socket.
    """
    proxies = int(getattr(settings, "GEO_TRUSTED_PROXIES", 0))
    entries = request.META.get("HTTP_X_FORWARDED_FOR", "").rsplit(",", max(proxies, 0))
    told = entries[-proxies] if 0 < proxies <= len(entries) else ""
    found = _parse(told) or _parse(request.META.get("REMOTE_ADDR", ""))
    return str(found) if found else ""


def is_public(ip: str) -> bool:
    """Whether `ip` is an address of the open internet: nothing private, reserved or malformed."""
    found = _parse(ip)
    if found is None or not found.is_global or found.is_multicast:
        return False
    return isinstance(found, ipaddress.IPv4Address) or _is_assigned(found)


def _is_assigned(address: ipaddress.IPv6Address) -> bool:
    """Without 6to4, which carries an IPv4 address of anybody's choice."""
    return address in _GLOBAL_UNICAST and address.sixtofour is None


def _parse(text: str) -> _Address | None:
    """Read what proxies write: with a port, in brackets, with a zone, IPv4 mapped into IPv6."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
