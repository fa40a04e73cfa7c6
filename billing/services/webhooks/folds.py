"""The events of one object in a batch, and what their payloads prove: no query, no network."""

from dataclasses import dataclass, field

from billing.enums import ChangeCause, EventKind
from billing.models import WebhookEvent
from billing.providers.base import ReceivesWebhooks
from billing.providers.types import ObjectData, ProviderEvent, Ref
from billing.registry import providers
from billing.services.sync import Kind, Snapshot
from billing.services.sync.projection import newest, word


@dataclass(kw_only=True)
class Fold:
    """The events of one object in a batch, the newest last."""

    kind: Kind
    provider: str
    object_id: str
    events: list[WebhookEvent] = field(default_factory=list)
    snapshot: Snapshot | None = None

    @property
    def ref(self) -> Ref:
        last = self.events[-1]
        return Ref(id=self.object_id, customer_id=last.customer_id or last.parent_id)


def proven_snapshot(fold: Fold) -> Snapshot | None:
    """The newest state that the fold's payloads prove, or None when the object must be fetched."""
    last = fold.events[-1].occurred_at
    deciding = [event for event in fold.events if event.occurred_at == last]
    if not all(event.is_pinned for event in deciding):
        return None
    snapshots = []
    for event in deciding:
        data = map_event(event)
        if data is None:
            return None
        snapshots.append(
            Snapshot(
                data=data,
                stamp=event.occurred_at,
                cause=ChangeCause.WEBHOOK,
                events=fold.events,
            )
        )
    return newest(fold.kind, snapshots)


def count_unforgettable(fold: Fold) -> int:
    """How many of the older events the newest state may not replace unseen."""
    last = fold.events[-1].occurred_at
    older = [event for event in fold.events if event.occurred_at < last]
    newest_word = word(fold.snapshot.data) if fold.snapshot else ""
    if fold.snapshot and not newest_word and fold.kind.early:
        return len(older)
    ends = [
        index
        for index, event in enumerate(older, start=1)
        if fold.kind.terminal and _told_word(event) in fold.kind.terminal - {newest_word}
    ]
    return ends[-1] if ends else 0


def _told_word(event: WebhookEvent) -> str:
    try:
        data = map_event(event) if event.is_pinned else None
    except Exception:  # noqa: BLE001 - what cannot be read says nothing
        return ""
    return word(data) if data else ""


def map_event(event: WebhookEvent) -> ObjectData | None:
    provider = providers.get(event.provider, ReceivesWebhooks)
    kind = EventKind(event.kind)
    parsed = ProviderEvent(
        id=event.provider_event_id,
        type=event.event_type,
        occurred_at=event.occurred_at,
        mode=event.mode,
        kind=kind,
        object_id=event.object_id,
        customer_id=event.customer_id,
        parent_id=event.parent_id,
        api_version=event.api_version,
        is_pinned=event.is_pinned,
    )
    return provider.map_webhook_object(kind, event.payload, parsed)
