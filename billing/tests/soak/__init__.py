"""The soak: the promises of reliability proven by force, long with `make soak`, short in the suite.

How to add to it. A test belongs to a block by its marker, wherever its file stands, and takes its
sizes from `long_or_short`, so that both forms run the same code with the same assertions:

    from billing.tests.soak import long_or_short

    ROUNDS = long_or_short(100, 10)

    @pytest.mark.postgres
    @pytest.mark.soak(block="races")
    def test_two_subscribes_at_once(record_property: Any) -> None:
        for _ in range(ROUNDS):
            ...
        record_property("slowest answer, ms", 12)

`make soak` runs each block on a PostgreSQL and a Redis of its own (DATABASE_URL and REDIS_URL name
them, as in any run), prints `N passed, N failed`, and below it what was given to
`record_property`. The blocks and their time limits stand in `__main__`. In the suite the same
tests run in the short form; keep that to a few seconds each.
"""

import os
from typing import TypeVar

Size = TypeVar("Size")

IS_LONG = os.environ.get("SOAK") == "1"


def long_or_short(long: Size, short: Size) -> Size:
    """The size for `make soak`, or the one for the suite."""
    return long if IS_LONG else short
