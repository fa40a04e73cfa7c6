"""A fresh cache, and both services on this machine."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from geo.cache import store
from geo.tests import web_service
from geo.tests.web_service import WebService


@pytest.fixture(autouse=True)
def _fresh_cache(settings: Any) -> Iterator[None]:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()
    store.reset()
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def ipapi(settings: Any) -> Iterator[WebService]:
    """What stands in for ipapi.co."""
    with web_service.running() as service:
        settings.GEO_IPAPI_URL = service.url
        yield service


@pytest.fixture
def ip_api(settings: Any) -> Iterator[WebService]:
    """What stands in for ip-api.com."""
    with web_service.running() as service:
        settings.GEO_IP_API_URL = f"{service.url}/json"
        yield service
