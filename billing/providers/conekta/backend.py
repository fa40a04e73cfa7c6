"""What the parts of ConektaProvider share: the options and the client made of them."""

from collections.abc import Mapping
from typing import Any

from billing.errors import ProviderObjectMissing
from billing.providers.base import PaymentProvider
from billing.providers.conekta import mapping
from billing.providers.conekta.client import ConektaClient
from billing.providers.reading import readable
from billing.providers.types import Ref, SubscriptionData

API_BASE = "https://api.conekta.io"


class ConektaBackend(PaymentProvider):
    """Calls to one account through `_client`."""

    def __init__(self, *, alias: str, mode: str, options: Mapping[str, Any]) -> None:
        super().__init__(alias=alias, mode=mode, options=options)
        self._client = ConektaClient(
            alias=alias,
            api_key=str(options.get("api_key") or "").strip(),
            api_base=str(options.get("api_base") or API_BASE).rstrip("/"),
            is_live=mode == "live",
            connect_timeout_seconds=float(options.get("connect_timeout_seconds", 3)),
            read_timeout_seconds=float(options.get("read_timeout_seconds", 20)),
            max_retries=int(options.get("max_retries", 2)),
        )

    def _subscriptions_of(self, customer: Ref) -> list[SubscriptionData]:
        """The customer's subscriptions, ended ones too; one that is deleted has none. What cannot
        be mapped is left out."""
        found = self._client.pages("SubscriptionsApi", "subscription_list", customer_id=customer.id)
        try:
            return list(readable(found, mapping.subscription))
        except ProviderObjectMissing:
            return []
