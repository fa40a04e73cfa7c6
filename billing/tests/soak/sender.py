"""A sender of webhooks as providers are: what is not taken with a 2xx is sent again."""

import http.client
import queue
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from billing.tests.integration.harness import STRIPE_SECRET
from billing.tests.stripe_life import LifeEvent, sign

PAUSE_SECONDS = 0.2
_TIME_OUT = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One delivery; `status` is 0 where no answer came. Times are of time.monotonic()."""

    event_id: str
    status: int
    started_at: float
    ended_at: float

    @property
    def seconds(self) -> float:
        return self.ended_at - self.started_at

    @property
    def is_taken(self) -> bool:
        return 200 <= self.status < 300


class Sender:
    """Posts `events` spread over `seconds` by as many `senders` side by side, until each is taken.

    With `seconds` 0 as fast as they are taken. `tries` grows while it runs.
    """

    def __init__(
        self, url: str, events: Sequence[LifeEvent], *, seconds: float = 0, senders: int = 32
    ) -> None:
        self.tries: list[Try] = []
        self.started_at = 0.0
        self._url = urllib.parse.urlsplit(f"{url}/webhooks/stripe")
        self._waiting: queue.SimpleQueue[tuple[float, LifeEvent]] = queue.SimpleQueue()
        for index, event in enumerate(events):
            self._waiting.put((seconds * index / len(events), event))
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(senders)]

    def __enter__(self) -> "Sender":
        self.started_at = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait(self, seconds: float = 120) -> None:
        """Return when every event was taken; fail when that lasts longer than `seconds`."""
        ends_at = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, ends_at - time.monotonic()))
        left = self._waiting.qsize()
        assert not any(thread.is_alive() for thread in self._threads), f"{left} still to be sent"

    def statuses(self, since: float = 0.0, until: float = float("inf")) -> Counter[int]:
        """How often each status came for what was sent in that time."""
        return Counter(each.status for each in list(self.tries) if since <= each.started_at < until)

    def taken(self) -> set[str]:
        return {each.event_id for each in list(self.tries) if each.is_taken}

    def seconds_at(self, percent: float, since: float = 0.0, until: float = float("inf")) -> float:
        """The percentile of what an answered try took."""
        times = sorted(
            each.seconds
            for each in list(self.tries)
            if each.status and since <= each.started_at < until
        )
        assert times, "nothing was answered in that time"
        return times[min(len(times) - 1, int(len(times) * percent / 100))]

    def _run(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._stop.is_set():
            try:
                due, event = self._waiting.get_nowait()
            except queue.Empty:
                break
            self._stop.wait(max(0.0, self.started_at + due - time.monotonic()))
            while not self._stop.is_set():
                connection = connection or self._connection()
                if self._is_taken(connection, event):
                    break
                connection.close()
                connection = None
                self._stop.wait(PAUSE_SECONDS)
        if connection:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(
            self._url.hostname or "", self._url.port or 0, timeout=_TIME_OUT
        )

    def _is_taken(self, connection: http.client.HTTPConnection, event: LifeEvent) -> bool:
        headers = {
            "Stripe-Signature": sign(event.body, STRIPE_SECRET),
            "Content-Type": "application/json",
        }
        started_at = time.monotonic()
        try:
            connection.request("POST", self._url.path, event.body, headers)
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        except (OSError, http.client.HTTPException):
            status = 0
        made = Try(
            event_id=event.id, status=status, started_at=started_at, ended_at=time.monotonic()
        )
        self.tries.append(made)
        return made.is_taken
