"""What others build on us, each in a process of its own: a provider package and a host project."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOYS = Path(__file__).parent / "toys"
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.processes


def run(script: Path, folder: Path, settings: str, *paths: Path) -> str:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(str(path) for path in paths),
        "DJANGO_SETTINGS_MODULE": settings,
        "DATABASE_URL": f"sqlite:///{folder / 'toy.sqlite3'}",
        "QUEUE_DIR": str(folder / "queue"),
        "TOY_HOST_DIR": str(folder),
    }
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip_install(source: Path, target: Path) -> Path:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run(
        [*command, "--no-build-isolation", "--target", str(target), str(source)], check=True
    )
    return target


def test_a_provider_package_from_outside_works_with_core_untouched(tmp_path: Path) -> None:
    source = shutil.copytree(TOYS / "toy_provider", tmp_path / "source")
    site = pip_install(source, tmp_path / "site")
    settings = "billing.tests.toys.toy_provider_settings"
    output = run(TOYS / "use_toy_provider.py", tmp_path, settings, site, ROOT)
    assert "TOY PROVIDER OK" in output
    assert "No changes detected" in output


def test_a_host_with_its_own_organization_model_sells_a_plan(tmp_path: Path) -> None:
    """With billing installed as the package django-cobro, and this checkout out of sight."""
    source = tmp_path / "source"
    for name in ("billing", "geo"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    site = pip_install(source, tmp_path / "site")
    output = run(TOYS / "use_toy_host.py", tmp_path, "host.settings", site, TOYS / "toy_host")
    assert "TOY HOST OK" in output
