"""Make stored webhook events due again: after a repair, or when a provider's data was wrong."""

import uuid
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from billing.conf import conf
from billing.enums import WebhookState
from billing.errors import BillingError
from billing.models import WebhookEvent
from billing.services import webhooks

STATES = [WebhookState.DEAD.value, WebhookState.FAILED.value, WebhookState.IGNORED.value]
BATCH = 500


class Command(BaseCommand):
    help = "Replay webhook events; applying one again changes nothing that is already right."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--state", choices=STATES, help="all events in this state")
        parser.add_argument("--provider", help="only those of this alias")
        parser.add_argument("--id", type=uuid.UUID, help="one event, by our id, in any state")
        parser.add_argument("--dry-run", action="store_true", help="count them, change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["id"]) == bool(options["state"]):
            raise CommandError("Name either --state or --id.")
        events = _selected(options)
        if options["dry_run"]:
            self.stdout.write(f"{events.count()} events would be replayed")
            return
        count = sum(self._replay(event) for event in _oldest_first(events))
        self.stdout.write(f"{count} events are due again")

    def _replay(self, event: WebhookEvent) -> bool:
        try:
            webhooks.retry(event)
        except BillingError as exc:
            self.stderr.write(f"{event.pk}: {exc}")
            return False
        return True


def _selected(options: dict[str, Any]) -> QuerySet[WebhookEvent]:
    events = WebhookEvent.objects.all()
    if options["provider"]:
        if options["provider"] not in conf.providers:
            raise CommandError(f"No provider is configured as {options['provider']!r}.")
        events = events.filter(provider=options["provider"])
    if options["id"]:
        return events.filter(pk=options["id"])
    return events.filter(state=options["state"])


def _oldest_first(events: QuerySet[WebhookEvent]) -> Iterator[WebhookEvent]:
    """In the order of arrival. The ids are read first: a worker moves rows while we go on."""
    ids = list(events.order_by("received_at", "id").values_list("pk", flat=True))
    for start in range(0, len(ids), BATCH):
        found = events.model._default_manager.in_bulk(ids[start : start + BATCH])
        yield from (found[pk] for pk in ids[start : start + BATCH] if pk in found)
