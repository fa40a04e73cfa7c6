"""What the parts of StripeProvider share: the options and the client made of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from billing.enums import SubscriptionStatus
from billing.errors import InvalidRequest
from billing.providers.base import PaymentProvider
from billing.providers.stripe import mapping, parameters
from billing.providers.stripe.client import StripeClient
from billing.providers.types import JSON, Ref, SubscriptionData, SubscriptionUpdate
from billing.providers.values import items, part, remote_id

API_BASE = "https://api.stripe.com"
SUBSCRIPTION_EXPAND = ("latest_invoice.confirmation_secret", "pending_setup_intent")
INVOICE_EXPAND = ("payments.data.payment.payment_intent",)
ENDED = (SubscriptionStatus.CANCELED, SubscriptionStatus.INCOMPLETE_EXPIRED)
_WAITING = (SubscriptionStatus.INCOMPLETE, SubscriptionStatus.PAUSED)


class StripeBackend(PaymentProvider):
    """Calls to one account through `_client`; `_tax` goes into what is sold, see `parameters`."""

    def __init__(self, *, alias: str, mode: str, options: Mapping[str, Any]) -> None:
        super().__init__(alias=alias, mode=mode, options=options)
        self._client = StripeClient(
            alias=alias,
            api_key=str(options.get("api_key") or "").strip(),
            api_base=str(options.get("api_base") or API_BASE).rstrip("/"),
            connect_timeout_seconds=float(options.get("connect_timeout_seconds", 3)),
            read_timeout_seconds=float(options.get("read_timeout_seconds", 20)),
            max_retries=int(options.get("max_retries", 2)),
        )
        self._tax = parameters.tax(is_automatic=bool(options.get("automatic_tax")))

    def _subscription(self, source: JSON, *, as_of: datetime) -> SubscriptionData:
        """Map a subscription. How the payment that it waits for stands (for the customer, or for
        days at the bank) is a level too deep to be expanded: its invoice is read by itself."""
        latest = part(source, "latest_invoice")
        if source.get("status") in _WAITING and latest.get("status") == "open":
            paid = self._client.get("invoices", remote_id(latest), expand=INVOICE_EXPAND).body
            source = {**source, "latest_invoice": {**latest, "payments": paid.get("payments")}}
        return mapping.subscription(source, as_of=as_of)

    def _item_to_change(self, subscription: Ref, changes: SubscriptionUpdate) -> str:
        """The id of the subscription's item, "" where `changes` do not touch it. We sell one price
        each, so it is the first."""
        if changes.price_id is None and changes.quantity is None:
            return ""
        answer = self._client.get("subscriptions", subscription.id)
        found = remote_id(next(iter(items(answer.body.get("items"))), None))
        if not found:
            raise InvalidRequest("the subscription has no item to change", param="items")
        return found
