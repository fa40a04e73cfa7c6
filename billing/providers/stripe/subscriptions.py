"""Subscriptions at Stripe: sold, changed, ended, found by our reference."""

from billing.enums import SubscriptionStatus
from billing.errors import InvalidRequest, PaymentDeclined, ProviderObjectMissing
from billing.providers.base import ManagesSubscriptions, ResumesSubscriptions
from billing.providers.http import Answer, begun
from billing.providers.stripe import coupons, mapping, parameters
from billing.providers.stripe.backend import ENDED, SUBSCRIPTION_EXPAND, StripeBackend
from billing.providers.types import (
    JSON,
    Ref,
    SubscriptionData,
    SubscriptionRequest,
    SubscriptionUpdate,
)


class Subscriptions(StripeBackend, ManagesSubscriptions, ResumesSubscriptions):
    def get_subscription(self, subscription: Ref) -> SubscriptionData:
        answer = self._client.get("subscriptions", subscription.id, expand=SUBSCRIPTION_EXPAND)
        return self._subscription(answer.body, as_of=answer.as_of)

    def create_subscription(
        self, request: SubscriptionRequest, *, idempotency_key: str
    ) -> SubscriptionData:
        """Make it, then pay its first invoice with the method named. Declined, it is ended again;
        where the customer must act, or no method is named, it stays incomplete."""
        answer = self._client.post(
            "subscriptions",
            idempotency_key=idempotency_key,
            expand=SUBSCRIPTION_EXPAND,
            params={
                **parameters.subscription(request),
                **self._discounts(request),
                **self._tax,
            },
        )
        made = mapping.subscription(answer.body, as_of=answer.as_of)
        if made.status is not SubscriptionStatus.INCOMPLETE or not request.payment_method_id:
            return made
        with begun():
            declined = self._pay_first(made, request.payment_method_id, f"{idempotency_key}-pay")
            if declined is None:
                return self.get_subscription(Ref(id=made.id))
            self._end_now(made.id, f"{idempotency_key}-end")
        raise declined

    def update_subscription(
        self, subscription: Ref, changes: SubscriptionUpdate, *, idempotency_key: str
    ) -> SubscriptionData:
        item_id = self._item_to_change(subscription, changes)
        return self._change(subscription, parameters.changes(changes, item_id), idempotency_key)

    def cancel_subscription(
        self, subscription: Ref, *, at_period_end: bool, idempotency_key: str
    ) -> SubscriptionData:
        if at_period_end:
            return self._change(subscription, {"cancel_at_period_end": True}, idempotency_key)
        answer = self._end_now(subscription.id, idempotency_key)
        return mapping.subscription(answer.body, as_of=answer.as_of)

    def resume_subscription(self, subscription: Ref, *, idempotency_key: str) -> SubscriptionData:
        return self._change(subscription, {"cancel_at_period_end": False}, idempotency_key)

    def _change(self, subscription: Ref, params: JSON, key: str) -> SubscriptionData:
        answer = self._client.post(
            "subscriptions",
            subscription.id,
            idempotency_key=key,
            expand=SUBSCRIPTION_EXPAND,
            params=params,
        )
        return mapping.subscription(answer.body, as_of=answer.as_of)

    def _discounts(self, request: SubscriptionRequest) -> JSON:
        if not request.coupon_code:
            return {}
        return coupons.discounts(self._client, request.coupon_code, request.customer_id)

    def _pay_first(
        self, subscription: SubscriptionData, payment_method_id: str, key: str
    ) -> PaymentDeclined | None:
        """Return the bank's refusal. None: paid, under way, or for the customer to confirm in the
        browser, whatever the subscription says."""
        try:
            self._client.post(
                "invoices",
                subscription.latest_invoice_id or "",
                "pay",
                idempotency_key=key,
                params={"payment_method": payment_method_id, "off_session": False},
            )
        except PaymentDeclined as exc:
            return None if exc.decline_code == "authentication_required" else exc
        except InvalidRequest:
            return None
        return None

    def _end_now(self, subscription_id: str, key: str) -> Answer:
        """One that has ended before is answered as it is: Stripe calls it missing."""
        try:
            return self._client.delete("subscriptions", subscription_id, idempotency_key=key)
        except ProviderObjectMissing:
            answer = self._client.get("subscriptions", subscription_id)
            if mapping.subscription(answer.body, as_of=answer.as_of).status not in ENDED:
                raise
            return answer
