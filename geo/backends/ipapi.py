"""ipapi.co, the first of the two services."""

from urllib.parse import quote

from geo.backends.base import Backend, LookupFailed
from geo.conf import conf
from geo.ip import Visitor

_UNKNOWN_PLACES = ("Reserved IP Address", "Invalid IP Address")


class Ipapi(Backend):
    """GET {GEO_IPAPI_URL}/{ip}/json/: `country_code`, null for places it does not know.

    Its free plan allows about 1000 calls a day, and says so late: with status 429, or with status
    200 and {"error": true, "reason": "RateLimited"}. A paid plan has a key, GEO_IPAPI_KEY.
    """

    name = "ipapi"

    def country_of(self, visitor: Visitor, timeout_seconds: float) -> str:
        from geo.backends.transport import get_json

        url = f"{conf.ipapi_url}/{quote(visitor.ip, safe='')}/json/"
        key = {"key": conf.ipapi_key} if conf.ipapi_key else {}
        told = get_json(url, key, timeout_seconds).told
        if told.get("error"):
            return _read_error(told.get("reason"))
        return str(told.get("country_code") or "")


def _read_error(reason: object) -> str:
    if reason in _UNKNOWN_PLACES:
        return ""
    if reason == "RateLimited":
        raise LookupFailed("rate_limited", retry_after=conf.failure_seconds)
    raise LookupFailed("refused")
