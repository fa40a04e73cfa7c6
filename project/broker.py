"""The embedded broker: kombu's folder of messages, made safe for several processes.

kombu writes a message under its final name, so that a reader may take it while it is still empty,
which ends the worker; and it creates the table of an exchange in the same way. Here a message gets
its name when it is whole, and the tables are touched under one lock.
"""

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

LOCK_NAME = ".lock"


class Channel(filesystem.Channel):
    # The two bases in the stubs disagree about this signature.
    def _put(  # type: ignore[override]
        self, queue: str, payload: dict[str, Any], **kwargs: Any
    ) -> None:
        name = f"{round(monotonic() * 1000)}_{uuid.uuid4()}.{queue}.msg"
        final = os.path.join(self.data_folder_out, name)
        unfinished = f"{final}.part"
        with open(unfinished, "w", encoding="utf-8") as file:
            file.write(dumps(payload))
        os.replace(unfinished, final)

    def _queue_bind(self, *args: Any) -> None:
        with self._tables_locked():
            super()._queue_bind(*args)

    def get_table(self, exchange: str) -> Any:
        with self._tables_locked():
            return super().get_table(exchange)

    @contextmanager
    def _tables_locked(self) -> Iterator[None]:
        with open(os.path.join(self.control_folder, LOCK_NAME), "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class Transport(filesystem.Transport):
    Channel = Channel


def install() -> None:
    """Use this transport for broker URLs that begin with filesystem://."""
    TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"
