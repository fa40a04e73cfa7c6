"""The country that a trusted CDN names in a header of each request."""

from geo.backends.base import Backend
from geo.conf import conf
from geo.ip import Visitor


class Header(Backend):
    """GEO_COUNTRY_HEADER: Cloudflare's CF-IPCountry, CloudFront-Viewer-Country and the like.

    What is no country is left to the next backend; Cloudflare says XX for unknown, T1 for Tor.
    """

    name = "header"
    is_local = True

    @property
    def is_configured(self) -> bool:
        return bool(conf.country_header)

    def country_of(self, visitor: Visitor, timeout_seconds: float) -> str:
        return visitor.told_country.strip().upper()
