"""A service on 127.0.0.1 that answers as a test wants, and keeps what it was asked."""

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_LONG = 20.0
_DRIP_SECONDS = 0.05


class WebService:
    """`answers` takes its next answer, and gives the last one for ever."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.paths: list[str] = []
        self.queries: list[dict[str, list[str]]] = []
        self.headers: list[Mapping[str, str]] = []
        self.stopped = threading.Event()
        self.answer: Any = lambda handler: send(handler, {}, 500)

    @property
    def calls(self) -> int:
        return len(self.paths)

    def says(self, told: object, status: int = 200, **headers: str) -> None:
        """Answer with `told` as JSON; a header's name is written with _ for -."""
        self.answer = lambda handler: send(handler, told, status, **headers)

    def says_raw(self, body: bytes) -> None:
        self.answer = lambda handler: _send_bytes(handler, body)

    def is_silent(self) -> None:
        """Take the request and say nothing."""
        self.answer = lambda handler: self.stopped.wait(_LONG)

    def drips(self, beginning: bytes) -> None:
        """Say `beginning`, then a byte now and then, each well within a time-out per read."""
        self.answer = lambda handler: self._drip(handler, beginning)

    def waits(self, for_it: threading.Event, told: object) -> None:
        """Answer once `for_it` is set."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            for_it.wait(_LONG)
            send(handler, told)

        self.answer = answer

    def _drip(self, handler: BaseHTTPRequestHandler, beginning: bytes) -> None:
        handler.close_connection = True
        with contextlib.suppress(OSError):  # the caller hangs up
            handler.wfile.write(beginning)
            while not self.stopped.wait(_DRIP_SECONDS):
                handler.wfile.write(b"x")


def send(handler: BaseHTTPRequestHandler, told: object, status: int = 200, **headers: str) -> None:
    _send_bytes(handler, json.dumps(told).encode(), status, **headers)


def _send_bytes(
    handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str
) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@contextlib.contextmanager
def running() -> Iterator[WebService]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            service.paths.append(parts.path)
            service.queries.append(parse_qs(parts.query))
            service.headers.append(dict(self.headers))
            service.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service = WebService(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True, args=(0.02,))
    thread.start()
    try:
        yield service
    finally:
        service.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
