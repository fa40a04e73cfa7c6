"""What Stripe's API answers about some lives, for `responses` and for a server on 127.0.0.1."""

import contextlib
import json
import re
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import responses

from billing.tests.stripe_life import API_BASE, StripeLife

Answer = tuple[int, dict[str, str], str]
_MISSING = {"error": {"type": "invalid_request_error", "code": "resource_missing"}}


class StripeApi:
    """Answers a GET of each object as it is in the end of its life; everything else with 404."""

    def __init__(self, lives: Sequence[StripeLife] = ()) -> None:
        self._bodies: dict[str, Any] = {}
        self._date = datetime.now(UTC)
        self.tell(lives)

    def tell(self, lives: Sequence[StripeLife]) -> None:
        """From now on answer what these lives are in the end, at the time of the last end."""
        self._date = max((life.now for life in lives), default=self._date)
        for life in lives:
            for (kind, remote_id), found in life.api_objects().items():
                self._bodies[f"/v1/{kind}s/{remote_id}"] = found

    def answer(self, url: str) -> Answer:
        headers = {"Content-Type": "application/json"}
        headers["Date"] = format_datetime(self._date, usegmt=True)
        found = self._bodies.get(urlsplit(url).path)
        return (200 if found else 404), headers, json.dumps(found or _MISSING)

    def register(self, mock: responses.RequestsMock) -> None:
        """Answer what the test's own process asks."""
        anything = re.compile(re.escape(API_BASE) + "/v1/.*")
        mock.add_callback(responses.GET, anything, lambda request: self.answer(request.url))

    @contextlib.contextmanager
    def served(self) -> Iterator[str]:
        """Answer what other processes ask; yield the address for STRIPE_API_BASE."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class SlowApi(StripeApi):
    """Takes `seconds` for each answer."""

    def __init__(self, lives: Sequence[StripeLife] = (), *, seconds: float) -> None:
        super().__init__(lives)
        self.seconds = seconds

    def answer(self, url: str) -> Answer:
        time.sleep(self.seconds)
        return super().answer(url)


class HangingApi(StripeApi):
    """Lets requests wait until `go_on`; after `hold_no_more` new ones are answered at once."""

    def __init__(self, lives: Sequence[StripeLife] = ()) -> None:
        super().__init__(lives)
        self.waiting = 0
        self._is_holding = True
        self._go_on = threading.Event()

    def answer(self, url: str) -> Answer:
        if self._is_holding:
            self.waiting += 1
            self._go_on.wait()
        return super().answer(url)

    def hold_no_more(self) -> None:
        self._is_holding = False

    def go_on(self) -> None:
        self._go_on.set()

    @contextlib.contextmanager
    def served(self) -> Iterator[str]:
        with super().served() as url:
            try:
                yield url
            finally:
                self.go_on()


def _handler(api: StripeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = api.answer(self.path)
            content = body.encode()
            # Not send_response: it would add a Date of its own.
            self.send_response_only(status)
            for name, value in (headers | {"Content-Length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(BrokenPipeError):  # whoever asked may be killed by now
                self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
