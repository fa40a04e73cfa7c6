"""Bring our rows to what the providers hold, or say where they differ."""

import csv
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_date, parse_datetime

from billing.conf import conf
from billing.errors import (
    BillingError,
    OutcomeUnknown,
    ProviderUnavailable,
    RateLimited,
    RequestInProgress,
)
from billing.registry import providers
from billing.services import resync
from billing.services.resync import UNEQUAL, Count, Finding, Progress

DIFFERENT, NOT_DONE = 1, 2
_COLUMNS = (
    Count.LISTED,
    Count.EQUAL,
    Count.MISSING_HERE,
    Count.MISSING_THERE,
    Count.DIFFERS,
    Count.UNKNOWN_STATUS,
    Count.UNREADABLE,
    Count.NOT_OURS,
)


class Command(BaseCommand):
    help = (
        "Bring our rows to what the providers hold: customers, payment methods, subscriptions, "
        "invoices, payments, refunds, disputes, plans. A run that was broken off goes on where it "
        "was. Nothing is ever deleted, and nothing changed at a provider but the reference of "
        "adopted customers. Exit status: 0 done (with --dry-run: everything is equal), 1 with "
        "--dry-run: something is not equal, 2 not done, or something could not be written."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "providers", nargs="*", metavar="provider", help="aliases; default: all that can list"
        )
        parser.add_argument(
            "--kinds", default="", help=f"comma-separated, of {','.join(resync.PARTS)}"
        )
        parser.add_argument(
            "--since", default="", help="only what was created there since this date or time (UTC)"
        )
        parser.add_argument("--dry-run", action="store_true", help="write nothing; print a table")
        parser.add_argument(
            "--restart", action="store_true", help="begin anew where a run was broken off"
        )
        parser.add_argument(
            "--adopt",
            action="append",
            default=[],
            metavar="CUSTOMER=ORGANIZATION",
            help="link a customer that exists there to an organization; repeatable; begins anew",
        )
        parser.add_argument(
            "--adopt-from", default="", metavar="FILE", help="CSV: customer id, organization id"
        )
        parser.add_argument("--show", type=int, default=20, help="findings shown of each kind")

    def handle(self, *args: Any, **options: Any) -> None:
        aliases = _aliases(options["providers"])
        kinds, since = _kinds(options["kinds"]), _since(options["since"])
        adopted = [*map(_pair, options["adopt"]), *_pairs_of(options["adopt_from"])]
        if adopted and len(aliases) != 1:
            raise CommandError("Name the one provider that --adopt is about.", returncode=NOT_DONE)
        total: Counter[str] = Counter()
        for alias in aliases:
            try:
                for customer_id, key in adopted:
                    self._adopt(alias, customer_id, key, is_dry=options["dry_run"])
                total += self._pass(
                    alias,
                    kinds,
                    since,
                    options["show"],
                    is_dry=options["dry_run"],
                    restart=options["restart"] or bool(adopted),
                )
            except BillingError as exc:
                raise CommandError(_advice(alias, exc), returncode=NOT_DONE) from exc
        self._end(total, is_dry=options["dry_run"])

    def _adopt(self, alias: str, customer_id: str, key: str, *, is_dry: bool) -> None:
        organization = _organization(key)
        if is_dry:
            resync.check_adoption(alias, customer_id, organization)
            self.stdout.write(f"{alias}: would link {customer_id} to {organization}")
            return
        resync.adopt(alias, customer_id, organization)
        self.stdout.write(f"{alias}: linked {customer_id} to {organization}")

    def _pass(
        self,
        alias: str,
        kinds: list[str],
        since: datetime | None,
        show: int,
        *,
        is_dry: bool,
        restart: bool,
    ) -> Counter[str]:
        steps = (
            resync.inspect(alias, kinds=kinds, since=since)
            if is_dry
            else resync.repair(alias, kinds=kinds, since=since, restart=restart)
        )
        counts: dict[str, Counter[str]] = {}
        findings: dict[str, list[Finding]] = {}
        with closing(steps):  # whatever happens here, the lease is given back
            for step in steps:
                counts[step.kind] = step.counts
                kept = findings.setdefault(step.kind, [])
                kept += step.findings[: max(show - len(kept), 0)]
                self._progress(step)
        self._table(alias, counts, is_dry=is_dry)
        for finding in (each for found in findings.values() for each in found):
            self._finding(finding)
        return sum(counts.values(), Counter[str]())

    def _progress(self, step: Progress) -> None:
        told = ", ".join(f"{number} {name}" for name, number in step.counts.items() if number)
        place = "done" if step.is_last else f"page {step.number}"
        self.stdout.write(f"{step.provider}: {step.kind}, {place}: {told or 'nothing'}")
        self.stdout.flush()

    def _table(self, alias: str, counts: dict[str, Counter[str]], *, is_dry: bool) -> None:
        columns = _COLUMNS if is_dry else (*_COLUMNS, Count.WRITTEN, Count.FAILED)
        self.stdout.write(f"\n{alias:<16}" + "".join(f"{name:>16}" for name in columns))
        for kind, counted in counts.items():
            cells = "".join(f"{counted[name]:>16}" for name in columns)
            self.stdout.write(f"{kind:<16}{cells}")

    def _finding(self, finding: Finding) -> None:
        detail = f" ({finding.detail})" if finding.detail else ""
        self.stdout.write(f"  {finding.kind} {finding.remote_id}: {finding.count}{detail}")
        for each in finding.differences:
            ours, theirs = resync.shown(each.ours), resync.shown(each.theirs)
            self.stdout.write(f"    {each.column}: ours {ours!r}, theirs {theirs!r}")

    def _end(self, total: Counter[str], *, is_dry: bool) -> None:
        unequal = sum(total[name] for name in UNEQUAL)
        if is_dry and unequal:
            raise CommandError(f"{unequal} things are not equal.", returncode=DIFFERENT)
        if total[Count.FAILED]:
            message = f"{total[Count.FAILED]} objects could not be written; the log says why."
            raise CommandError(message, returncode=NOT_DONE)
        self.stdout.write("Everything is equal." if not unequal else "Done.")


def _aliases(named: list[str]) -> list[str]:
    able = resync.listing()
    unable = [alias for alias in named if alias not in able]
    if unable or not able:
        known = ", ".join(able) or "none of those configured"
        raise CommandError(
            f"Cannot be listed: {', '.join(unable) or ', '.join(providers.aliases())}. "
            f"Can be: {known}.",
            returncode=NOT_DONE,
        )
    return list(dict.fromkeys(named)) or able


def _kinds(text: str) -> list[str]:
    kinds = [each.strip() for each in text.split(",") if each.strip()]
    unknown = sorted(set(kinds) - resync.PARTS.keys())
    if unknown:
        known = ", ".join(resync.PARTS)
        raise CommandError(
            f"No such kind: {', '.join(unknown)}. There are: {known}.", returncode=NOT_DONE
        )
    return kinds


def _since(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = parse_datetime(text)
        day = parse_date(text)
    except ValueError:
        moment = day = None
    if moment is None and day is not None:
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if moment is None:
        raise CommandError(f"{text!r} is no date or time.", returncode=NOT_DONE)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _pair(text: str) -> tuple[str, str]:
    customer_id, _, key = (each.strip() for each in text.partition("="))
    if not customer_id or not key:
        raise CommandError(f"{text!r} is not CUSTOMER=ORGANIZATION.", returncode=NOT_DONE)
    return customer_id, key


def _pairs_of(name: str) -> Iterator[tuple[str, str]]:
    if not name:
        return
    try:
        with Path(name).open(newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except OSError as exc:
        raise CommandError(f"{name} cannot be read: {exc}", returncode=NOT_DONE) from exc
    for row in rows:
        yield _pair("=".join(row))


def _organization(key: str) -> Any:
    model = apps.get_model(conf.organization_model)
    try:
        return model._default_manager.get(pk=key)
    except (model.DoesNotExist, ValidationError, ValueError) as exc:
        raise CommandError(f"There is no organization {key}.", returncode=NOT_DONE) from exc


def _advice(alias: str, error: BillingError) -> str:
    if isinstance(error, RequestInProgress):
        return f"{alias}: {error}. If it was killed, its lease runs out by itself."
    if isinstance(error, ProviderUnavailable | RateLimited | OutcomeUnknown):
        return f"{alias}: {error}. Run the command again: it goes on where it was."
    return f"{alias}: {error}"
