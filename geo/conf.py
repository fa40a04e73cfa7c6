"""One typed property per GEO_* setting. Read when used, so that tests can override them."""

from collections.abc import Mapping, Sequence

from django.conf import settings

BACKENDS = (
    "geo.backends.database.Database",
    "geo.backends.header.Header",
    "geo.backends.ipapi.Ipapi",
    "geo.backends.ip_api.IpApi",
)


class GeoSettings:
    @property
    def trusted_proxies(self) -> int:
        """GEO_TRUSTED_PROXIES: proxies in front of us that append to X-Forwarded-For. 0."""
        return max(0, int(getattr(settings, "GEO_TRUSTED_PROXIES", 0)))

    @property
    def backends(self) -> Sequence[str]:
        """GEO_BACKENDS: dotted paths in the order of asking; those without network come first."""
        return tuple(getattr(settings, "GEO_BACKENDS", BACKENDS))

    @property
    def database(self) -> str:
        """GEO_DATABASE: path of a country file in MaxMind's format (.mmdb); '' for none."""
        return str(getattr(settings, "GEO_DATABASE", ""))

    @property
    def country_header(self) -> str:
        """GEO_COUNTRY_HEADER: in which a trusted CDN names the country, say CF-IPCountry; ''."""
        return str(getattr(settings, "GEO_COUNTRY_HEADER", ""))

    @property
    def cache_seconds(self) -> int:
        """GEO_CACHE_SECONDS: how long a service's answer is kept. 86400."""
        return int(getattr(settings, "GEO_CACHE_SECONDS", 86_400))

    @property
    def failure_seconds(self) -> int:
        """GEO_FAILURE_SECONDS: how long an address that nobody could place is not asked about, and
        how long a service that keeps failing is left alone. 300."""
        return int(getattr(settings, "GEO_FAILURE_SECONDS", 300))

    @property
    def timeout_seconds(self) -> float:
        """GEO_TIMEOUT_SECONDS: the longest that all services together may take. 2."""
        return float(getattr(settings, "GEO_TIMEOUT_SECONDS", 2))

    def daily_budget(self, service: str) -> int | None:
        """GEO_DAILY_BUDGET: service -> calls in a day (UTC). {"ipapi": 1000}; None: no limit."""
        budgets: Mapping[str, int] = getattr(settings, "GEO_DAILY_BUDGET", {"ipapi": 1000})
        return budgets.get(service)

    @property
    def ipapi_url(self) -> str:
        """GEO_IPAPI_URL: where ipapi.co is. https://ipapi.co"""
        return str(getattr(settings, "GEO_IPAPI_URL", "https://ipapi.co")).rstrip("/")

    @property
    def ipapi_key(self) -> str:
        """GEO_IPAPI_KEY: the key of a paid plan; '' for the free one."""
        return str(getattr(settings, "GEO_IPAPI_KEY", ""))

    @property
    def ip_api_url(self) -> str:
        """GEO_IP_API_URL: where ip-api.com is. http://ip-api.com/json

        The free host speaks plain HTTP only, so whoever stands between reads the visitor's address
        and may change the answer, and it is not licensed for commercial use. The paid one is
        https://pro.ip-api.com/json, with GEO_IP_API_KEY.
        """
        return str(getattr(settings, "GEO_IP_API_URL", "http://ip-api.com/json")).rstrip("/")

    @property
    def ip_api_key(self) -> str:
        """GEO_IP_API_KEY: the key of the paid host; '' for the free one."""
        return str(getattr(settings, "GEO_IP_API_KEY", ""))


conf = GeoSettings()
