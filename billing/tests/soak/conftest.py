"""The stage, and a failed test shows what the processes had to say."""

from collections.abc import Iterator

import pytest

from billing.tests.soak import long_or_short
from billing.tests.soak.stage import Stage
from billing.tests.soak.stage import stage as prepared
from project.tests.services import postgres_server, redis_server

LIVES = long_or_short(560, 48)


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Once for all blocks in a run; its servers are nobody else's."""
    folder = tmp_path_factory.mktemp("stage")
    with (
        postgres_server() as postgres,
        redis_server() as redis,
        prepared(postgres, redis, folder, count=LIVES) as ready,
    ):
        yield ready
