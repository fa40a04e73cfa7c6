"""Drive the sandbox from a terminal: post its webhooks, move its clock, make it misbehave, be its
customer, or the customer's bank."""

import json
import signal
import threading
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing.enums import DisputeStatus, SetupStatus
from billing.errors import BillingError, ProviderError
from billing.providers.base import SetsUpPaymentMethods, Simulates
from billing.providers.types import DisputeData, Ref, RefundData
from billing.registry import providers
from billing.services import simulation

POLL_SECONDS = 0.2
_DECISIONS = (
    DisputeStatus.WON,
    DisputeStatus.LOST,
    DisputeStatus.PREVENTED,
    DisputeStatus.WARNING_CLOSED,
)


class Command(BaseCommand):
    help = "Post the sandbox's webhooks, move its clock, set faults, show its state."
    # It posts to the server and moves a file; the server runs the checks.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="action", required=True)
        deliver = commands.add_parser("deliver", help="post webhook deliveries until stopped")
        deliver.add_argument("--once", action="store_true", help="post what is due now, then end")
        advance = commands.add_parser("advance", help="move billing time on")
        advance.add_argument("--days", type=int, default=0)
        advance.add_argument("--hours", type=int, default=0)
        faults = commands.add_parser("faults", help="make deliveries or calls misbehave")
        faults.add_argument("alias")
        faults.add_argument("faults", nargs="+", metavar="name=value")
        set_up = commands.add_parser("setup", help="add a payment method as the customer would")
        set_up.add_argument("alias")
        set_up.add_argument("session", help="the setup session's remote id: setup_...")
        set_up.add_argument("--token", default="tok_visa", help="a magic token (tok_visa)")
        complete = commands.add_parser("complete", help="pay an open checkout as its customer")
        complete.add_argument("alias")
        complete.add_argument("checkout", help="its remote id: checkout_...")
        complete.add_argument("--token", default="tok_visa", help="a magic token (tok_visa)")
        voucher = commands.add_parser(
            "pay-voucher", help="pay a voucher as its customer, even late"
        )
        voucher.add_argument("alias")
        voucher.add_argument("payment", help="its remote id: pay_...")
        dispute = commands.add_parser("dispute", help="as the bank, take a payment back")
        dispute.add_argument("alias")
        dispute.add_argument("payment", help="its remote id: pay_...")
        dispute.add_argument("--inquiry", action="store_true", help="only ask about it")
        decide = commands.add_parser("decide", help="as the bank, decide a dispute")
        decide.add_argument("alias")
        decide.add_argument("dispute", help="its remote id: dp_...")
        decide.add_argument("status", choices=[each.value for each in _DECISIONS])
        fail = commands.add_parser("fail-refund", help="as the bank, send a refund back")
        fail.add_argument("alias")
        fail.add_argument("refund", help="its remote id: re_...")
        commands.add_parser("status", help="show clock, queue and faults of each alias")

    def handle(self, *args: object, **options: Any) -> None:
        action = options["action"]
        try:
            if action == "deliver":
                self._deliver(once=options["once"])
            elif action == "advance":
                self._advance(timedelta(days=options["days"], hours=options["hours"]))
            elif action == "faults":
                self._set_faults(options["alias"], options["faults"])
            elif action == "setup":
                self._set_up(options["alias"], options["session"], options["token"])
            elif action == "complete":
                self._complete(options["alias"], options["checkout"], options["token"])
            elif action == "pay-voucher":
                self._pay_voucher(options["alias"], options["payment"])
            elif action in ("dispute", "decide", "fail-refund"):
                self._be_the_bank(providers.get(options["alias"], Simulates), options)
            else:
                self._show_status()
        except BillingError as exc:
            raise CommandError(exc.message) from exc

    def _deliver(self, *, once: bool) -> None:
        aliases = _simulated()
        with _stopped_by_signal() as stopped:
            self.stdout.write(f"Delivering webhooks of {', '.join(aliases) or 'no alias'}")
            self.stdout.flush()
            posted = self._deliver_round(aliases)
            while not once and not stopped.wait(POLL_SECONDS):
                self._deliver_round(aliases)
        if once:
            self.stdout.write(f"{posted} posted")

    def _deliver_round(self, aliases: list[str]) -> int:
        posted = 0
        for alias in aliases:
            try:
                posted += providers.get(alias, Simulates).deliver_due()
            except ProviderError as exc:
                self.stderr.write(f"{alias}: {exc.message}")
        return posted

    def _advance(self, by: timedelta) -> None:
        if by <= timedelta(0):
            raise CommandError("Give --days or --hours: billing time only moves forward.")
        moved: set[str] = set()
        for alias in _simulated():
            provider = providers.get(alias, Simulates)
            path = str(provider.options.get("path", alias))
            # Stand-ins that share a file share its clock.
            if path not in moved:
                moved.add(path)
                moments = simulation.advance(provider, by)
                self.stdout.write(f"{path}: {by} on, {moments} moments ran")

    def _set_up(self, alias: str, session_id: str, token: str) -> None:
        """Once to type it in, and once more for what that session waits for then."""
        provider, session = providers.get(alias, Simulates), Ref(id=session_id)
        current = providers.get(alias, SetsUpPaymentMethods).get_setup_session(session)
        waits = current.status is SetupStatus.REQUIRES_ACTION
        done = provider.complete_setup(session) if waits else provider.confirm_setup(session, token)
        self.stdout.write(f"{done.id}: {done.status}")

    def _complete(self, alias: str, checkout_id: str, token: str) -> None:
        provider = providers.get(alias, Simulates)
        done = provider.complete_checkout(Ref(id=checkout_id), token=token)
        self.stdout.write(f"{done.id}: {done.status}, {'paid' if done.is_paid else 'not paid yet'}")

    def _pay_voucher(self, alias: str, payment_id: str) -> None:
        paid = providers.get(alias, Simulates).pay_voucher(Ref(id=payment_id))
        self.stdout.write(f"{paid.id}: {paid.status}")

    def _be_the_bank(self, provider: Simulates, options: Any) -> None:
        changed: DisputeData | RefundData
        if options["action"] == "dispute":
            status = DisputeStatus.WARNING if options["inquiry"] else DisputeStatus.NEEDS_RESPONSE
            changed = provider.open_dispute(Ref(id=options["payment"]), status)
        elif options["action"] == "decide":
            status = DisputeStatus(options["status"])
            changed = provider.close_dispute(Ref(id=options["dispute"]), status)
        else:
            changed = provider.fail_refund(Ref(id=options["refund"]))
        self.stdout.write(f"{changed.id}: {changed.status}")

    def _set_faults(self, alias: str, pairs: list[str]) -> None:
        try:
            providers.get(alias, Simulates).set_faults(**dict(map(_fault, pairs)))
        except ValueError as exc:
            raise CommandError(str(exc)) from exc
        self._show(alias)

    def _show_status(self) -> None:
        for alias in _simulated():
            self._show(alias)

    def _show(self, alias: str) -> None:
        health = providers.get(alias, Simulates).check_health()
        self.stdout.write(f"{alias}: {health.detail}")


def _simulated() -> list[str]:
    return [alias for alias in providers.aliases() if providers.supports(alias, Simulates)]


def _fault(pair: str) -> tuple[str, object]:
    name, equals, text = pair.partition("=")
    if not equals:
        raise ValueError(f"{pair!r} is not name=value")
    try:
        return name, json.loads(text.lower())
    except json.JSONDecodeError as exc:
        raise ValueError(f"{text!r} is not a number, true or false") from exc


@contextmanager
def _stopped_by_signal() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM or SIGINT sets, so that a post under way is finished."""
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    earlier = {each: signal.signal(each, stop) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopped
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
