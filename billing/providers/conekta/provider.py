"""ConektaProvider: the capabilities that Conekta has so far, each a few lines over the client.

Facts: Conekta API reference 2.3.0, from which its SDK is generated.
"""

from billing.enums import PaymentMethodType
from billing.errors import ProviderError
from billing.providers.conekta.checkouts import Checkouts
from billing.providers.conekta.customers import Customers
from billing.providers.conekta.endpoints import Endpoints
from billing.providers.conekta.finding import Finding
from billing.providers.conekta.listing import Listing
from billing.providers.conekta.payment_methods import PaymentMethods
from billing.providers.conekta.payments import Payments
from billing.providers.conekta.plans import Plans
from billing.providers.conekta.previews import Previews
from billing.providers.conekta.refunds import Refunds
from billing.providers.conekta.subscriptions import Subscriptions
from billing.providers.conekta.webhooks import Webhooks
from billing.providers.types import ClientConfig, Features, HealthData, MethodLimit

_PESOS_IN_MEXICO = MethodLimit(currencies=frozenset({"MXN"}), countries=frozenset({"MX"}))
_FEATURES = Features(
    methods=(PaymentMethodType.CARD, PaymentMethodType.OXXO, PaymentMethodType.SPEI),
    method_limits={
        PaymentMethodType.OXXO: _PESOS_IN_MEXICO,
        PaymentMethodType.SPEI: _PESOS_IN_MEXICO,
    },
    currencies=frozenset({"MXN", "USD"}),
    countries=frozenset({"MX"}),
    cancels_at_period_end=False,
    has_idempotency_keys=False,
    has_quantities=False,
    required_profile=("name", "email", "phone"),
)


class ConektaProvider(
    Webhooks,
    Customers,
    PaymentMethods,
    Subscriptions,
    Previews,
    Payments,
    Refunds,
    Checkouts,
    Endpoints,
    Plans,
    Finding,
    Listing,
):
    """Conekta. Options: `api_key`, `public_key`, one of `webhook_public_key` (PEM, several while
    they are rotated) and `webhook_secret` (HMAC: text, comma-separated or a list), `api_base`,
    `connect_timeout_seconds` 3, `read_timeout_seconds` 20, `max_retries` 2 (of reads only)."""

    @property
    def provider_name(self) -> str:
        return "Conekta"

    @property
    def features(self) -> Features:
        return _FEATURES

    def client_config(self) -> ClientConfig:
        key = str(self.options.get("public_key") or "")
        return ClientConfig(adapter="conekta", public={"public_key": key})

    def check_health(self) -> HealthData:
        """Read a plan: whatever an answer holds tells the key's mode."""
        try:
            self._client.read("PlansApi", "get_plans", limit=1)
        except ProviderError as exc:
            return HealthData(is_healthy=False, detail=exc.message)
        return HealthData(is_healthy=True)
