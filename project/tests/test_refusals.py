"""What must not start in production, as real processes started by their Procfile lines."""

import subprocess
import time
from pathlib import Path

import pytest

from project.tests.processes import clean_environment, free_port, kill, procfile_line, start
from project.tests.processes import status_of as status

pytestmark = pytest.mark.processes
PROMISED_SECONDS = 5
SLACK_SECONDS = 10  # a test machine runs other tests beside this one
LIVE_KEY = "_".join(["rk", "live", "fake"])
TEST_KEY = "_".join(["sk", "test", "fake"])
RIGHT = {
    "ENVIRONMENT": "production",
    "DEBUG": "false",
    "SECRET_KEY": "a-long-random-text-that-is-plainly-made-up-for-this-test",
    "ALLOWED_HOSTS": "127.0.0.1",
    "SECURE_SSL_REDIRECT": "false",
    "STRIPE_API_KEY": LIVE_KEY,
    "STRIPE_WEBHOOK_SECRET": "whsec_fake",
}
WRONG = {
    "debug": ({"DEBUG": "true"}, "DEBUG"),
    "default secret key": ({"SECRET_KEY": "development-only-not-a-secret"}, "SECRET_KEY"),
    "no secret key": ({"SECRET_KEY": None}, "SECRET_KEY"),
    "blank webhook secret": ({"STRIPE_WEBHOOK_SECRET": ""}, "STRIPE_WEBHOOK_SECRET"),
    "test key": ({"STRIPE_API_KEY": TEST_KEY}, "STRIPE_API_KEY"),
    "no catch-all": ({"STRIPE_API_KEY": None}, "STRIPE_API_KEY"),
    "sandbox": ({"DJANGO_SETTINGS_MODULE": "project.tests.sandbox_settings"}, "BILLING_PROVIDERS"),
    "no key to verify with": ({"CONEKTA_API_KEY": "key_fake"}, "CONEKTA_WEBHOOK_PUBLIC_KEY"),
    "polar is not built": ({"POLAR_API_KEY": "polar_fake"}, "POLAR_API_KEY"),
}


def production(folder: Path, **changes: str | None) -> dict[str, str]:
    values = {**RIGHT, "PORT": str(free_port()), **changes}
    kept = {name: value for name, value in values.items() if value is not None}
    return clean_environment(folder, **kept)


def refusal(process_name: str, environment: dict[str, str]) -> str:
    """Start the process, expect it to end by itself with an error, and return what it said."""
    process = start(procfile_line(process_name), environment)
    try:
        process.wait(PROMISED_SECONDS + SLACK_SECONDS)
    except subprocess.TimeoutExpired:
        pytest.fail(f"still running: {kill(process)}")
    output = kill(process)
    assert process.returncode != 0, output
    return output


@pytest.mark.parametrize("process_name", ["web", "worker", "beat"])
@pytest.mark.parametrize("case", WRONG)
def test_refuses_to_start(case: str, process_name: str, tmp_path: Path) -> None:
    changes, setting = WRONG[case]
    assert setting in refusal(process_name, production(tmp_path, **changes))


def test_the_right_configuration_serves(tmp_path: Path) -> None:
    environment = production(tmp_path)
    process = start(procfile_line("web"), environment)
    try:
        assert status(f"http://127.0.0.1:{environment['PORT']}/healthz") == 200
    finally:
        kill(process)


@pytest.mark.parametrize("process_name", ["worker", "beat"])
def test_the_right_configuration_keeps_running(process_name: str, tmp_path: Path) -> None:
    process = start(procfile_line(process_name), production(tmp_path))
    time.sleep(PROMISED_SECONDS)
    running = process.poll() is None
    output = kill(process)
    assert running, output
    assert "Refusing to start" not in output


@pytest.mark.parametrize("environment_name", ["development", "staging"])
def test_only_production_reads_the_live_key(environment_name: str, tmp_path: Path) -> None:
    """Surface 5.9: elsewhere a live key in the environment has no effect."""
    environment = clean_environment(
        tmp_path, ENVIRONMENT=environment_name, STRIPE_API_KEY=LIVE_KEY, SECRET_KEY="fake-" * 10
    )
    code = "from django.conf import settings as s; print(s.BILLING_PROVIDERS.get('stripe'))"
    command = f'python manage.py shell --no-imports -c "{code}"'
    output, _ = start(command, environment).communicate(timeout=30)
    assert LIVE_KEY not in output
    assert ("sandbox" in output) is (environment_name == "development"), output


def test_a_key_that_is_recognisably_live_is_refused_outside_production(tmp_path: Path) -> None:
    environment = clean_environment(tmp_path, STRIPE_TEST_KEY=LIVE_KEY, PORT=str(free_port()))
    assert "STRIPE_TEST_KEY" in refusal("web", environment)
