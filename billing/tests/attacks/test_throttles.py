"""Limits that hold however the requests come: one by one, or fifty at once at a real server."""

import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import time_machine
from rest_framework.test import APIClient

from billing.api import throttling
from billing.models import Organization, PaymentMethod
from billing.tests.api.conftest import PREFIX, client_of
from billing.tests.integration.harness import Cobro, cobro
from project.tests.processes import free_port

CARDS, PLANS, SUBSCRIPTIONS = (
    f"{PREFIX}/{n}" for n in ("payment-methods", "plans", "subscriptions")
)
PARALLEL = 50
_ACCOUNT = """
from django.contrib.auth import get_user_model
from rest_framework.authtoken.models import Token
user = get_user_model().objects.create(username="owner")
organization = Organization.objects.create(name="Attacked")
Membership.objects.create(user=user, organization=organization, role="owner")
BillingAccount.objects.create(
    organization=organization, name="Attacked", email="a@example.test", country="DE",
    address={"country": "DE", "line1": "Street 1"},
)
answer = Token.objects.create(user=user).key
"""


@pytest.fixture
def owner(organization_de: Organization, member_of: Callable[..., Any]) -> Any:
    return member_of(organization_de, "owner")


@pytest.fixture
def client(owner: Any, published: Any) -> APIClient:
    return client_of(owner)


def add_card(client: APIClient, token: str = "tok_visa", **headers: str) -> Any:
    return client.post(CARDS, {"token": token}, format="json", headers=headers)


def subscribe(client: APIClient) -> Any:
    body = {"plan": "none", "interval": "monthly", "payment_method_token": "tok_visa"}
    return client.post(SUBSCRIPTIONS, body, format="json")


@pytest.mark.django_db
class TestCards:
    def test_ten_in_an_hour(self, client: APIClient) -> None:
        assert [add_card(client).status_code for _ in range(12)] == [201] * 10 + [429] * 2
        assert PaymentMethod.objects.count() == 10

    def test_the_refusal_says_when_to_come_back(self, client: APIClient, settings: Any) -> None:
        settings.BILLING_CARD_RATE = "1/hour"
        with time_machine.travel("2026-01-01T10:00:00Z", tick=False) as clock:
            add_card(client)
            clock.shift(600)
            answer = add_card(client)
            assert (answer.status_code, answer.json()["code"]) == (429, "throttled")
            assert answer["Content-Type"] == "application/problem+json"
            assert answer["Retry-After"] == "3001"
            clock.shift(3001)
            assert add_card(client).status_code == 201

    def test_no_hour_holds_more(self, client: APIClient) -> None:
        """Ten at the end of one hour by the clock and ten at the start of the next are too many."""
        with time_machine.travel("2026-01-01T10:59:00Z", tick=False) as clock:
            before = [add_card(client).status_code for _ in range(10)]
            clock.shift(120)
            assert before == [201] * 10
            assert add_card(client).status_code == 429

    def test_declined_ones_count(self, client: APIClient, settings: Any) -> None:
        settings.BILLING_CARD_RATE = "3/hour"
        answers = [add_card(client, "tok_attach_declined").status_code for _ in range(4)]
        assert answers == [402, 402, 402, 429]

    def test_a_subscription_with_a_new_card_counts(self, client: APIClient, settings: Any) -> None:
        settings.BILLING_CARD_RATE = "2/hour"
        body = {"plan": "startup", "interval": "monthly", "payment_method_token": "tok_visa"}
        answers = [client.post(SUBSCRIPTIONS, body, format="json").status_code for _ in range(3)]
        assert answers == [201, 409, 429]

    def test_what_is_refused_before_does_not_count(self, client: APIClient, settings: Any) -> None:
        settings.BILLING_CARD_RATE = "1/hour"
        assert add_card(client, "not a token").status_code == 400
        assert subscribe(client).status_code == 400
        assert add_card(client).status_code == 201

    def test_a_kept_answer_does_not_count(self, client: APIClient, settings: Any) -> None:
        settings.BILLING_CARD_RATE = "1/hour"
        headers = {"Idempotency-Key": "the-same"}
        answers = [add_card(client, **headers) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [201] * 3
        assert PaymentMethod.objects.count() == 1

    def test_a_refusal_is_no_kept_answer(self, client: APIClient, settings: Any) -> None:
        settings.BILLING_CARD_RATE = "1/hour"
        headers = {"Idempotency-Key": "second"}
        add_card(client)
        assert add_card(client, **headers).status_code == 429
        settings.BILLING_CARD_RATE = "2/hour"
        throttling.reset()
        assert add_card(client, **headers).status_code == 201

    def test_each_organization_has_its_own(
        self, client: APIClient, organization_mx: Organization, member_of: Any, settings: Any
    ) -> None:
        settings.BILLING_CARD_RATE = "1/hour"
        other = client_of(member_of(organization_mx, "owner"))
        assert [add_card(one).status_code for one in (client, client, other)] == [201, 429, 201]

    def test_another_user_of_the_organization_shares_it(
        self, client: APIClient, organization_de: Organization, member_of: Any, settings: Any
    ) -> None:
        settings.BILLING_CARD_RATE = "1/hour"
        other = client_of(member_of(organization_de, "billing_admin"))
        assert [add_card(one).status_code for one in (client, other)] == [201, 429]


@pytest.mark.django_db
class TestCallers:
    def test_a_user(self, client: APIClient, settings: Any) -> None:
        settings.BILLING_CALLER_RATE = "3/minute"
        answers = [client.get(path) for path in (CARDS, SUBSCRIPTIONS, CARDS, SUBSCRIPTIONS)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert 0 < int(answers[-1]["Retry-After"]) <= 60

    def test_an_address(self, published: Any, settings: Any) -> None:
        settings.BILLING_CALLER_RATE = "1/minute"
        anonymous = client_of()
        addresses = ("192.0.2.1", "192.0.2.1", "192.0.2.2")
        answers = [anonymous.get(PLANS, REMOTE_ADDR=one).status_code for one in addresses]
        assert answers == [200, 429, 200]

    def test_no_address_is_kept(self, published: Any) -> None:
        client_of().get(PLANS, REMOTE_ADDR="192.0.2.1")
        kept = repr(vars(throttling._limiter._own.storage))  # type: ignore[union-attr]
        assert "caller/address:" in kept
        assert "192.0.2.1" not in kept

    def test_a_made_up_forwarded_address_helps_nobody(self, published: Any, settings: Any) -> None:
        settings.BILLING_CALLER_RATE = "1/minute"
        anonymous = client_of()
        answers = [
            anonymous.get(PLANS, headers={"X-Forwarded-For": f"198.51.100.{n}"}) for n in range(2)
        ]
        assert [answer.status_code for answer in answers] == [200, 429]


@pytest.mark.django_db
def test_without_its_counter_a_process_counts_for_itself(
    client: APIClient, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.BILLING_THROTTLE_STORAGE = f"redis://127.0.0.1:{free_port()}/0"
    settings.BILLING_CARD_RATE = "2/hour"
    with caplog.at_level(logging.WARNING, logger="billing.api.throttling"):
        assert [add_card(client).status_code for _ in range(3)] == [201, 201, 429]
    # Asked once, then left alone for some seconds: a counter that is away costs no time.
    assert [one.message for one in caplog.records if one.name.endswith("throttling")] == [
        "throttle.storage_unreachable"
    ]


@pytest.mark.postgres
@pytest.mark.processes
@pytest.mark.soak(block="attacks")
def test_fifty_at_once_at_a_real_server(tmp_path: Path) -> None:
    """Two processes with four threads each count together, in Redis: exactly ten pass."""
    # The stand-in of the sandbox for the provider of Germany, which so needs no network.
    with cobro(tmp_path, STRIPE_TEST_KEY="") as system:
        statuses = _add_cards_at_once(system, system.orm(_ACCOUNT))
        kept = system.orm("answer = PaymentMethod.objects.count()")
    assert statuses == Counter({429: PARALLEL - 10, 201: 10})
    assert kept == 10


def _add_cards_at_once(system: Cobro, token: str) -> Counter[int]:
    def add(number: int) -> int:
        answer = requests.post(
            system.url + CARDS,
            json={"token": "tok_visa"},
            headers={"Authorization": f"Token {token}", "Idempotency-Key": f"card-{number}"},
            timeout=60,
        )
        return answer.status_code

    with ThreadPoolExecutor(PARALLEL) as threads:
        return Counter(threads.map(add, range(PARALLEL)))
