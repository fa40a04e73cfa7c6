"""Check what must hold over the tables; exit with 1 when something does not."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.services import invariants


class Command(BaseCommand):
    help = "Check statements that must hold over the tables. Reads only; 1 when one is violated."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="name", help="statements; default: all")
        parser.add_argument("--examples", type=int, default=5, help="keys shown of a violation")

    def handle(self, *args: Any, **options: Any) -> None:
        unknown = sorted(set(options["names"]) - invariants.STATEMENTS.keys())
        if unknown:
            known = ", ".join(invariants.STATEMENTS)
            raise CommandError(f"No such statement: {', '.join(unknown)}. There are: {known}.")
        checked = violated = 0
        for finding in invariants.check(options["names"], examples=options["examples"]):
            checked += 1
            violated += bool(finding.count)
            self._write(finding)
        self.stdout.write(f"{checked - violated} hold, {violated} violated")
        if violated:
            raise CommandError(f"{violated} of {checked} statements are violated.")

    def _write(self, finding: invariants.Finding) -> None:
        found = finding.statement
        mark = "VIOLATED" if finding.count else "ok"
        self.stdout.write(f"{mark:<8}  {found.name}: {found.sentence}")
        if finding.count:
            shown = ", ".join(finding.examples)
            self.stdout.write(f"          {finding.count} times, for example {shown}")
