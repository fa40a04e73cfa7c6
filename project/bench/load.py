"""The sender: a process of its own, so that what it costs is not counted. Prints JSON.

echo '{"port": 8000, ...}' | python -m project.bench.load
"""

import json
import socket
import sys
import threading
import time
from collections import Counter
from typing import Any

from project.bench import samples


def main() -> None:
    spec = json.load(sys.stdin)
    queue = iter([_request(spec, number) for number in spec["numbers"]])
    shares = [_Connection(spec["port"]) for _ in range(spec["connections"])]
    lock = threading.Lock()

    def take() -> bytes | None:
        with lock:
            return next(queue, None)

    threads = [threading.Thread(target=share.send_all, args=(take,)) for share in shares]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answer = {
        "seconds": time.monotonic() - started,
        "latencies": [value for share in shares for value in share.latencies],
        "statuses": sum((share.statuses for share in shares), Counter()),
    }
    json.dump(answer, sys.stdout)


def _request(spec: dict[str, Any], number: int) -> bytes:
    if spec["method"] == "GET":
        headers, body = {}, b""
    else:
        headers, body = samples.delivery(spec["alias"], number, is_forged=spec["is_forged"])
    headers |= {"Host": "127.0.0.1", "Content-Length": str(len(body)), **spec["headers"]}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{spec['method']} {spec['path']} HTTP/1.1\r\n{lines}\r\n".encode() + body


class _Connection:
    """One persistent connection, sending one request after the other."""

    def __init__(self, port: int) -> None:
        self.address = ("127.0.0.1", port)
        self.latencies: list[float] = []
        self.statuses: Counter[str] = Counter()
        self._connect()

    def _connect(self) -> None:
        self.socket = socket.create_connection(self.address, timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send_all(self, take: Any) -> None:
        while (request := take()) is not None:
            started = time.perf_counter()
            status, is_kept = self._send(request)
            self.latencies.append(time.perf_counter() - started)
            self.statuses[status] += 1
            if not is_kept:
                self._connect()

    def _send(self, request: bytes) -> tuple[str, bool]:
        self.socket.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, _, body = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").lower().split("\r\n")
        headers = dict(each.split(": ", 1) for each in lines[1:])
        if "content-length" in headers:
            missing = int(headers["content-length"]) - len(body)
            while missing > 0:
                missing -= len(self._receive())
        else:
            while not body.endswith(b"0\r\n\r\n"):  # chunked
                body += self._receive()
        return lines[0].split()[1], headers.get("connection") != "close"

    def _receive(self) -> bytes:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data


if __name__ == "__main__":
    main()
