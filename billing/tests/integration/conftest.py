"""A failed test shows what the processes had to say."""

from collections.abc import Generator
from typing import Any

import pytest

from billing.tests.integration.harness import Cobro


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Generator[None, Any, Any]:
    report = yield
    system = item.funcargs.get("system")
    if report.failed and isinstance(system, Cobro):
        report.sections += [(f"log of {name}", text) for name, text in system.logs().items()]
    return report
