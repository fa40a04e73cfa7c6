"""Setup sessions over the API. Who may do what is in attacks/operations.py."""

from typing import Any

import pytest

from billing.models import IdempotencyKey, SetupSession
from billing.providers.base import Simulates
from billing.providers.types import Ref
from billing.registry import providers
from billing.tests.api.conftest import PREFIX, client_of

pytestmark = pytest.mark.django_db
URL = f"{PREFIX}/setup-sessions"
SHOWN = {
    "id", "provider", "status", "client_secret", "next_action", "payment_method",
    "mandate_status", "decline_code", "created_at",
}  # fmt: skip


@pytest.fixture
def german(organization_de: Any, member_of: Any, sandbox: Any) -> Any:
    return client_of(member_of(organization_de, "owner"))


def post(client: Any, headers: dict[str, str] | None = None, **body: Any) -> Any:
    return client.post(URL, body, format="json", headers=headers)


def browser_confirms(session_id: str, token: str) -> None:
    remote_id = SetupSession.objects.get(pk=session_id).provider_setup_session_id
    sandbox: Any = providers.get("stripe", Simulates)
    sandbox.confirm_setup(Ref(id=remote_id), token)


class TestOpen:
    def test_the_answer(self, german: Any) -> None:
        answer = post(german, methods=["card", "bank_account"])
        body = answer.json()
        assert (answer.status_code, set(body)) == (201, SHOWN)
        assert (body["provider"], body["status"]) == ("stripe", "open")
        assert body["client_secret"]
        assert body["next_action"]["type"] == "use_sdk"
        assert (body["payment_method"], body["mandate_status"]) == (None, None)
        assert body["decline_code"] == ""

    def test_without_a_body(self, german: Any) -> None:
        assert post(german).status_code == 201

    @pytest.mark.parametrize(
        "body",
        [
            {"methods": ["gold"]},
            {"methods": "card"},
            {"methods": [["card"]]},
            {"methods": ["card"] * 20},
            {"methods": None},
            {"provider": "Stripe!"},
            {"client_secret": "mine"},
            {"customer": "cus_1"},
        ],
    )
    def test_wrong_bodies(self, german: Any, body: dict[str, Any]) -> None:
        assert post(german, **body).json()["code"] == "validation_error"
        assert not SetupSession.objects.exists()

    def test_what_the_provider_cannot_keep(self, german: Any) -> None:
        answer = post(german, methods=["oxxo"])
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")

    def test_where_there_are_no_sessions(self, client: Any, sandbox: Any) -> None:
        answer = post(client)
        assert (answer.status_code, answer.json()["code"]) == (409, "capability_missing")

    def test_an_unknown_provider(self, german: Any) -> None:
        assert post(german, provider="nowhere").json()["code"] == "unknown_provider"

    def test_the_same_key_gives_the_same_answer(self, german: Any) -> None:
        headers = {"Idempotency-Key": "k-1"}
        first, again = post(german, headers), post(german, headers)
        assert first.content == again.content
        assert SetupSession.objects.count() == 1
        assert post(german, headers, methods=["card"]).status_code == 409

    def test_it_counts_as_a_try_to_add_a_card(self, german: Any, settings: Any) -> None:
        settings.BILLING_CARD_RATE = "2/hour"
        assert [post(german).status_code for _ in range(3)] == [201, 201, 429]


class TestRead:
    def test_until_the_method_is_there(self, german: Any) -> None:
        session_id = post(german).json()["id"]
        assert german.get(f"{URL}/{session_id}").json()["status"] == "open"
        browser_confirms(session_id, "tok_sepa_debit")
        body = german.get(f"{URL}/{session_id}/").json()
        assert (body["status"], body["mandate_status"]) == ("succeeded", "active")
        assert body["next_action"] == {}
        (method,) = german.get(f"{PREFIX}/payment-methods").json()["results"]
        assert (body["payment_method"], method["type"]) == (method["id"], "sepa_debit")

    def test_a_refused_card(self, german: Any) -> None:
        session_id = post(german).json()["id"]
        browser_confirms(session_id, "tok_attach_declined")
        body = german.get(f"{URL}/{session_id}").json()
        assert (body["status"], body["decline_code"]) == ("failed", "card_declined")
        assert body["next_action"]["type"] == "use_sdk"

    def test_a_members_eyes_see_no_secret(
        self, german: Any, organization_de: Any, member_of: Any
    ) -> None:
        session_id = post(german).json()["id"]
        answer = client_of(member_of(organization_de, "member")).get(f"{URL}/{session_id}")
        assert answer.status_code == 403
        assert "secret" not in answer.content.decode()

    def test_another_organizations_is_not_there(self, german: Any, client: Any) -> None:
        session_id = post(german).json()["id"]
        assert client.get(f"{URL}/{session_id}").status_code == 404

    def test_those_of_another_mode_are_not_there(self, german: Any) -> None:
        session_id = post(german).json()["id"]
        SetupSession.objects.update(mode="live")
        assert german.get(f"{URL}/{session_id}").status_code == 404

    def test_a_provider_that_is_away(self, german: Any) -> None:
        session_id = post(german).json()["id"]
        providers.get("stripe", Simulates).set_faults(answer_500=1)
        answer = german.get(f"{URL}/{session_id}")
        assert (answer.status_code, answer.json()["code"]) == (503, "provider_unavailable")

    def test_there_is_no_list(self, german: Any) -> None:
        assert german.get(URL).status_code == 405


def test_staff_do_not_see_the_stored_answer(german: Any, admin_client: Any) -> None:
    secret = post(german, {"Idempotency-Key": "k-1"}).json()["client_secret"]
    key = IdempotencyKey.objects.get()
    pages = ("idempotencykey", key.pk), ("setupsession", SetupSession.objects.get().pk)
    for name, pk in pages:
        answer = admin_client.get(f"/admin/billing/{name}/{pk}/change/")
        assert answer.status_code == 200
        assert secret not in answer.content.decode()
