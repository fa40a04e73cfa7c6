"""The README's two commands: `make run`, and the demo against it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from project.tests.processes import ROOT, clean_environment, free_port, start


@pytest.mark.processes
@pytest.mark.timeout(600)
def test_two_customers_live_their_lives(tmp_path: Path) -> None:
    environment = clean_environment(tmp_path, PORT=str(free_port()))
    server = start(f"{sys.executable} dev.py run", environment)
    assert server.stdout
    said = ""
    try:
        while not said.endswith("billing_demo\n"):
            line = server.stdout.readline()
            assert line, f"it ended by itself:\n{said}"
            said += line
        done = subprocess.run(
            [sys.executable, "manage.py", "billing_demo", "--timeout", "150"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
    finally:
        os.kill(server.pid, signal.SIGINT)
        rest, _ = server.communicate(timeout=30)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\n--- the server said:\n{said}{rest}"
    assert done.stdout.endswith("Both lives ended as expected.\n")
