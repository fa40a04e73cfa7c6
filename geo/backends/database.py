"""A country file on this machine, in MaxMind's format; no network, a few microseconds."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from geo.backends.base import Backend, LookupFailed
from geo.conf import conf
from geo.ip import Visitor

if TYPE_CHECKING:
    from maxminddb import Reader


class Database(Backend):
    """GEO_DATABASE: GeoLite2-Country, GeoIP2-Country, DB-IP's country file and the like.

    It is opened once per process, and again when there is another file. Put that in place with a
    rename: the file is mapped into memory and must not change below a reader.
    """

    name = "database"
    is_local = True

    def __init__(self) -> None:
        self._opened: tuple[tuple[object, ...], Reader | None] = ((), None)

    @property
    def is_configured(self) -> bool:
        return bool(conf.database)

    def country_of(self, visitor: Visitor, timeout_seconds: float) -> str:
        try:
            reader = self._reader()
        except (ImportError, OSError, RuntimeError) as error:
            raise LookupFailed("unreadable_file") from error
        try:
            return _country(reader.get(visitor.ip))
        except ValueError:  # an IPv6 address, and a file of IPv4 only
            return ""
        except RuntimeError as error:
            raise LookupFailed("damaged_file") from error

    def _reader(self) -> "Reader":
        """The reader of the file as it is now; an old one closes itself after its last use."""
        path = conf.database
        status = os.stat(path)
        stamp = (path, status.st_mtime_ns, status.st_ino, status.st_size)
        seen, reader = self._opened
        if reader is None or seen != stamp:
            reader = open_file(path)
            self._opened = (stamp, reader)
        return reader


def open_file(path: str) -> "Reader":
    """Open a file in MaxMind's format, mapped into memory.

    Raises ImportError without the package maxminddb, OSError for a file that cannot be read, and
    RuntimeError (its InvalidDatabaseError) for one of another format.
    """
    from maxminddb import open_database

    return open_database(path)


def _country(record: Any) -> str:
    """MaxMind, DB-IP: {"country": {"iso_code": "MX"}}; flat files: "country_code" or "country"."""
    if not isinstance(record, Mapping):
        return ""
    country = record.get("country") or record.get("country_code")
    found = country.get("iso_code") if isinstance(country, Mapping) else country
    return found if isinstance(found, str) else ""
