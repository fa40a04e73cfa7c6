import pytest
import responses

from billing.providers.conekta import ConektaProvider
from billing.tests.providers.conekta.conftest import API, example, listed


def test_the_browser_gets_the_public_key_only(conekta: ConektaProvider) -> None:
    config = conekta.client_config()
    assert (config.adapter, config.public) == ("conekta", {"public_key": "key_fake_public"})


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
