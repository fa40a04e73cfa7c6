"""Moving billing time on in development: at each moment our own due tasks, then the sandbox's."""

from datetime import timedelta

from billing import clock
from billing.providers.base import Simulates
from billing.services import planned_ends


def advance(simulator: Simulates, by: timedelta) -> int:
    """Move the clock that `simulator` keeps; return how many moments the sandbox ran.

    It stops where one of our tasks is due and runs it, as beat would have by then.
    """
    end, moments = clock.now() + by, 0
    while (due := planned_ends.next_due(after=clock.now())) is not None and due < end:
        moments += simulator.advance_clock(due - clock.now())
        planned_ends.carry_out()
    return moments + simulator.advance_clock(max(end - clock.now(), timedelta(0)))
