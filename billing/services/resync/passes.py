"""One pass over a provider, kind by kind and page by page."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import datetime

from billing.conf import conf
from billing.registry import providers
from billing.services.resync.findings import Outcome, Progress
from billing.services.resync.journal import Journal, State, claim
from billing.services.resync.objects import (
    Customers,
    Disputes,
    Invoices,
    PaymentMethods,
    Payments,
    Refunds,
    Subscriptions,
)
from billing.services.resync.parts import Part, Pass
from billing.services.resync.prices import Plans

# Parents first: what is read is known before what points to it.
PARTS: Mapping[str, Part] = {
    part.name: part
    for part in (
        Plans(),
        Customers(),
        PaymentMethods(),
        Subscriptions(),
        Invoices(),
        Payments(),
        Refunds(),
        Disputes(),
    )
}


def readable(provider: str) -> list[str]:
    """The kinds that can be read at `provider`, parents first."""
    return [name for name, part in PARTS.items() if part.can_read(provider)]


def listing() -> list[str]:
    """The aliases of all providers that can list what they hold."""
    return [alias for alias in providers.aliases() if PARTS["subscriptions"].can_read(alias)]


def repair(
    provider: str,
    *,
    kinds: Sequence[str] = (),
    since: datetime | None = None,
    restart: bool = False,
) -> Generator[Progress, None, None]:
    """Bring our rows to what `provider` holds; yields after each page. No kinds: all readable.

    Whoever leaves early closes it (`contextlib.closing`): that gives the lease back, and left to
    the garbage collector it would come in the middle of another query.

    A run that was broken off is taken up where it was, unless `restart`. Raises RequestInProgress
    while another process does the same, InvalidRequest where an unfinished run is a different one,
    and what the provider raises; the run then waits to be taken up.
    """
    names = _in_order(provider, kinds)
    journal = claim(provider, names, since, restart=restart)
    try:
        yield from _run(_pass(provider, since, journal, is_dry=False), names, journal)
        journal.finish()
    finally:
        journal.release()


def inspect(
    provider: str, *, kinds: Sequence[str] = (), since: datetime | None = None
) -> Generator[Progress, None, None]:
    """What `repair` would find, without writing anything at all."""
    names = _in_order(provider, kinds)
    journal = Journal()
    yield from _run(_pass(provider, since, journal, is_dry=True), names, journal)


def _in_order(provider: str, kinds: Sequence[str]) -> list[str]:
    return [name for name in readable(provider) if not kinds or name in kinds]


def _pass(provider: str, since: datetime | None, journal: Journal, *, is_dry: bool) -> Pass:
    return Pass(
        provider=provider,
        mode=conf.mode(provider),
        since=since,
        is_dry=is_dry,
        started_at=journal.started_at,
        renew=journal.renew,
    )


def _run(this: Pass, names: Sequence[str], journal: Journal) -> Iterator[Progress]:
    for name in names:
        state = journal.state(name)
        while not state.is_done:
            is_last = state.is_listed
            outcome = _step(this, PARTS[name], state)
            state = journal.record(name, outcome, is_last=is_last)
            yield Progress(
                provider=this.provider,
                kind=name,
                number=state.number,
                counts=state.counts,
                findings=outcome.findings,
                is_last=is_last,
            )


def _step(this: Pass, part: Part, state: State) -> Outcome:
    """The next page; behind the last, the rows that were in none. A part of a list proves nothing
    about what is not in it."""
    if not state.is_listed:
        return part.page(this, state.cursor)
    return Outcome() if this.since else part.unseen(this, state.seen)
