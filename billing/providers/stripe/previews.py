"""What a change of a subscription would cost at Stripe."""

from datetime import datetime, timedelta

from billing.providers.base import PreviewsChanges
from billing.providers.stripe import mapping, parameters
from billing.providers.stripe.backend import StripeBackend
from billing.providers.types import JSON, PreviewData, Ref, SubscriptionUpdate
from billing.providers.values import moment, remote_id

# Of a change, what makes a difference to the invoice; the rest is about how it is carried out.
_PRICED = ("items", "proration_behavior", "cancel_at_period_end")
# An invoice that is made at once ends its period now, by Stripe's clock.
_NOW = timedelta(minutes=1)


class Previews(StripeBackend, PreviewsChanges):
    def preview_change(self, subscription: Ref, changes: SubscriptionUpdate) -> PreviewData:
        item_id = self._item_to_change(subscription, changes)
        answer = self._client.ask(
            "invoices", "create_preview", params=parameters_of(subscription, changes, item_id)
        )
        return preview(answer.body, as_of=answer.as_of)


def parameters_of(subscription: Ref, changes: SubscriptionUpdate, item_id: str) -> JSON:
    """The same that `update_subscription` sends, proration included."""
    sent = parameters.changes(changes, item_id)
    details = {name: sent[name] for name in _PRICED if sent.get(name) is not None}
    return {"subscription": subscription.id, "subscription_details": details or None}


def preview(source: JSON, *, as_of: datetime) -> PreviewData:
    """Map an invoice that is not made; what it is told under has no id of its own."""
    found = mapping.invoice({**source, "id": remote_id(source) or "preview"}, as_of=as_of)
    billed_at = moment(source.get("period_end"))
    is_now = billed_at is not None and billed_at <= as_of + _NOW
    return PreviewData(
        currency=found.currency,
        subtotal_minor=found.subtotal_minor,
        total_minor=found.total_minor,
        due_now_minor=found.amount_due_minor if is_now else 0,
        as_of=as_of,
        discount_minor=found.discount_minor,
        tax_minor=found.tax_minor,
        billed_at=billed_at,
        period_start=found.period_start,
        period_end=found.period_end,
        lines=found.lines,
        raw=source,
    )
