"""dev.py: the parts alone, and the supervisor as a process over a toy project."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import dev
from project.tests.processes import (
    ROOT,
    clean_environment,
    descendants,
    free_port,
    kill,
    start,
    status_of,
)

WEB = """
import http.server as h, os
h.test(h.SimpleHTTPRequestHandler, port=int(os.environ["PORT"]), bind="127.0.0.1")
"""
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
if len(sys.argv) == 1:
    subprocess.Popen([sys.executable, __file__, "grandchild"])
time.sleep(600)
"""
MANAGE = """
import sys, time
print("staff / fake" if sys.argv[1] == "billing_seed" else "", flush=True)
if sys.argv[1] == "billing_sandbox":
    time.sleep(600)
"""


class TestEnvironment:
    def test_env_file_is_read_and_the_environment_wins(self, tmp_path, monkeypatch):
        (tmp_path / ".env").write_text("# comment\nPORT=9000\nexport A='b c'\nBLANK=\nX = \"y\"\n")
        monkeypatch.setattr(dev, "ROOT", tmp_path)
        monkeypatch.setenv("PORT", "9100")
        values = dev.environment()
        assert (values["PORT"], values["A"], values["BLANK"], values["X"]) == (
            "9100",
            "b c",
            "",
            "y",
        )

    def test_a_test_run_sees_no_setting_of_its_caller(self, tmp_path, monkeypatch):
        for name in ("DATABASE_URL", "REDIS_URL", "STRIPE_TEST_KEY", "ENVIRONMENT"):
            monkeypatch.setenv(name, "x")
        values = dev.embedded_environment(str(tmp_path))
        assert not {"DATABASE_URL", "REDIS_URL", "STRIPE_TEST_KEY", "ENVIRONMENT"} & set(values)
        assert values["QUEUE_DIR"].startswith(str(tmp_path))


def test_every_setting_stands_in_the_example() -> None:
    code = "".join(
        (ROOT / "project" / name).read_text() for name in ("settings.py", "providers.py")
    )
    read = set(re.findall(r'env[.a-z_]*\(\s*"([A-Z_]+)"', code))
    listed = re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert read
    assert read <= set(listed)
    assert len(listed) == len(set(listed))


class TestSetup:
    @pytest.fixture(autouse=True)
    def project(self, tmp_path, monkeypatch):
        monkeypatch.setattr(dev, "ROOT", tmp_path)
        monkeypatch.setattr(dev, "VENV", tmp_path)
        monkeypatch.setattr(dev, "_venv_works", lambda: True)
        self.installed = []
        monkeypatch.setattr(dev, "_install_with_uv", lambda files: self.installed.append(files))
        monkeypatch.setattr(dev, "_install_with_pip", lambda files: None)
        (tmp_path / "requirements.txt").write_text("a==1\n")

    def test_installs_once(self):
        dev.setup(["requirements.txt"])
        dev.setup(["requirements.txt"])
        assert self.installed == [["requirements.txt"]]

    def test_installs_again_when_the_requirements_change(self, tmp_path):
        dev.setup(["requirements.txt"])
        (tmp_path / "requirements.txt").write_text("a==2\n")
        dev.setup(["requirements.txt"])
        assert len(self.installed) == 2

    def test_a_failed_installation_leaves_no_stamp(self, tmp_path, monkeypatch):
        def fail(files):
            raise dev.Failed("no index")

        monkeypatch.setattr(dev, "_install_with_pip", fail)
        with pytest.raises(dev.Failed):
            dev.setup(["requirements.txt"])
        assert dev._stamp("requirements.txt") == ""


class TestMissingPieces:
    def test_no_venv_module_is_named_with_its_command(self, tmp_path):
        copy = tmp_path / "project"
        copy.mkdir()
        shutil.copy(ROOT / "dev.py", copy)
        (copy / "requirements.txt").write_text("")
        (copy / "ensurepip.py").write_text("raise ImportError")
        done = run_dev(copy, "run", PYTHONPATH=str(copy), PORT=str(free_port()))
        assert done.returncode == 1
        assert done.stdout.splitlines() == [
            "dev.py: Python's venv module is missing. Install it with: apt-get install python3-venv"
        ]

    def test_an_old_python_is_named_with_its_command(self, monkeypatch):
        monkeypatch.setattr(dev.sys, "version_info", (3, 9, 2))
        monkeypatch.setattr(dev.shutil, "which", lambda name: None)
        with pytest.raises(dev.Failed, match=r"3\.11 or newer is needed.*apt-get install python3"):
            dev._use_new_enough_python()

    def test_a_taken_port_is_one_line(self, tmp_path):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            done = run_dev(ROOT, "run", PORT=str(port))
        assert done.returncode == 1
        assert len(done.stdout.splitlines()) == 1
        assert f"Port {port} cannot be used" in done.stdout

    def test_a_port_that_is_no_number(self):
        done = run_dev(ROOT, "run", PORT="eight")
        assert done.returncode == 1
        assert "PORT is 'eight'" in done.stdout


@pytest.mark.processes
class TestSupervisor:
    def test_a_signal_to_the_whole_tree_leaves_nothing_running(self, toy):
        process, port = toy("worker: python stubborn.py")
        assert status_of(f"http://127.0.0.1:{port}/") == 200
        said = ""
        while not said.endswith("billing_demo\n"):
            said += process.stdout.readline()
        assert "staff / fake" in said
        tree = [process.pid, *descendants(process.pid)]
        assert len(tree) >= 5
        for pid in tree:
            with contextlib.suppress(ProcessLookupError):  # ended by the one before it
                os.kill(pid, signal.SIGINT)
        output, _ = process.communicate(timeout=10)
        assert process.returncode == 0, said + output
        assert not [pid for pid in tree[1:] if alive(pid)]

    def test_one_that_ends_by_itself_ends_the_rest(self, toy):
        process, port = toy("worker: python -c 'import time; time.sleep(2); raise SystemExit(4)'")
        assert status_of(f"http://127.0.0.1:{port}/") == 200
        tree = descendants(process.pid)
        output, _ = process.communicate(timeout=15)
        assert process.returncode == 1
        assert "worker ended by itself (status 4)" in output
        assert not [pid for pid in tree if alive(pid)]


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[object]:
    """A project with dev.py, a web process, the given Procfile line and nothing to install."""
    for name, text in {"web.py": WEB, "stubborn.py": STUBBORN, "manage.py": MANAGE}.items():
        (tmp_path / name).write_text(text)
    shutil.copy(ROOT / "dev.py", tmp_path)
    (tmp_path / "requirements.txt").write_text("")
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (binaries / "python").chmod(0o755)
    stamp = tmp_path / ".venv" / ".installed-requirements.txt"
    stamp.write_text(dev.hashlib.sha256(b"").hexdigest())
    started = []

    def begin(line: str) -> tuple[subprocess.Popen[str], int]:
        port = free_port()
        (tmp_path / "Procfile").write_text(f"web: python web.py\n{line}\n")
        values = clean_environment(tmp_path, PORT=str(port))
        process = start(f"{sys.executable} dev.py run", values, tmp_path)
        started.append(process)
        return process, port

    yield begin
    for process in started:
        for pid in descendants(process.pid):
            os.kill(pid, signal.SIGKILL)
        kill(process)


def run_dev(folder: Path, command: str, **values: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **values}
    return subprocess.run(
        [sys.executable, "dev.py", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
    )


def alive(pid: int) -> bool:
    """Whether it runs; a zombie that nobody collects any more does not."""
    for _ in range(20):
        listed = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True
        ).stdout.strip()
        if not listed or listed.startswith("Z"):
            return False
        time.sleep(0.1)
    return True
