"""What `manage.py check` says about the GEO_* settings."""

import sys
from pathlib import Path
from typing import Any

import pytest
from django.core import checks

from geo.tests import mmdb


def _ids() -> list[str]:
    return [message.id for message in checks.run_checks() if message.id.startswith("geo.")]


@pytest.fixture(autouse=True)
def _development(settings: Any) -> None:
    settings.DEBUG = True


def test_the_defaults_are_right() -> None:
    assert _ids() == []


@pytest.mark.parametrize("path", ["geo.backends.none.None", "nonsense", "geo.lookup.lookup"])
def test_an_unknown_backend(settings: Any, path: str) -> None:
    settings.GEO_BACKENDS = [path, "geo.backends.ipapi.Ipapi"]
    assert _ids() == ["geo.E001"]


def test_a_database_that_is_missing_or_of_another_format(settings: Any, tmp_path: Path) -> None:
    path = tmp_path / "country.mmdb"
    settings.GEO_DATABASE = str(path)
    assert _ids() == ["geo.E003"]
    path.write_text("network,country\n")
    assert _ids() == ["geo.E003"]
    mmdb.write(path, {"8.8.8.0/24": "US"})
    assert _ids() == []


def test_a_database_without_its_reader(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.GEO_DATABASE = str(mmdb.write(tmp_path / "country.mmdb", {"8.8.8.0/24": "US"}))
    monkeypatch.setitem(sys.modules, "maxminddb", None)
    assert _ids() == ["geo.E002"]


def test_a_header_that_anybody_could_send(settings: Any) -> None:
    settings.GEO_COUNTRY_HEADER = "CF-IPCountry"
    assert _ids() == ["geo.E004"]
    settings.GEO_TRUSTED_PROXIES = 1
    assert _ids() == []


def test_plain_http_in_production(settings: Any) -> None:
    settings.DEBUG = False
    assert _ids() == ["geo.W001"]
    settings.GEO_IP_API_URL = "https://pro.ip-api.com/json"
    assert _ids() == []
    del settings.GEO_IP_API_URL
    settings.GEO_BACKENDS = ["geo.backends.ipapi.Ipapi"]
    assert _ids() == []
