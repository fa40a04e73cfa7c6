"""ip-api.com, the second of the two services."""

from urllib.parse import quote

from geo import circuit
from geo.backends.base import Backend, LookupFailed
from geo.conf import conf
from geo.ip import Visitor

_UNKNOWN_PLACES = ("private range", "reserved range", "invalid query")


class IpApi(Backend):
    """GET {GEO_IP_API_URL}/{ip}?fields=...: `status`, `message`, `countryCode`; 200 also for fail.

    Its free host is plain HTTP, not for commercial use, and allows 45 calls a minute: the header
    X-Rl tells how many are left and X-Ttl for how many seconds; who calls on at 0 is banned
    (ip-api.com/docs/unban). A paid one has https and a key, GEO_IP_API_URL and GEO_IP_API_KEY.
    """

    name = "ip_api"

    def country_of(self, visitor: Visitor, timeout_seconds: float) -> str:
        from geo.backends.transport import get_json, seconds_of

        parameters = {"fields": "status,message,countryCode"}
        if conf.ip_api_key:
            parameters["key"] = conf.ip_api_key
        url = f"{conf.ip_api_url}/{quote(visitor.ip, safe='')}"
        answer = get_json(url, parameters, timeout_seconds)
        if answer.headers.get("X-Rl") == "0":
            circuit.open_for(self.name, seconds_of(answer.headers, "X-Ttl") or conf.failure_seconds)
        if answer.told.get("status") == "success":
            return str(answer.told.get("countryCode") or "")
        if answer.told.get("message") in _UNKNOWN_PLACES:
            return ""
        raise LookupFailed("refused")
