"""Starting Django with a provider's keys set loads none of the vendors' packages."""

import re
from pathlib import Path

import pytest

from project.tests.processes import clean_environment, start

pytestmark = pytest.mark.processes
VENDORS = {"stripe", "conekta"}


def test_check_imports_no_sdk(tmp_path: Path) -> None:
    key = "_".join(["sk", "test", "fake"])
    environment = clean_environment(
        tmp_path,
        STRIPE_TEST_KEY=key,
        STRIPE_WEBHOOK_SECRET="whsec_fake",
        CONEKTA_TEST_KEY="key_fake",
        CONEKTA_WEBHOOK_SECRET="a-shared-secret-made-up",
    )
    process = start("python -X importtime manage.py check", environment)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output[-2000:]
    imported = set(re.findall(r"^import time:.*\| +(\S+)$", output, re.MULTILINE))
    assert {f"billing.providers.{name}.provider" for name in VENDORS} <= imported
    assert {name for name in imported if name.partition(".")[0] in VENDORS} == set()
