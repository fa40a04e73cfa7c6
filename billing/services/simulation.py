"""Moving billing time on in development: at each moment our own due tasks, then the sandbox's."""

from datetime import timedelta

from billing import clock
from billing.providers.base import Simulates
from billing.services import planned_ends


def advance(simulator: Simulates, by: timedelta) -> int:
    """Move the clock that `simulator` keeps on `by`; return how many moments the sandbox ran.

    It stops where one of our tasks is due and runs it, as beat would have by then.
    """
    left, moments = by, 0
    while (due := planned_ends.next_due(after=clock.now())) and (step := due - clock.now()) < left:
        moments += simulator.advance_clock(step)
        planned_ends.carry_out()
        left -= step
    return moments + simulator.advance_clock(left)
