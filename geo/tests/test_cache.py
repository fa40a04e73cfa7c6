"""The shared cache, and what holds while it is away."""

import time
from typing import Any

import pytest
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache

from geo.cache import store


class BrokenCache(LocMemCache):
    """Answers nothing at all, as a cache server that is gone; counts how often it is asked."""

    asked = 0

    def _fail(self, *args: Any, **kwargs: Any) -> Any:
        type(self).asked += 1
        raise ConnectionError("the cache is gone")

    get = set = add = incr = delete = _fail


@pytest.fixture
def broken_cache(settings: Any) -> type[BrokenCache]:
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.BrokenCache"}}
    BrokenCache.asked = 0
    return BrokenCache


def test_it_is_django_s_cache() -> None:
    store.set("answer", ("MX", "ipapi"), 10)
    assert cache.get("geo:answer") == ("MX", "ipapi")
    assert store.get("answer") == ("MX", "ipapi")
    store.delete("answer")
    assert cache.get("geo:answer") is None


def test_only_the_first_adds(time_machine: Any) -> None:
    time_machine.move_to("2026-11-22 12:00:00Z", tick=False)
    assert store.add("lock", 1, 3)
    assert not store.add("lock", 1, 3)
    time_machine.move_to("2026-11-22 12:00:04Z", tick=False)
    assert store.add("lock", 1, 3)


def test_a_count_starts_anew_when_its_time_is_over(time_machine: Any) -> None:
    time_machine.move_to("2026-11-22 12:00:00Z", tick=False)
    assert [store.count("calls", 60) for _ in range(3)] == [1, 2, 3]
    time_machine.move_to("2026-11-22 12:01:01Z", tick=False)
    assert store.count("calls", 60) == 1


def test_a_cache_that_keeps_nothing(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    assert store.count("calls", 60) == 1
    assert store.add("lock", 1, 3)
    assert store.get("lock") is None


def test_this_process_stands_in_for_a_cache_that_is_away(broken_cache: type[BrokenCache]) -> None:
    store.set("answer", "MX", 10)
    assert store.get("answer") == "MX"
    assert store.add("lock", 1, 3)
    assert not store.add("lock", 1, 3)
    assert [store.count("calls", 60) for _ in range(2)] == [1, 2]
    store.delete("answer")
    assert store.get("answer") is None
    assert broken_cache.asked == 1


def test_the_shared_cache_is_tried_again(
    broken_cache: type[BrokenCache], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.set("answer", "MX", 60)
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    assert store.get("answer") == "MX"
    later = time.monotonic() + 6
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert store.get("answer") is None
