"""Coupons and promotion codes at Stripe."""

import re

from billing.errors import InvalidRequest
from billing.providers.base import AppliesCoupons
from billing.providers.stripe import mapping
from billing.providers.stripe.backend import SUBSCRIPTION_EXPAND, StripeBackend
from billing.providers.stripe.client import PAGE, StripeClient
from billing.providers.types import JSON, Ref, SubscriptionData
from billing.providers.values import items, remote_id, whole

_CODE = re.compile(r"[A-Za-z0-9_-]{1,255}")


class Coupons(StripeBackend, AppliesCoupons):
    def apply_coupon(
        self, subscription: Ref, code: str, *, idempotency_key: str
    ) -> SubscriptionData:
        params = discounts(self._client, code, subscription.customer_id)
        return self._discount(subscription, params, idempotency_key)

    def remove_coupon(self, subscription: Ref, *, idempotency_key: str) -> SubscriptionData:
        return self._discount(subscription, {"discounts": ""}, idempotency_key)

    def _discount(self, subscription: Ref, params: JSON, key: str) -> SubscriptionData:
        answer = self._client.post(
            "subscriptions",
            subscription.id,
            idempotency_key=key,
            expand=SUBSCRIPTION_EXPAND,
            params=params,
        )
        return mapping.subscription(answer.body, as_of=answer.as_of)


def discounts(client: StripeClient, code: str, customer_id: str) -> JSON:
    """Return the parameter that redeems what the customer typed: a promotion code, else a coupon's
    id.

    Whether it may be redeemed is for Stripe to say, under the write's key: a repetition must not
    fail because the first sending used the code up. So codes that are not active are looked at too.
    """
    if not _CODE.fullmatch(code):
        raise InvalidRequest("that is no coupon", param="coupon")
    answer = client.get("promotion_codes", code=code, limit=PAGE)
    found = [each for each in items(answer.body) if _may_use(each, customer_id)]
    best = max(found, key=_preference, default=None)
    return {"discounts": [{"promotion_code": remote_id(best)} if best else {"coupon": code}]}


def _may_use(promotion_code: JSON, customer_id: str) -> bool:
    """Stripe: one code may stand for several promotions, each for another customer."""
    return remote_id(promotion_code.get("customer")) in ("", customer_id)


def _preference(promotion_code: JSON) -> tuple[bool, int]:
    """Stripe: of the same code at most one is active for a customer."""
    return promotion_code.get("active") is True, whole(promotion_code.get("created")) or 0
