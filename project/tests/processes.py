"""Starts the project's own processes for the tests: by the Procfile, in a clean environment."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(folder: Path, **values: str) -> dict[str, str]:
    """Nothing but what a process needs, with every file of its own below `folder`."""
    return {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "ENV_FILE": os.devnull,
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
        "QUEUE_DIR": str(folder / "queue"),
        "SANDBOX_PATH": str(folder / "sandbox.sqlite3"),
        **values,
    }


def procfile_line(name: str) -> str:
    """The command of one process in the Procfile."""
    for line in (ROOT / "Procfile").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return line.partition(":")[2].strip()
    raise LookupError(name)


def start(
    command: str, environment: Mapping[str, str], folder: Path = ROOT
) -> subprocess.Popen[str]:
    """Run `command` in a shell, in a session of its own, with its output in one pipe."""
    return subprocess.Popen(
        ["sh", "-c", f"exec {command}"],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )


def kill(process: subprocess.Popen[str]) -> str:
    """End the process and what it started; return what it still had to say."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.communicate(timeout=10)[0] or ""


def status_of(url: str, seconds: float = 20) -> int:
    """The status that `url` answers with, once something listens there; 0 when nothing ever did."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - 127.0.0.1
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return int(error.code)
        except OSError:
            time.sleep(0.1)
    return 0


def descendants(pid: int) -> list[int]:
    """The processes that `pid` started, and those that they started."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True).stdout
    parents = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found, waiting = [], [pid]
    while waiting:
        parent = waiting.pop()
        children = [child for child, its_parent in parents if its_parent == parent]
        found += children
        waiting += children
    return found
