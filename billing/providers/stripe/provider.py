"""StripeProvider: the capabilities that Stripe has so far, each a few lines over the client.

A write that takes several calls gives each a key derived from the operation's, so that a repetition
passes through the same ones. Facts: Stripe API reference at the pinned version.
"""

from collections.abc import Mapping
from typing import Any

from billing.enums import PaymentMethodType
from billing.errors import ProviderError
from billing.providers.stripe.checkouts import Checkouts
from billing.providers.stripe.coupons import Coupons
from billing.providers.stripe.customers import Customers
from billing.providers.stripe.endpoints import Endpoints
from billing.providers.stripe.finding import Finding
from billing.providers.stripe.invoices import Invoices
from billing.providers.stripe.listing import Listing
from billing.providers.stripe.meters import Meters
from billing.providers.stripe.pausing import Pausing
from billing.providers.stripe.payment_methods import PaymentMethods
from billing.providers.stripe.payments import Payments
from billing.providers.stripe.plans import Plans
from billing.providers.stripe.previews import Previews
from billing.providers.stripe.refunds import Refunds
from billing.providers.stripe.setup import Setup
from billing.providers.stripe.subscriptions import Subscriptions
from billing.providers.stripe.webhooks import Webhooks
from billing.providers.types import ClientConfig, Features, HealthData, MethodLimit

_FEATURES = Features(
    methods=(
        PaymentMethodType.CARD,
        PaymentMethodType.BANK_ACCOUNT,
        PaymentMethodType.SEPA_DEBIT,
    ),
    # A bank account is debited over ACH.
    method_limits={
        PaymentMethodType.BANK_ACCOUNT: MethodLimit(
            currencies=frozenset({"USD"}), countries=frozenset({"US"})
        ),
        PaymentMethodType.SEPA_DEBIT: MethodLimit(currencies=frozenset({"EUR"})),
    },
)


class StripeProvider(
    Webhooks,
    Customers,
    PaymentMethods,
    Setup,
    Subscriptions,
    Pausing,
    Previews,
    Coupons,
    Invoices,
    Payments,
    Refunds,
    Checkouts,
    Meters,
    Endpoints,
    Plans,
    Finding,
    Listing,
):
    """Stripe. Options: `api_key`, `publishable_key`, `webhook_secret` (text, comma-separated or a
    list while it is rotated), `api_base`, `connect_timeout_seconds` 3, `read_timeout_seconds` 20,
    `max_retries` 2, `automatic_tax` False (Stripe Tax computes the tax of what is sold)."""

    @classmethod
    def key_mode(cls, options: Mapping[str, Any]) -> str:
        """Stripe's keys say it: `sk_test_...` and `rk_test_...`, or the same with `live`."""
        parts = str(options.get("api_key", "")).split("_")
        return parts[1] if parts[0] in ("sk", "rk") and parts[1:2] in (["test"], ["live"]) else ""

    @property
    def provider_name(self) -> str:
        return "Stripe"

    @property
    def features(self) -> Features:
        return _FEATURES

    def client_config(self) -> ClientConfig:
        key = str(self.options.get("publishable_key") or "")
        return ClientConfig(adapter="stripe", public={"publishable_key": key})

    def check_health(self) -> HealthData:
        """Read the balance: every full key may, and the answer tells the key's mode."""
        try:
            is_live = self._client.get("balance").body.get("livemode") is True
        except ProviderError as exc:
            return HealthData(is_healthy=False, detail=exc.message)
        if is_live != (self.mode == "live"):
            return HealthData(is_healthy=False, detail=f"the key is not one of mode {self.mode}")
        return HealthData(is_healthy=True)
