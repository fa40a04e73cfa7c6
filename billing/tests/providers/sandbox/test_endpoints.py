"""Registered endpoints get the deliveries where no address is configured."""

import json

import pytest
import responses

from billing.errors import InvalidRequest
from billing.providers.sandbox import SandboxProvider, events
from billing.testing import customer_request, key
from billing.tests.providers.sandbox.conftest import MakeSandbox

URL = "https://billing.example.com/webhooks/here"


@pytest.fixture
def host(make_sandbox: MakeSandbox) -> SandboxProvider:
    return make_sandbox(secret="")


def test_deliveries_go_there_signed_with_its_secret(
    host: SandboxProvider, make_sandbox: MakeSandbox
) -> None:
    host.create_customer(customer_request(), idempotency_key=key())
    assert host.deliver_due() == 0
    endpoint = host.register_webhook(URL, idempotency_key=key())
    with responses.RequestsMock() as mock:
        mock.post(URL)
        assert host.deliver_due() == 1
        posted = mock.calls[0].request
    receiver = make_sandbox(secret=endpoint.secret)
    receiver.verify_webhook_signature(posted.body, posted.headers)
    assert json.loads(posted.body)["type"] == "customer.created"


def test_what_is_configured_goes_first(make_sandbox: MakeSandbox) -> None:
    configured = make_sandbox(webhook_url="http://127.0.0.1:1/webhooks/sandbox")
    configured.register_webhook(URL, idempotency_key=key())
    configured.create_customer(customer_request(), idempotency_key=key())
    with responses.RequestsMock() as mock:
        mock.post("http://127.0.0.1:1/webhooks/sandbox")
        assert configured.deliver_due() == 1


def test_it_takes_every_event_that_we_use(host: SandboxProvider) -> None:
    made = host.register_webhook(URL, idempotency_key=key())
    assert made.event_types == frozenset(events.KINDS)
    assert made.api_version == events.API_VERSION


def test_a_repeated_key_tells_the_secret_again(host: SandboxProvider) -> None:
    used = key()
    made = host.register_webhook(URL, idempotency_key=used)
    assert host.register_webhook(URL, idempotency_key=used).secret == made.secret
    assert host.register_webhook(URL, idempotency_key=key()).secret == ""
    assert [each.secret for each in host.list_webhooks()] == [""]


@pytest.mark.parametrize("url", ["http://billing.example.com", "https://", "x", ""])
def test_only_https_is_registered(host: SandboxProvider, url: str) -> None:
    with pytest.raises(InvalidRequest):
        host.register_webhook(url, idempotency_key=key())
    assert host.list_webhooks() == []
