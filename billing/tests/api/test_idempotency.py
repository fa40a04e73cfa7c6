"""The same key: one effect, one answer."""

import threading
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.response import Response

from billing.api import idempotency
from billing.models import IdempotencyKey, Operation, PaymentMethod, Subscription
from billing.providers.base import Simulates
from billing.registry import providers
from billing.services import operations
from billing.tests.api.conftest import PREFIX, client_of

SUBSCRIBE = {"plan": "startup", "interval": "monthly", "payment_method_token": "tok_visa"}
TOKEN = {"token": "tok_visa"}


def post(client: Any, path: str, body: Any, key: str = "key-1", **headers: str) -> Any:
    return client.post(
        f"{PREFIX}/{path}", body, format="json", headers={"Idempotency-Key": key, **headers}
    )


@pytest.mark.django_db
class TestReplay:
    def test_the_same_request_gets_the_same_answer(self, client: Any, published: Any) -> None:
        first = post(client, "subscriptions", SUBSCRIBE)
        again = post(client, "subscriptions/", SUBSCRIBE)
        assert (first.status_code, first.content) == (again.status_code, again.content)
        assert again["Content-Type"] == first["Content-Type"]
        assert again["Idempotency-Replayed"] == "true"
        assert "Idempotency-Replayed" not in first
        assert Subscription.objects.count() == 1

    def test_another_body_is_a_conflict(self, client: Any, published: Any) -> None:
        post(client, "payment-methods", TOKEN)
        answer = post(client, "payment-methods", {"token": "tok_mastercard"})
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")
        assert PaymentMethod.objects.count() == 1

    def test_another_path_verb_or_query_is_a_conflict(
        self, client: Any, subscription: dict[str, Any]
    ) -> None:
        path = f"subscriptions/{subscription['id']}"
        headers = {"Idempotency-Key": "key-1"}
        assert (
            client.patch(f"{PREFIX}/{path}", {}, format="json", headers=headers).status_code == 200
        )
        for verb, other in (("patch", f"{path}?a=b"), ("delete", path)):
            answer = getattr(client, verb)(f"{PREFIX}/{other}", {}, format="json", headers=headers)
            assert answer.json()["code"] == "idempotency_conflict"

    def test_a_detaching_whose_answer_was_lost_is_answered_as_done(
        self, client: Any, published: Any
    ) -> None:
        """By then the card is detached, and gone from every list."""
        card = post(client, "payment-methods", TOKEN).json()["id"]
        path = f"{PREFIX}/payment-methods/{card}"
        method = PaymentMethod.objects.get()
        providers.get(method.provider, Simulates).set_faults(timeout_after_success=1)
        headers = {"Idempotency-Key": "key-2"}
        assert client.delete(path, headers=headers).status_code == 503
        operations.look_up(Operation.objects.get(verb="payment_method.remove"))
        assert client.get(f"{PREFIX}/payment-methods").json()["results"] == []
        assert client.delete(path, headers=headers).status_code == 204
        assert client.delete(path, headers={"Idempotency-Key": "key-3"}).status_code == 404

    def test_errors_of_the_client_and_declines_are_final(self, client: Any, published: Any) -> None:
        for key, body, status in (
            ("wrong", {}, 400),
            ("declined", {**SUBSCRIBE, "payment_method_token": "tok_declined"}, 402),
        ):
            first = post(client, "subscriptions", body, key)
            again = post(client, "subscriptions", body, key)
            assert first.status_code == status
            assert (again.status_code, again.content) == (status, first.content)
            assert again["Content-Type"] == "application/problem+json"
        assert Operation.objects.filter(verb="subscription.create").count() == 1

    def test_detaching_twice_is_204_twice(self, client: Any, subscription: dict[str, Any]) -> None:
        path = f"{PREFIX}/payment-methods/{subscription['payment_method']}?force=true"
        headers = {"Idempotency-Key": "key-1"}
        assert [client.delete(path, headers=headers).status_code for _ in range(2)] == [204, 204]

    def test_each_organization_has_its_own_keys(
        self, client: Any, stranger: Any, published: Any
    ) -> None:
        first, other = (post(caller, "payment-methods", TOKEN) for caller in (client, stranger))
        assert first.json()["id"] != other.json()["id"]

    @pytest.mark.parametrize("key", ["", " ", "x" * 256, "caf\xe9", "tab\there"])
    def test_unusable_keys(self, key: str, client: Any, plans: Any) -> None:
        answer = post(client, "payment-methods", TOKEN, key)
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")
        assert not IdempotencyKey.objects.exists()

    def test_without_a_key_nothing_is_kept(self, client: Any, published: Any) -> None:
        client.post(f"{PREFIX}/payment-methods", TOKEN, format="json")
        assert not IdempotencyKey.objects.exists()


@pytest.mark.django_db
class TestLease:
    def test_a_running_request_is_not_run_twice(self, client: Any, published: Any) -> None:
        post(client, "payment-methods", TOKEN)
        IdempotencyKey.objects.update(
            status="running", locked_until=timezone.now() + timedelta(seconds=60)
        )
        answer = post(client, "payment-methods", TOKEN)
        assert (answer.status_code, answer.json()["code"]) == (409, "request_in_progress")
        assert int(answer["Retry-After"]) > 0
        assert IdempotencyKey.objects.get().status == "running"

    def test_a_killed_request_runs_again_and_has_one_effect(
        self, client: Any, published: Any
    ) -> None:
        first = post(client, "subscriptions", SUBSCRIBE)
        IdempotencyKey.objects.update(status="running", locked_until=timezone.now())
        again = post(client, "subscriptions", SUBSCRIBE)
        assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
        assert Subscription.objects.count() == 1
        assert IdempotencyKey.objects.get().status == "done"

    def test_a_run_that_was_taken_over_keeps_no_answer(self, organization_mx: Any) -> None:
        """It outlived its lease: the answer of who runs now is the one to be replayed."""
        reserve = partial(idempotency._reserve, organization_mx, "key-1", "fingerprint")
        late: Any = reserve()
        IdempotencyKey.objects.update(locked_until=timezone.now() - timedelta(seconds=1))
        current: Any = reserve()
        idempotency._settle(late, Response({"id": "late"}))
        assert IdempotencyKey.objects.get().status == "running"
        idempotency._settle(current, Response({"id": "current"}))
        assert IdempotencyKey.objects.get().response_body == '{"id":"current"}'

    def test_a_lost_answer_is_asked_for_again_with_the_same_key(
        self, stranger: Any, published: Any
    ) -> None:
        method = post(stranger, "payment-methods", TOKEN, "key-0").json()
        body = {"plan": "startup", "interval": "monthly", "payment_method": method["id"]}
        simulator: Any = providers.get(method["provider"], Simulates)
        simulator.set_faults(timeout_after_success=1)
        first = post(stranger, "subscriptions", body)
        assert (first.status_code, first.json()["code"]) == (503, "outcome_unknown")
        assert int(first["Retry-After"]) > 0
        assert IdempotencyKey.objects.get(key="key-1").status == "retry"
        again = post(stranger, "subscriptions", body)
        assert (again.status_code, again.json()["status"]) == (201, "active"), again.content
        assert Operation.objects.filter(verb="subscription.create").count() == 1
        assert Subscription.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_have_one_effect(owner: Any, published: Any) -> None:
    start, answers = threading.Barrier(20), []

    def send() -> None:
        try:
            caller = client_of(owner)
            start.wait()
            answers.append(post(caller, "subscriptions", SUBSCRIBE))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 20
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {a.json()["code"] for a in answers if a.status_code == 409} <= {"request_in_progress"}
    assert len({a.json()["id"] for a in answers if a.status_code == 201}) == 1
    assert Subscription.objects.count() == 1
    assert PaymentMethod.objects.count() == 1
    assert list(
        Operation.objects.filter(verb="subscription.create").values_list("outcome", flat=True)
    ) == ["done"]
