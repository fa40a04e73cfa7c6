"""An account behind a real port of 127.0.0.1, as one WSGI app.

    account = StripeAccount(now=datetime.now(UTC), step=CALL_TAKES)
    with served(account, calls=folder / "calls.jsonl") as url:
        ...                                      # STRIPE_API_BASE=url

`calls` gets each call and its answer as a line, as the contract's recorder writes them.
"""

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Iterable, Iterator
from datetime import timedelta
from http.client import responses as phrases
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from billing.tests.accounts.account import Call, RemoteAccount, Reply
from billing.tests.accounts.faults import Fault

# More than a call takes on a busy machine: what one wrote is older than what the next reads.
CALL_TAKES = timedelta(seconds=10)
_PREFIX = "HTTP_"


class StandIn:
    """The WSGI app. A call that hangs does so until its caller is gone or `go_on`."""

    def __init__(self, account: RemoteAccount, calls: Path | None = None) -> None:
        self._account = account
        self._calls = calls
        self._written = 0
        self._lock = threading.Lock()
        self._go_on = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        reply = self._account.answer(self._call(environ))
        self._write_down()
        if reply.fault in (Fault.DEAF, Fault.HANG):
            self._go_on.wait()
        if reply.fault in (Fault.DEAF, Fault.HANG, Fault.RESET):
            _let_reset(environ["standin.connection"])
            raise ConnectionResetError  # WSGI's server then writes nothing
        return _told(reply, start_response)

    def go_on(self) -> None:
        """End the calls that hang; none does from now on."""
        self._go_on.set()

    def _call(self, environ: dict[str, Any]) -> Call:
        """RAW_URI is the path as it was sent: WSGI's own is decoded."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        return self._account.call_type(
            method=environ["REQUEST_METHOD"],
            path=environ["RAW_URI"],
            headers=_headers(environ),
            body=environ["wsgi.input"].read(length).decode() or None,
        )

    def _write_down(self) -> None:
        """Append the calls that are not in the file yet, whichever thread made them."""
        if self._calls is None:
            return
        with self._lock, self._calls.open("a") as output:
            new = self._account.calls[self._written :]
            self._written += len(new)
            output.writelines(json.dumps(each) + "\n" for each in new)


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    found = {
        name.removeprefix(_PREFIX).replace("_", "-").title(): str(value)
        for name, value in environ.items()
        if name.startswith(_PREFIX)
    }
    return found | {"Content-Type": environ["CONTENT_TYPE"]}


def _let_reset(connection: socket.socket) -> None:
    """Closing with a zero linger time sends a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _told(reply: Reply, start_response: Any) -> Iterable[bytes]:
    """A body that is shorter than its announced length is half an answer."""
    is_broken = reply.fault is Fault.BREAK
    status, body = (500, b"") if is_broken else (reply.status, reply.text.encode())
    headers = {**reply.headers, "Content-Length": str(len(body))}
    start_response(f"{status} {phrases[status]}", list(headers.items()))
    return [body[: len(body) // 2] if reply.fault is Fault.HALF else body]


class _Server(ThreadingMixIn, WSGIServer):
    request_queue_size = 256
    daemon_threads = True

    def shutdown_request(self, request: Any) -> None:
        """Without a farewell, so that a reset stays one."""
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers may be gone, and faults close connections; what the app raises it shows."""


class _Handler(WSGIRequestHandler):
    def get_environ(self) -> dict[str, Any]:
        own = {"RAW_URI": self.path, "standin.connection": self.connection}
        return super().get_environ() | own

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def served(account: RemoteAccount, *, calls: Path | None = None) -> Iterator[str]:
    """Serve the account; yield the address for the provider's api_base."""
    server = _Server(("127.0.0.1", 0), _Handler)
    app = StandIn(account, calls)
    server.set_app(app)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        app.go_on()
        server.shutdown()
        server.server_close()
        thread.join()
