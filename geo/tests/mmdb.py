"""Writes country files in MaxMind's format, with records as large as those of GeoLite2-Country."""

import functools
import ipaddress
from collections.abc import Mapping
from pathlib import Path

from babel import Locale
from mmdb_writer import MMDBWriter
from netaddr import IPSet

LANGUAGES = ("de", "en", "es", "fr", "ja", "pt_BR", "ru", "zh_CN")


def write(path: Path, countries: Mapping[str, str]) -> Path:
    """Write network -> country code; networks of both versions."""
    return write_records(path, {network: record(code) for network, code in countries.items()})


def write_records(path: Path, records: Mapping[str, object], ip_version: int = 6) -> Path:
    writer = MMDBWriter(
        ip_version=ip_version,
        ipv4_compatible=ip_version == 6,
        database_type="Test-Country",
        languages=list(LANGUAGES),
    )
    for network, each in records.items():
        writer.insert_network(IPSet([str(ipaddress.ip_network(network))]), each)
    writer.to_db_file(str(path))
    return path


@functools.cache
def record(code: str) -> dict[str, object]:
    continent = {"code": "NA", "geoname_id": 6255149, "names": _names("003")}
    country = {"geoname_id": 3996063, "iso_code": code, "names": _names(code)}
    return {
        "continent": continent,
        "country": country,
        "registered_country": {**country, "iso_code": "US"},
    }


def _names(territory: str) -> dict[str, str]:
    return {language: str(Locale.parse(language).territories[territory]) for language in LANGUAGES}
