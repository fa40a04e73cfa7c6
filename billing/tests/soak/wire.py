"""A provider at the other end of a real connection, which can break in every way one can.

`WireProvider` is what Cobro's processes have configured: it asks over HTTP and translates what goes
wrong, as adapters do. `WireServer` runs in the test: it carries the calls out on sandboxes and
breaks where it is told to. It keeps no webhook: nothing reaches Cobro but answers.
"""

import contextlib
import enum
import json
import os
import pickle
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from billing import errors
from billing.errors import BillingError, OutcomeUnknown, ProviderUnavailable
from billing.providers.base import NETWORK_METHODS
from billing.providers.sandbox import SandboxProvider
from project.stand_ins import STAND_INS

ALIASES = ("stripe", "conekta")
CONNECT_SECONDS = 3
_READS = ("get_", "list_", "find_", "check_")


class WireProvider(SandboxProvider):
    """Facts are the sandbox's; every call that a real provider would be asked goes to `url`."""

    def ask(self, method: str, args: Any, kwargs: Any) -> Any:
        lost = ProviderUnavailable if method.startswith(_READS) else OutcomeUnknown
        timeouts = (CONNECT_SECONDS, float(os.environ["WIRE_READ_SECONDS"]))
        url = f"{os.environ['WIRE_URL']}/{self.alias}/{method}"
        try:
            answer = requests.post(url, data=pickle.dumps((args, kwargs)), timeout=timeouts)
        except requests.ConnectTimeout as exc:
            raise ProviderUnavailable(str(exc), provider=self.alias) from None
        except requests.RequestException as exc:
            raise lost(str(exc), provider=self.alias) from None
        if answer.status_code == 422:
            name, message = json.loads(answer.content)
            raise getattr(errors, name)(message)
        if answer.status_code != 200:
            raise lost(f"answered {answer.status_code}", provider=self.alias)
        try:
            return pickle.loads(answer.content)  # noqa: S301 - from the test
        except Exception:  # noqa: BLE001 - garbage raises anything
            raise lost("the answer cannot be read", provider=self.alias) from None


def _over_the_wire(name: str) -> Callable[..., Any]:
    def method(self: WireProvider, *args: Any, **kwargs: Any) -> Any:
        return self.ask(name, args, kwargs)

    return method


for _name in NETWORK_METHODS:
    if hasattr(SandboxProvider, _name):
        setattr(WireProvider, _name, _over_the_wire(_name))


class Fault(enum.Enum):
    """How a write goes wrong; those that wait do until `go_on`."""

    HANG = "no effect and no answer"
    LATE = "the effect, and its answer after the caller's time-out"
    PAUSE = "the effect, and its answer when the test says so"
    REFUSE = "a 500 and no effect"
    BREAK = "the effect and a 500"
    HALF = "the effect and half an answer"
    GARBAGE = "the effect and an answer that nobody can read"
    RESET = "the effect and a connection that is reset"

    @property
    def has_effect(self) -> bool:
        return self not in (Fault.HANG, Fault.REFUSE)


_WAITING = (Fault.HANG, Fault.LATE, Fault.PAUSE)


class WireServer:
    """Sandboxes behind a port. `faults` says by customer id how its writes go wrong.

    `reads_hang` lets reads wait as well; `waiting` counts who waits now.
    """

    def __init__(self, folder: Path) -> None:
        self.faults: dict[str, Fault] = {}
        self.broken: set[str] = set()
        self.hanging: set[str] = set()
        self.waiting = 0
        self._lock = threading.Lock()
        self._go_on = {fault: threading.Event() for fault in _WAITING}
        self.providers = {alias: _sandbox(alias, folder) for alias in ALIASES}

    def carry_out(self, alias: str, method: str, args: Any, kwargs: Any) -> tuple[int, bytes]:
        """What an undisturbed provider answers."""
        try:
            answer = getattr(self.providers[alias], method)(*args, **kwargs)
        except BillingError as exc:
            return 422, json.dumps([type(exc).__name__, str(exc)]).encode()
        return 200, pickle.dumps(answer)

    def fault_of(self, alias: str, method: str, args: Any) -> Fault | None:
        if method in self.hanging:
            return Fault.HANG
        if method.startswith(_READS):
            return None
        return Fault.REFUSE if alias in self.broken else self.faults.get(_customer_id(args))

    def wait(self, fault: Fault) -> None:
        with self._lock:
            self.waiting += 1
        self._go_on[fault].wait()
        with self._lock:
            self.waiting -= 1

    def go_on(self, *faults: Fault) -> None:
        """Let those go on that wait, or those of the named faults."""
        for fault in faults or _WAITING:
            self._go_on[fault].set()
            self._go_on[fault] = threading.Event()

    def heal(self) -> None:
        """Everything works from now on."""
        self.faults, self.broken, self.hanging = {}, set(), set()
        self.go_on()

    @contextlib.contextmanager
    def served(self) -> Iterator[str]:
        server = _Server(("127.0.0.1", 0), _handler(self))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            self.heal()
            server.shutdown()
            server.server_close()
            thread.join()


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


def _sandbox(alias: str, folder: Path) -> SandboxProvider:
    path = str(folder / "remote.sqlite3")
    options = {
        "path": path,
        "like": STAND_INS[alias],
        "secret": "whsec_d2lyZQ==",
        "webhook_url": "",
    }
    return SandboxProvider(alias=alias, mode="sandbox", options=options)


def _customer_id(args: Any) -> str:
    """Whose the object is that a write names first."""
    first = args[0] if args else None
    return getattr(first, "customer_id", "") or getattr(first, "id", "")


def _handler(wire: WireServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            args, kwargs = pickle.loads(  # noqa: S301 - from our own processes
                self.rfile.read(int(self.headers["Content-Length"]))
            )
            _, alias, method = self.path.split("/")
            fault = wire.fault_of(alias, method, args)
            status, body = 500, b"broken"
            if fault is None or fault.has_effect:
                status, body = wire.carry_out(alias, method, args, kwargs)
            if fault in _WAITING:
                wire.wait(fault)
            with contextlib.suppress(OSError):  # whoever asked may be gone by now
                self._answer(fault, status, body)

        def _answer(self, fault: Fault | None, status: int, body: bytes) -> None:
            if fault in (Fault.HANG, Fault.RESET):
                # Closing with a zero linger time sends a reset.
                option = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
                self.close_connection = True
                return
            if fault is Fault.BREAK:
                status, body = 500, b"broken"
            if fault is Fault.GARBAGE:
                body = b"\x80\x04garbage"
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if fault is Fault.HALF else body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
