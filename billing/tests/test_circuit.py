"""The circuit per provider, in a cache that may itself be broken."""

from typing import Any

import pytest
from django.core.cache.backends.locmem import LocMemCache

from billing import circuit
from billing.errors import ProviderUnavailable


class BrokenCache(LocMemCache):
    """Answers nothing at all, as a cache server that is gone."""

    def _fail(self, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("the cache is gone")

    get = set = add = incr = delete = _fail


def test_it_opens_at_the_limit_and_says_for_how_long() -> None:
    for _ in range(4):
        circuit.record_failure("stripe")
    circuit.ensure_closed("stripe")
    circuit.record_failure("stripe")
    with pytest.raises(ProviderUnavailable) as caught:
        circuit.ensure_closed("stripe")
    assert caught.value.retry_after == 30
    assert circuit.is_open("stripe")
    circuit.ensure_closed("polar")


def test_success_forgets_earlier_failures() -> None:
    for _ in range(4):
        circuit.record_failure("stripe")
    circuit.record_success("stripe")
    for _ in range(4):
        circuit.record_failure("stripe")
    circuit.ensure_closed("stripe")


def test_it_closes_by_itself(settings: Any, time_machine: Any) -> None:
    settings.BILLING_CIRCUIT_FAILURES = 1
    time_machine.move_to("2026-11-22 12:00:00Z", tick=False)
    circuit.record_failure("stripe")
    assert circuit.is_open("stripe")
    time_machine.move_to("2026-11-22 12:00:31Z", tick=False)
    circuit.ensure_closed("stripe")


def test_a_broken_cache_counts_as_closed(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.BrokenCache"}}
    for _ in range(10):
        circuit.record_failure("stripe")
    circuit.record_success("stripe")
    circuit.ensure_closed("stripe")
    assert not circuit.is_open("stripe")
