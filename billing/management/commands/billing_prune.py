"""Forget old bodies, idempotency keys and unused decisions; beat does the same every night."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from billing.services import prune


class Command(BaseCommand):
    help = (
        "Empty the bodies of events settled more than BILLING_PAYLOAD_DAYS ago (their ids stay), "
        "and delete idempotency keys unused for 24 hours and routing decisions of 30 days ago that "
        "nothing came of."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count them, change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            found = prune.count()
            self.stdout.write(f"{_told(found)} would be forgotten")
            return
        self.stdout.write(f"{_told(prune.run())} are forgotten")


def _told(pruned: prune.Pruned) -> str:
    return f"{pruned.bodies} bodies, {pruned.keys} keys and {pruned.decisions} decisions"
