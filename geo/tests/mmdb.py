"""Writes small country files in MaxMind's format, with records shaped as in GeoLite2-Country."""

import ipaddress
from collections.abc import Mapping
from pathlib import Path

from mmdb_writer import MMDBWriter
from netaddr import IPSet

from geo.countries import name_of


def write(path: Path, countries: Mapping[str, str]) -> Path:
    """Write network -> country code; networks of both versions."""
    return write_records(path, {network: record(code) for network, code in countries.items()})


def write_records(path: Path, records: Mapping[str, object], ip_version: int = 6) -> Path:
    writer = MMDBWriter(
        ip_version=ip_version, ipv4_compatible=ip_version == 6, database_type="Test-Country"
    )
    for network, each in records.items():
        writer.insert_network(IPSet([str(ipaddress.ip_network(network))]), each)
    writer.to_db_file(str(path))
    return path


def record(code: str) -> dict[str, object]:
    country = {
        "geoname_id": 1,
        "iso_code": code,
        "names": {language: name_of(code, language) for language in ("en", "es")},
    }
    return {"country": country, "registered_country": {**country, "iso_code": "US"}}
