"""The providers' contracts as data: they lie beside the checkout, not in it."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

CHECKER = Path(__file__).parents[5] / "shared" / "contract" / "check_requests.py"


def contract_checker() -> Path:
    """Return the checker's path; without it skip the test, but fail in CI."""
    if CHECKER.exists():
        return CHECKER
    if os.environ.get("CI"):
        pytest.fail("the providers' contracts (../shared/contract) must be there in CI")
    pytest.skip("../shared/contract is not beside this checkout")


def contract_module() -> ModuleType:
    """Return the checker as a module, for checks of single requests."""
    spec = importlib.util.spec_from_file_location("check_requests", contract_checker())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module
