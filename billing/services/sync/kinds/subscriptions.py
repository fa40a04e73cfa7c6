"""Subscriptions, with the price that we sell them at."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from billing.enums import (
    EventKind,
    IncompleteReason,
    SubscriptionStatus,
)
from billing.lifecycle import TERMINAL_SUBSCRIPTION
from billing.models import (
    ProviderPrice,
    Subscription,
)
from billing.providers.base import ReadsSubscriptions
from billing.providers.types import SubscriptionData
from billing.registry import providers
from billing.services.sync.kinds.base import (
    NOBODY,
    Kind,
    Relatives,
    Take,
    by_id,
    customers_of,
    locked,
    method_columns,
    next_action_column,
    payment_methods_of,
)


class SubscriptionKind(Kind):
    name = EventKind.SUBSCRIPTION
    model = Subscription
    id_field = "provider_subscription_id"
    columns = (
        "organization_id", "customer_id", "plan_id", "price_id", "payment_method_id",
        "provider_customer_id", "provider_price_id", "provider_payment_method_id", "slot",
        "status", "provider_status", "incomplete_reason", "collection_paused", "billing_interval",
        "quantity", "current_period_start", "current_period_end", "trial_start", "trial_end",
        "cancel_at_period_end", "cancel_at", "canceled_at", "ended_at", "end_reason", "resumes_at",
        "next_action",
    )  # fmt: skip
    reader = ReadsSubscriptions
    read_method = "get_subscription"
    terminal = frozenset(TERMINAL_SUBSCRIPTION)
    early = frozenset({SubscriptionStatus.INCOMPLETE.value})

    def relatives(self, provider: str, mode: str, items: Sequence[SubscriptionData]) -> Relatives:
        return Relatives(
            customers=customers_of(provider, mode, items),
            payment_methods=payment_methods_of(provider, mode, items),
            prices=by_id(
                ProviderPrice.objects.select_related("price").only(
                    "provider_price_id", "price__plan", "price__interval"
                ),
                "provider_price_id",
                provider,
                mode,
                (item.price_id for item in items),
            ),
        )

    def reserved_rows(
        self, provider: str, mode: str, items: Sequence[Any], take: Take = locked
    ) -> dict[str, Any]:
        """By our reference; where none came back, the one reserved row of customer and price."""
        found = super().reserved_rows(provider, mode, items, take)
        wanted = [item for item in items if item.id not in found and not item.reference]
        if not wanted:
            return found
        rows = take(
            Subscription,
            Q(
                provider=provider,
                mode=mode,
                provider_subscription_id=None,
                provider_customer_id__in={item.customer_id for item in wanted},
                ended_at=None,
            )
            & ~Q(pk__in=[row.pk for row in found.values()]),
        )
        for item in wanted:
            mine = [
                row
                for row in rows
                if row.provider_customer_id == item.customer_id
                and row.provider_price_id == (item.price_id or "")
            ]
            if len(mine) == 1:
                found[item.id] = mine[0]
                rows.remove(mine[0])
        return found

    def missing_parent(
        self, data: SubscriptionData, row: Any, relatives: Relatives
    ) -> tuple[EventKind, str]:
        known = row is not None or data.customer_id in relatives.customers
        return (EventKind.CUSTOMER, "" if known else data.customer_id or NOBODY)

    def values(self, data: SubscriptionData, row: Any, relatives: Relatives) -> dict[str, Any]:
        status = data.status.value if data.status else row.status
        ended = status in self.terminal
        values: dict[str, Any] = {
            "provider_customer_id": data.customer_id,
            "status": status,
            "provider_status": data.provider_status[:60],
            "incomplete_reason": data.incomplete_reason or "",
            "collection_paused": data.collection_paused,
            "quantity": data.quantity,
            "current_period_start": data.current_period_start,
            "current_period_end": data.current_period_end,
            "trial_start": data.trial_start,
            "trial_end": data.trial_end,
            "cancel_at_period_end": data.cancel_at_period_end,
            "cancel_at": data.cancel_at,
            "canceled_at": data.canceled_at,
            "ended_at": _ended_at(data, row) if ended else None,
            "end_reason": (data.end_reason or "") if ended else "",
            "resumes_at": data.resumes_at,
            "next_action": next_action_column(data.next_action),
        }
        if status == row.status == SubscriptionStatus.INCOMPLETE and not data.next_action:
            # Payloads do not repeat what the answer told the customer to do.
            values["next_action"] = row.next_action
            if row.incomplete_reason != IncompleteReason.OUTCOME_UNKNOWN:
                values["incomplete_reason"] = data.incomplete_reason or row.incomplete_reason
        if providers.ends_only_at_once(row.provider):
            del values["cancel_at_period_end"], values["cancel_at"]
        values |= self._price(data, row, relatives)
        values |= method_columns(data, relatives)
        if row.customer_id is None:
            owner = relatives.customers[data.customer_id]
            values |= {"organization_id": owner.organization_id, "customer_id": owner.pk}
            values["slot"] = None
        return values

    def _price(self, data: SubscriptionData, row: Any, relatives: Relatives) -> dict[str, Any]:
        if data.price_id is None:
            return {}
        mapped = relatives.prices.get(data.price_id)
        if mapped is None:
            unchanged = row.provider_price_id == data.price_id
            kept = {"plan_id": row.plan_id, "price_id": row.price_id} if unchanged else {}
            return {"provider_price_id": data.price_id, "plan_id": None, "price_id": None} | kept
        return {
            "provider_price_id": data.price_id,
            "plan_id": mapped.price.plan_id,
            "price_id": mapped.price_id,
            "billing_interval": mapped.price.interval,
        }


def _ended_at(data: SubscriptionData, row: Any) -> Any:
    """Where the provider tells no time, the end is when we first heard of it."""
    return data.ended_at or data.canceled_at or row.ended_at or data.as_of
