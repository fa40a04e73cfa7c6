"""No full address of a run is in a table, a log line or an exception."""

import io
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory

from geo.ip import Visitor, visitor_of
from geo.lookup import lookup
from geo.services import GeolocationService
from geo.tests.web_service import WebService

ADDRESSES = ["189.130.4.5", "189.130.4.6", "189.130.4.7", "2806:100:1:2::3"]
MALFORMED = b"HTTP/1.1 200 OK\r\nno colon\r\n\r\nno JSON"


@pytest.fixture
def log(settings: Any) -> Iterator[io.StringIO]:
    """All that is written with the project's levels, and by our loggers from DEBUG on."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_WithEverything())
    ours, root = logging.getLogger("geo"), logging.getLogger()
    levels = ours.level, root.level
    root.addHandler(handler)
    ours.setLevel(logging.DEBUG)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    ours.setLevel(levels[0])
    root.setLevel(levels[1])


class _WithEverything(logging.Formatter):
    """Each record with its traceback and its extra facts."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record) + repr(vars(record))


@pytest.mark.django_db
def test_no_full_address_is_left_behind(
    ipapi: WebService, ip_api: WebService, settings: Any, log: io.StringIO
) -> None:
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "geo_test_cache",
        }
    }
    call_command("createcachetable")
    ipapi.says({"country_code": "MX", "ip": ADDRESSES[0]})
    lookup(Visitor(ip=ADDRESSES[0]))
    ipapi.says({"error": True, "reason": ADDRESSES[1]})
    ip_api.says({"status": "fail", "message": ADDRESSES[1]})
    lookup(Visitor(ip=ADDRESSES[1]))
    ipapi.says({}, 500)
    ip_api.answer = lambda handler: handler.connection.close()
    request = RequestFactory().get("/", REMOTE_ADDR=ADDRESSES[2])
    lookup(visitor_of(request))
    settings.GEO_DATABASE = "/nonexistent"
    ipapi.answer = lambda handler: handler.wfile.write(MALFORMED)
    ip_api.says_raw(ADDRESSES[3].encode())
    GeolocationService().detect(Visitor(ip=ADDRESSES[3]), user_country=ADDRESSES[3])
    GeolocationService().detect_country(ADDRESSES[3])

    tables = _everything_stored()
    assert "geo:answer:" in tables
    assert "geo.lookup_failed" in log.getvalue()
    assert "189.130.4.0/24" in log.getvalue()
    for address in (*ADDRESSES, quote(ADDRESSES[3], safe="")):
        assert address not in tables
        assert address not in log.getvalue()
    cache.clear()


def _everything_stored() -> str:
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found.append(repr(cursor.fetchall()))
    return "".join(found)
