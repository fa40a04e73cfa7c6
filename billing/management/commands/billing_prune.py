"""Forget the bodies of old events and old idempotency keys; beat does the same every night."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from billing.services import prune


class Command(BaseCommand):
    help = (
        "Empty the bodies of events settled more than BILLING_PAYLOAD_DAYS ago (their ids stay), "
        "and delete idempotency keys unused for 24 hours."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count them, change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["dry_run"]:
            found = prune.count()
            self.stdout.write(f"{found.bodies} bodies and {found.keys} keys would be forgotten")
            return
        done = prune.run()
        self.stdout.write(f"{done.bodies} bodies and {done.keys} keys are forgotten")
