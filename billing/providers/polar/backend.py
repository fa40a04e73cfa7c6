"""What the parts of PolarProvider share: the options and the client made of them."""

from collections.abc import Mapping
from typing import Any

from billing.providers.base import PaymentProvider
from billing.providers.polar.client import PolarClient

# A token is of one of the two hosts, so what is of the other is refused with a 401.
API_BASES = {"live": "https://api.polar.sh", "test": "https://sandbox-api.polar.sh"}


class PolarBackend(PaymentProvider):
    """Calls to one organization through `_client`."""

    def __init__(self, *, alias: str, mode: str, options: Mapping[str, Any]) -> None:
        super().__init__(alias=alias, mode=mode, options=options)
        self._client = PolarClient(
            alias=alias,
            api_key=str(options.get("api_key") or "").strip(),
            api_base=str(options.get("api_base") or API_BASES[mode]).rstrip("/"),
            connect_timeout_seconds=float(options.get("connect_timeout_seconds", 3)),
            read_timeout_seconds=float(options.get("read_timeout_seconds", 15)),
            max_retries=int(options.get("max_retries", 2)),
        )
