import subprocess
import sys
from pathlib import Path

import pytest
import responses

from billing.providers.conekta import ConektaProvider
from billing.providers.sandbox import SandboxProvider
from billing.tests.conekta_account.signing import public_key
from billing.tests.providers.conekta.conftest import API, example, listed
from project.stand_ins import STAND_INS

ROOT = Path(__file__).parents[4]


def test_the_browser_gets_the_public_key_only(conekta: ConektaProvider) -> None:
    config = conekta.client_config()
    assert (config.adapter, config.public) == ("conekta", {"public_key": "key_fake_public"})


def test_its_stand_in_can_do_what_it_can(conekta: ConektaProvider, tmp_path: Path) -> None:
    row = STAND_INS["conekta"]
    names = {each.__name__ for each in conekta.capabilities}
    assert set(row["capabilities"]) - {"Simulates"} == names
    options = {"like": row, "path": str(tmp_path / "unused"), "secret": "whsec_c2VjcmV0"}
    stand_in = SandboxProvider(alias="conekta", mode="sandbox", options=options)
    assert stand_in.features == conekta.features


def test_importing_and_intake_load_neither_sdk_nor_django() -> None:
    code = (
        "import sys\n"
        "from billing.errors import InvalidSignature\n"
        "from billing.providers.conekta import ConektaProvider\n"
        f"options = {{'api_key': 'key_fake', 'webhook_public_key': {public_key()!r}}}\n"
        "p = ConektaProvider(alias='c', mode='test', options=options)\n"
        "p.client_config()\n"
        "try:\n"
        "    p.verify_webhook_signature(b'{}', {'Digest': 'AAAA'})\n"
        "except InvalidSignature:\n"
        "    print({'conekta', 'pydantic', 'requests', 'django'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


class TestCheckHealth:
    def test_what_a_working_key_reads(
        self, conekta: ConektaProvider, wire: responses.RequestsMock
    ) -> None:
        assert conekta.check_health().is_healthy

    @pytest.mark.parametrize(
        ("status", "told"), [(401, "401"), (503, "503"), (200, "not one of this mode")]
    )
    def test_what_is_wrong(self, conekta: ConektaProvider, status: int, told: str) -> None:
        with responses.RequestsMock() as mock:
            live = listed(example("plan", livemode=True))
            mock.get(f"{API}/plans", status=status, json=live if status == 200 else {})
            found = conekta.check_health()
        assert not found.is_healthy
        assert told in found.detail
