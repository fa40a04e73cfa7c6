"""A country file, written by the test."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from geo.backends.base import LookupFailed
from geo.backends.database import Database
from geo.ip import Visitor
from geo.tests import mmdb


@pytest.fixture
def database(settings: Any, tmp_path: Path) -> Database:
    path = tmp_path / "country.mmdb"
    settings.GEO_DATABASE = str(
        mmdb.write(path, {"189.128.0.0/10": "MX", "8.8.8.0/24": "US", "2806::/16": "MX"})
    )
    return Database()


def _ask(database: Database, ip: str) -> str:
    return database.country_of(Visitor(ip=ip), 2)


@pytest.mark.parametrize(
    ("ip", "country"),
    [
        ("189.130.0.1", "MX"),
        ("8.8.8.8", "US"),
        ("2806:100::1", "MX"),
        ("9.9.9.9", ""),
        ("2a00::1", ""),
    ],
)
def test_the_country_of_an_address(database: Database, ip: str, country: str) -> None:
    assert _ask(database, ip) == country


@pytest.mark.parametrize(
    ("record", "country"),
    [
        (mmdb.record("MX"), "MX"),
        ({"country_code": "MX"}, "MX"),
        ({"country": "MX"}, "MX"),
        ({"registered_country": {"iso_code": "MX"}}, ""),
        ({"country": {"names": {"en": "Mexico"}}}, ""),
        ({"country": 484}, ""),
        ("MX", ""),
    ],
)
def test_the_shapes_of_records(settings: Any, tmp_path: Path, record: object, country: str) -> None:
    path = mmdb.write_records(tmp_path / "one.mmdb", {"8.8.8.0/24": record})
    settings.GEO_DATABASE = str(path)
    assert _ask(Database(), "8.8.8.8") == country


def test_a_file_of_ipv4_only_does_not_know_ipv6(settings: Any, tmp_path: Path) -> None:
    path = mmdb.write_records(tmp_path / "4.mmdb", {"8.8.8.0/24": mmdb.record("US")}, ip_version=4)
    settings.GEO_DATABASE = str(path)
    assert _ask(Database(), "8.8.8.8") == "US"
    assert _ask(Database(), "2806:100::1") == ""


def test_a_new_file_is_opened_within_a_second(
    database: Database, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _ask(database, "8.8.8.8") == "US"
    mmdb.write(tmp_path / "new.mmdb", {"8.8.8.0/24": "CA"})
    os.replace(tmp_path / "new.mmdb", settings.GEO_DATABASE)
    _later(monkeypatch)
    assert _ask(database, "8.8.8.8") == "CA"


def test_another_path_is_opened_at_once(database: Database, settings: Any, tmp_path: Path) -> None:
    assert _ask(database, "8.8.8.8") == "US"
    settings.GEO_DATABASE = str(mmdb.write(tmp_path / "new.mmdb", {"8.8.8.0/24": "CA"}))
    assert _ask(database, "8.8.8.8") == "CA"


def test_the_same_file_is_opened_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    _ask(database, "8.8.8.8")
    reader = database._reader
    _later(monkeypatch)
    _ask(database, "9.9.9.9")
    assert database._reader is reader


def test_a_file_that_has_gone_is_told(
    database: Database, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ask(database, "8.8.8.8")
    os.remove(settings.GEO_DATABASE)
    _later(monkeypatch)
    with pytest.raises(LookupFailed, match="unreadable_file"):
        _ask(database, "8.8.8.8")


def _later(monkeypatch: pytest.MonkeyPatch) -> None:
    later = time.monotonic() + 2
    monkeypatch.setattr(time, "monotonic", lambda: later)


def test_a_file_that_is_gone_or_of_another_format(settings: Any, tmp_path: Path) -> None:
    settings.GEO_DATABASE = str(tmp_path / "none.mmdb")
    with pytest.raises(LookupFailed, match="unreadable_file"):
        _ask(Database(), "8.8.8.8")
    (tmp_path / "none.mmdb").write_text("network,country\n")
    with pytest.raises(LookupFailed, match="unreadable_file"):
        _ask(Database(), "8.8.8.8")


def test_it_takes_part_only_with_a_file(database: Database, settings: Any) -> None:
    assert database.is_configured
    settings.GEO_DATABASE = ""
    assert not database.is_configured
