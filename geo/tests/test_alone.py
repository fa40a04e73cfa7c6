"""geo in a bare Django project, in processes that cannot import anything else of ours."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from geo.tests.web_service import WebService

pytestmark = pytest.mark.processes
GEO = Path(__file__).resolve().parents[1]
SETTINGS = """
SECRET_KEY = "bare-project-only"
INSTALLED_APPS = ["geo"]
USE_TZ = True
GEO_IPAPI_URL = "{ipapi}"
GEO_IP_API_URL = "{ip_api}/json"
GEO_TIMEOUT_SECONDS = 10
DATABASES = {{
    "default": {{
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": "bare.sqlite3",
        "OPTIONS": {{
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL",
        }},
    }}
}}
CACHES = {{
    "default": {{
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "bare_cache",
    }}
}}
"""
BEGIN = """
import importlib, json, sys
for name in ("billing", "project"):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        continue
    sys.exit(f"{name} is here")
import django
django.setup()
from geo.services import GeolocationService
service = GeolocationService()
"""
ONE = """
print(json.dumps({
    "country": service.detect_country("189.130.4.5"),
    "billing": service.detect_country("189.130.4.5", "US", "CA"),
    "is_mexican": service.is_mexican_customer("MX", {}),
    "currency": service.get_currency_for_country("MX"),
    "third party": sorted({"billing", "project", "rest_framework", "celery"} & set(sys.modules)),
}))
"""
MANY = """
from concurrent.futures import ThreadPoolExecutor
print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(25) as pool:
    answers = list(pool.map(lambda _: service.detect_country("189.130.4.5"), range(25)))
print(json.dumps(answers))
"""


@pytest.fixture
def bare_project(tmp_path: Path, ipapi: WebService, ip_api: WebService) -> Path:
    """A folder with geo and nothing else of ours, its cache table made."""
    (tmp_path / "geo").symlink_to(GEO)
    (tmp_path / "bare.py").write_text(SETTINGS.format(ipapi=ipapi.url, ip_api=ip_api.url))
    for command in ("check", "createcachetable"):
        _run(tmp_path, "-m", "django", command)
    return tmp_path


def test_the_service_works_without_billing(bare_project: Path, ipapi: WebService) -> None:
    ipapi.says({"country_code": "MX"})
    assert json.loads(_run(bare_project, "-c", BEGIN + ONE)) == {
        "country": "MX",
        "billing": "CA",
        "is_mexican": True,
        "currency": "MXN",
        "third party": [],
    }


def test_fifty_look_ups_in_two_processes_make_one_call(
    bare_project: Path, ipapi: WebService
) -> None:
    may_answer = threading.Event()
    ipapi.waits(may_answer, {"country_code": "MX"})
    processes = [_start(bare_project, "-c", BEGIN + MANY) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    ends_at = time.monotonic() + 20
    while not ipapi.calls and time.monotonic() < ends_at:
        may_answer.wait(0.02)
    may_answer.set()
    answers = [json.loads(process.communicate(timeout=30)[0]) for process in processes]
    assert answers == [["MX"] * 25] * 2
    assert ipapi.calls == 1


def _run(folder: Path, *arguments: str) -> str:
    process = _start(folder, *arguments)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return str(output)


def _start(folder: Path, *arguments: str) -> Any:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(folder),
        "DJANGO_SETTINGS_MODULE": "bare",
        "NO_PROXY": "127.0.0.1",
    }
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
