import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import responses

from billing.providers.polar import PolarProvider
from billing.tests.contract.operations import POLAR
from billing.tests.providers.polar.conftest import API
from project.stand_ins import STAND_INS

ROOT = Path(__file__).parents[4]


def test_the_browser_gets_nothing(polar: PolarProvider) -> None:
    config = polar.client_config()
    assert (config.adapter, config.public) == ("polar", {})


def test_its_stand_in_can_do_what_it_can_so_far(polar: PolarProvider) -> None:
    names = {each.__name__ for each in polar.capabilities}
    assert names <= set(STAND_INS["polar"]["capabilities"])
    assert names == set(POLAR)


def test_importing_and_intake_load_neither_http_nor_django() -> None:
    code = (
        "import sys\n"
        "from billing.errors import InvalidSignature\n"
        "from billing.providers.polar import PolarProvider\n"
        "p = PolarProvider(alias='p', mode='test', options={'webhook_secret': 'fake'})\n"
        "p.client_config()\n"
        "try:\n"
        "    p.verify_webhook_signature(b'{}', {})\n"
        "except InvalidSignature:\n"
        "    print({'requests', 'httpx', 'django'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


class TestHosts:
    @pytest.mark.parametrize(
        ("mode", "options", "host"),
        [
            ("test", {}, "https://sandbox-api.polar.sh"),
            ("live", {}, "https://api.polar.sh"),
            ("live", {"api_base": "https://one.example/"}, "https://one.example"),
        ],
    )
    def test_each_mode_has_its_own(
        self, wire: responses.RequestsMock, mode: str, options: dict[str, Any], host: str
    ) -> None:
        wire.get(f"{host}/v1/products/", json={"items": [], "pagination": {"max_page": 0}})
        given = {"api_key": "polar_oat_fake", **options}
        assert PolarProvider(alias="p", mode=mode, options=given).check_health().is_healthy


class TestCheckHealth:
    @pytest.mark.parametrize(("status", "told"), [(401, "401"), (503, "503")])
    def test_what_is_wrong(
        self, polar: PolarProvider, wire: responses.RequestsMock, status: int, told: str
    ) -> None:
        wire.get(f"{API}/v1/products/", status=status)
        found = polar.check_health()
        assert not found.is_healthy
        assert told in found.detail
