"""What is wrong with the GEO_* settings, told by `manage.py check`."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core import checks
from django.utils.module_loading import import_string

from geo.backends.base import Backend
from geo.backends.database import open_file
from geo.conf import conf


@checks.register
def check_settings(**_: Any) -> list[checks.CheckMessage]:
    """Return what keeps look-ups from working as the settings want, and what to know of them."""
    return [
        *_backend_errors(),
        *_database_errors(),
        *_header_errors(),
        *_plain_http_warnings(),
    ]


def _backend_errors() -> Iterable[checks.CheckMessage]:
    for path in conf.backends:
        try:
            is_backend = issubclass(import_string(path), Backend)
        except (ImportError, TypeError):
            is_backend = False
        if not is_backend:
            yield checks.Error(
                f"GEO_BACKENDS names {path!r}, which is no backend.",
                hint="Name subclasses of geo.backends.base.Backend by their dotted paths.",
                id="geo.E001",
            )


def _database_errors() -> Iterable[checks.CheckMessage]:
    if not conf.database:
        return
    try:
        open_file(conf.database).close()
    except ImportError:
        yield checks.Error(
            "GEO_DATABASE is set, but the package maxminddb is not installed.", id="geo.E002"
        )
    except (OSError, RuntimeError) as error:
        yield checks.Error(
            f"GEO_DATABASE cannot be read as a country file: {error}",
            hint="Give the path of a file in MaxMind's format (.mmdb).",
            id="geo.E003",
        )


def _header_errors() -> Iterable[checks.CheckMessage]:
    if conf.country_header and not conf.trusted_proxies:
        yield checks.Error(
            "GEO_COUNTRY_HEADER is set without GEO_TRUSTED_PROXIES, and so never believed.",
            hint="Set GEO_TRUSTED_PROXIES to the number of proxies, the CDN among them.",
            id="geo.E004",
        )


def _plain_http_warnings() -> Iterable[checks.CheckMessage]:
    is_asked = "geo.backends.ip_api.IpApi" in conf.backends
    if not settings.DEBUG and is_asked and conf.ip_api_url.startswith("http:"):
        yield checks.Warning(
            "ip-api.com is asked over plain HTTP: others can read visitors' addresses and change "
            "the answers. The free host is not licensed for commercial use either.",
            hint="Set GEO_IP_API_URL and _KEY to the paid host, or leave the backend out.",
            id="geo.W001",
        )
