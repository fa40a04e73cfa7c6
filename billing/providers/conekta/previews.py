"""What a change of a subscription would cost at Conekta, which knows neither previews nor
proration."""

from billing.providers.base import PreviewsChanges, ReadsPlans, ReadsSubscriptions
from billing.providers.conekta.backend import ConektaBackend
from billing.providers.conekta.subscriptions import ensure_one
from billing.providers.types import LineData, PreviewData, Ref, SubscriptionUpdate


class Previews(ConektaBackend, ReadsSubscriptions, ReadsPlans, PreviewsChanges):
    def preview_change(self, subscription: Ref, changes: SubscriptionUpdate) -> PreviewData:
        """The whole price of the plan when the next cycle begins; nothing now, and nothing back for
        what is left of this one. Conekta's amounts hold the tax."""
        ensure_one(changes.quantity)
        current = self.get_subscription(subscription)
        plan = self.get_plan(Ref(id=changes.price_id or current.price_id or ""))
        return PreviewData(
            currency=plan.currency,
            subtotal_minor=plan.amount_minor,
            total_minor=plan.amount_minor,
            due_now_minor=0,
            as_of=current.as_of,
            billed_at=current.current_period_end,
            period_start=current.current_period_end,
            lines=(LineData(description=plan.name, amount_minor=plan.amount_minor),),
            raw=plan.raw,
        )
