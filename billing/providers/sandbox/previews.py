"""What a change of a subscription would cost in the sandbox, which never prorates."""

from billing.providers.base import PreviewsChanges
from billing.providers.sandbox import charging, clock, mapping, subscriptions
from billing.providers.sandbox.backend import SandboxBackend
from billing.providers.sandbox.store import Session
from billing.providers.types import PreviewData, Ref, SubscriptionUpdate


class Previews(SandboxBackend, PreviewsChanges):
    def preview_change(self, subscription: Ref, changes: SubscriptionUpdate) -> PreviewData:
        def read(session: Session) -> PreviewData:
            body = preview(session, subscription.id, changes)
            return mapping.preview(body, clock.moment(session.now))

        return self._calls.read(read)


def preview(
    session: Session, subscription_id: str, changes: SubscriptionUpdate
) -> dict[str, object]:
    """The next invoice after `changes`, which are made to what was read and never saved."""
    subscription = subscriptions.unended(session, subscription_id)
    subscriptions.apply(session, subscription, changes)
    plan = session.require("plan", subscription.body["price"])
    start, end = subscriptions.next_period(subscription, plan)
    amounts = charging.amounts(subscription, plan)
    return {
        "object": "preview",
        "currency": plan.body["currency"],
        "due_now": 0,
        "billed_at": subscription.body["current_period_end"],
        "period_start": start,
        "period_end": end,
        **amounts,
    }
