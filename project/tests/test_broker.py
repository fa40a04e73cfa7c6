"""The embedded broker: no reader ever sees half of a message, and none is lost."""

import os
import subprocess
import sys
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection

from project import broker

PUBLISH = """
import sys
from kombu import Connection
from project import broker
broker.install()
messages, control = sys.argv[1:]
options = {"data_folder_in": messages, "data_folder_out": messages, "control_folder": control}
with Connection("filesystem://localhost", transport_options=options) as connection:
    queue = connection.SimpleQueue("celery")
    for number in range(300):
        queue.put({"number": number, "text": "x" * 5000})
"""


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    for name in ("messages", "control"):
        (tmp_path / name).mkdir()
    return {
        "data_folder_in": str(tmp_path / "messages"),
        "data_folder_out": str(tmp_path / "messages"),
        "control_folder": str(tmp_path / "control"),
    }


def connect(options: dict[str, Any]) -> Connection:
    broker.install()
    broker.Transport.global_state.clear()  # kombu keeps bindings per process, not per folder
    return Connection("filesystem://localhost", transport_options=options)


def test_a_message_has_no_name_before_it_is_whole(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(options) as connection:
        queue = connection.SimpleQueue("celery")
        replace = os.replace
        seen: list[str] = []

        def look_first(source: str, target: str) -> None:
            with pytest.raises(Empty):
                queue.get(block=False)
            seen.append(target)
            replace(source, target)

        monkeypatch.setattr(broker.os, "replace", look_first)
        queue.put({"a": 1})
        assert len(seen) == 1
        assert queue.get(block=False).payload == {"a": 1}


@pytest.mark.processes
def test_many_writers_and_a_reader_lose_nothing(options: dict[str, Any]) -> None:
    folders = [options["data_folder_in"], options["control_folder"]]
    writers = [subprocess.Popen([sys.executable, "-c", PUBLISH, *folders]) for _ in range(3)]
    with connect(options) as connection:
        queue = connection.SimpleQueue("celery")
        got = [queue.get(timeout=20).payload["number"] for _ in range(900)]
    assert sorted(got) == sorted([*range(300)] * 3)
    assert [writer.wait(20) for writer in writers] == [0, 0, 0]
