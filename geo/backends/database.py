"""A country file on this machine, in MaxMind's format; no network, a few microseconds."""

import os
import time
from typing import TYPE_CHECKING, Any

from geo.backends.base import Backend, LookupFailed
from geo.conf import conf
from geo.ip import Visitor

if TYPE_CHECKING:
    from maxminddb import Reader

_LOOK_AGAIN_SECONDS = 1.0


class Database(Backend):
    """GEO_DATABASE: GeoLite2-Country, GeoIP2-Country, DB-IP's country file and the like.

    It is opened once per process, and again within a second of another file in its place. Put that
    there with a rename: the file is mapped into memory and must not change below a reader.
    """

    name = "database"
    is_local = True

    def __init__(self) -> None:
        self._path = ""
        self._stamp: tuple[int, ...] = ()
        self._reader: Reader | None = None
        self._look_again_at = 0.0

    @property
    def is_configured(self) -> bool:
        return bool(conf.database)

    def country_of(self, visitor: Visitor, timeout_seconds: float) -> str:
        reader = self._current_reader()
        try:
            return _country(reader.get(visitor.ip))
        except ValueError:  # an IPv6 address, and a file of IPv4 only
            return ""
        except RuntimeError as error:
            raise LookupFailed("damaged_file") from error

    def _current_reader(self) -> "Reader":
        """The reader of the file as it was within the last second; raises LookupFailed."""
        now, path, reader = time.monotonic(), conf.database, self._reader
        if reader and path == self._path and now < self._look_again_at:
            return reader
        try:
            reader = self._reopened(path)
        except (ImportError, OSError, RuntimeError) as error:
            raise LookupFailed("unreadable_file") from error
        self._look_again_at = now + _LOOK_AGAIN_SECONDS
        return reader

    def _reopened(self, path: str) -> "Reader":
        """Another file means another reader; the old one closes itself after its last use."""
        status = os.stat(path)
        stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
        if self._reader is None or (self._path, self._stamp) != (path, stamp):
            self._reader, self._path, self._stamp = open_file(path), path, stamp
        return self._reader


def open_file(path: str) -> "Reader":
    """Open a file in MaxMind's format, mapped into memory.

    Raises ImportError without the package maxminddb, OSError for a file that cannot be read, and
    RuntimeError (its InvalidDatabaseError) for one of another format.
    """
    from maxminddb import open_database

    return open_database(path)


def _country(record: Any) -> str:
    """MaxMind, DB-IP: {"country": {"iso_code": "MX"}}; flat files: "country_code" or "country"."""
    if not isinstance(record, dict):
        return ""
    country = record.get("country") or record.get("country_code")
    found = country.get("iso_code") if isinstance(country, dict) else country
    return found if isinstance(found, str) else ""
