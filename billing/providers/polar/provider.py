"""PolarProvider: the capabilities that Polar has so far, each a few lines over the client.

Facts: Polar API reference 2026-10.
"""

from billing.enums import PaymentMethodType
from billing.errors import ProviderError
from billing.providers.polar.customers import Customers
from billing.providers.polar.listing import Listing
from billing.providers.polar.orders import Orders
from billing.providers.polar.portal import Portal
from billing.providers.polar.subscriptions import Subscriptions
from billing.providers.polar.webhooks import Webhooks
from billing.providers.types import ClientConfig, Features, HealthData

_FEATURES = Features(methods=(PaymentMethodType.CARD,), has_idempotency_keys=False)


class PolarProvider(Webhooks, Customers, Subscriptions, Orders, Portal, Listing):
    """Polar. Options: `api_key` (an organization's access token), `webhook_secret` (text,
    comma-separated or a list, several while they are rotated), `api_base`,
    `connect_timeout_seconds` 3, `read_timeout_seconds` 15, `max_retries` 2 (of reads, and of what
    was refused for its rate)."""

    @property
    def provider_name(self) -> str:
        return "Polar"

    @property
    def features(self) -> Features:
        return _FEATURES

    def client_config(self) -> ClientConfig:
        """Nothing: whoever buys does so on a page of Polar's."""
        return ClientConfig(adapter="polar", public={})

    def check_health(self) -> HealthData:
        try:
            self._client.get("products", "", limit=1)
        except ProviderError as exc:
            return HealthData(is_healthy=False, detail=exc.message)
        return HealthData(is_healthy=True)
