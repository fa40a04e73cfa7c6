"""Whose address a request came from, and in which forms it may be used. No look-ups."""

import ipaddress
from dataclasses import dataclass, field

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from geo.conf import conf

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")  # all that was ever given out
_HOST_BITS = {4: 8, 6: 80}


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Who is to be located. Neither stored nor logged: `network_of` gives what may be."""

    ip: str = field(repr=False)
    """The address in its shortest form, whichever form it was given in; '' where it is none."""

    told_country: str = ""
    """What the header of a trusted CDN said (GEO_COUNTRY_HEADER), unchecked; '' without one."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ip", _text(_parse(self.ip)))


def visitor_of(request: HttpRequest) -> Visitor:
    """Return whom `request` came from.

    The country header is believed only where the request came through the trusted proxies: anybody
    can send it to us directly.
    """
    forwarded = _forwarded(request)
    told = request.headers.get(conf.country_header, "") if forwarded and conf.country_header else ""
    return Visitor(ip=client_ip(request), told_country=told)


def client_ip(request: HttpRequest) -> str:
    """Return the client's address in its shortest form; '' where none is known.

    Each trusted proxy appends the address that it was called from to X-Forwarded-For, so with
    GEO_TRUSTED_PROXIES = n the n-th entry from the right is true and all before it is the client's
    own word. Without trusted proxies, with fewer entries than proxies, or with an entry that is no
    address, only the connection itself counts: it is '' on a Unix socket.
    """
    return _text(_forwarded(request) or _parse(request.META.get("REMOTE_ADDR", "")))


def is_public(ip: str) -> bool:
    """Whether `ip` is an address of the open internet: nothing private, reserved or malformed."""
    found = _parse(ip)
    if found is None or not found.is_global or found.is_multicast:
        return False
    return isinstance(found, ipaddress.IPv4Address) or _is_assigned(found)


def network_of(ip: str) -> str:
    """Return the /24 (IPv6: /48) that `ip` is in, which may be stored and logged; '' for none.

    It is the only form in which an address may be: it tells no one visitor from the others.
    """
    found = _parse(ip)
    if found is None:
        return ""
    bits = _HOST_BITS[found.version]
    first = type(found)(int(found) >> bits << bits)
    return f"{first}/{found.max_prefixlen - bits}"


def fingerprint(ip: str) -> str:
    """Return what tells `ip` from other addresses in a shared cache without naming it.

    Keyed with SECRET_KEY: a plain hash of an IPv4 address is undone by trying them all.
    """
    return salted_hmac("geo.ip", ip, algorithm="sha256").hexdigest()


def _forwarded(request: HttpRequest) -> _Address | None:
    """The address that the outermost trusted proxy was called from; None where none says so."""
    proxies = conf.trusted_proxies
    entries = request.META.get("HTTP_X_FORWARDED_FOR", "").rsplit(",", proxies)
    return _parse(entries[-proxies]) if 0 < proxies <= len(entries) else None


def _is_assigned(address: ipaddress.IPv6Address) -> bool:
    """Without 6to4, which carries an IPv4 address of anybody's choice."""
    return address in _GLOBAL_UNICAST and address.sixtofour is None


def _text(address: _Address | None) -> str:
    return str(address) if address else ""


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
