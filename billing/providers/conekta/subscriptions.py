"""Subscriptions at Conekta: by card only, without quantity, proration or a planned end."""

from collections.abc import Mapping

from billing.enums import SubscriptionStatus
from billing.errors import (
    InvalidRequest,
    PaymentDeclined,
    ProviderObjectMissing,
    UnsupportedOperation,
)
from billing.providers.base import ManagesSubscriptions, PausesSubscriptions
from billing.providers.conekta import mapping
from billing.providers.conekta.backend import ConektaBackend
from billing.providers.conekta.declines import decline_code
from billing.providers.http import begun
from billing.providers.types import (
    Ref,
    SubscriptionData,
    SubscriptionRequest,
    SubscriptionUpdate,
)
from billing.providers.values import items, text


class Subscriptions(ConektaBackend, ManagesSubscriptions, PausesSubscriptions):
    def get_subscription(self, subscription: Ref) -> SubscriptionData:
        answer = self._client.read(
            "SubscriptionsApi",
            "subscriptions_get",
            customer_id=subscription.customer_id,
            id=subscription.id,
        )
        return mapping.subscription(answer.body, as_of=answer.as_of)

    def create_subscription(
        self, request: SubscriptionRequest, *, idempotency_key: str
    ) -> SubscriptionData:
        """Without a card named, Conekta charges the customer's default one. Whose first charge is
        refused at once, it is ended again: Conekta would go on trying."""
        ensure_one(request.quantity)
        end = request.trial_end_at
        answer = self._client.write(
            "SubscriptionsApi",
            "subscription_create",
            customer_id=request.customer_id,
            subscription_request={
                "plan_id": request.price_id,
                "card_id": request.payment_method_id,
                "trial_end": int(end.timestamp()) if end else None,
            },
        )
        made = mapping.subscription(answer.body, as_of=answer.as_of)
        if made.status is not SubscriptionStatus.INCOMPLETE:
            return made
        with begun():
            self._end(Ref(id=made.id, customer_id=request.customer_id))
            why = self._refusal(made.latest_invoice_id or "")
        raise PaymentDeclined("the first charge was refused", decline_code=why, provider=self.alias)

    def update_subscription(
        self, subscription: Ref, changes: SubscriptionUpdate, *, idempotency_key: str
    ) -> SubscriptionData:
        """A new price is charged from the next cycle on; nothing is credited or charged now."""
        if changes.cancel_at_period_end:
            raise UnsupportedOperation("Conekta ends subscriptions only at once")
        ensure_one(changes.quantity)
        wanted = {"plan_id": changes.price_id, "card_id": changes.payment_method_id}
        if not any(wanted.values()):
            return self.get_subscription(subscription)
        return self._write(subscription, "subscription_update", updates_a_subscription=wanted)

    def cancel_subscription(
        self, subscription: Ref, *, at_period_end: bool, idempotency_key: str
    ) -> SubscriptionData:
        if at_period_end:
            raise UnsupportedOperation("Conekta ends subscriptions only at once")
        return self._end(subscription)

    def pause_subscription(self, subscription: Ref, *, idempotency_key: str) -> SubscriptionData:
        return self._write(subscription, "subscription_pause")

    def unpause_subscription(self, subscription: Ref, *, idempotency_key: str) -> SubscriptionData:
        return self._write(subscription, "subscription_resume")

    def _end(self, subscription: Ref) -> SubscriptionData:
        """One that has ended before is answered as it is: Conekta refuses to end it again."""
        try:
            return self._write(subscription, "subscription_cancel")
        except (InvalidRequest, ProviderObjectMissing):
            found = self.get_subscription(subscription)
            if found.status is not SubscriptionStatus.CANCELED:
                raise
            return found

    def _refusal(self, order_id: str) -> str:
        """Our code for the bank's reason, which stands in the order of the cycle."""
        order = (
            self._client.read("OrdersApi", "get_order_by_id", id=order_id).body if order_id else {}
        )
        reasons = [text(each.get("failure_code")) for each in items(order.get("charges"))]
        return decline_code(reasons[-1] if reasons else "")

    def _write(
        self, subscription: Ref, operation: str, **body: Mapping[str, object]
    ) -> SubscriptionData:
        answer = self._client.write(
            "SubscriptionsApi",
            operation,
            customer_id=subscription.customer_id,
            id=subscription.id,
            **body,
        )
        return mapping.subscription(answer.body, as_of=answer.as_of)


def ensure_one(quantity: int | None) -> None:
    """Raise InvalidRequest for any other quantity than one."""
    if quantity not in (None, 1):
        raise InvalidRequest("Conekta sells a plan once per subscription", param="quantity")
