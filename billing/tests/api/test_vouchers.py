"""Paying an invoice over the API, by hand and by card. For who may: attacks/operations.py."""

import re
from datetime import timedelta
from typing import Any

import pytest

from billing.models import Invoice, Payment, PaymentMethod
from billing.providers.base import Simulates
from billing.registry import providers
from billing.tests.api.conftest import PREFIX

pytestmark = pytest.mark.django_db
VOUCHER = {"type", "method", "amount", "amount_minor", "currency", "expires_at"}
PAYMENT = {
    "id", "status", "amount", "refunded", "currency", "invoice", "payment_method", "decline_code",
    "next_action", "provider", "paid_at", "created_at",
}  # fmt: skip


def sandbox() -> Any:
    return providers.get("conekta", Simulates)


def buy(client: Any, deliver: Any, token: str, **wish: Any) -> None:
    body = {"plan": "startup", "interval": "monthly", "payment_method_token": token, **wish}
    answer = client.post(f"{PREFIX}/subscriptions", body, format="json")
    assert answer.status_code == 201, answer.content
    deliver("conekta")


@pytest.fixture
def invoice(client: Any, published: Any, deliver: Any) -> str:
    """The path of an open invoice of 549.00 MXN: a renewal whose card was refused."""
    buy(client, deliver, "tok_renewal_declined")
    sandbox().advance_clock(timedelta(days=32))
    deliver("conekta")
    return f"{PREFIX}/invoices/{Invoice.objects.get(status='open').pk}"


def post(client: Any, path: str, headers: dict[str, str] | None = None, **body: Any) -> Any:
    return client.post(path, body, format="json", headers=headers)


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


class TestPayByHand:
    @pytest.mark.parametrize(
        ("method", "shown"), [("oxxo", {"reference", "barcode"}), ("spei", {"clabe"})]
    )
    def test_the_answer(self, client: Any, invoice: str, method: str, shown: set[str]) -> None:
        answer = post(client, f"{invoice}/pay", voucher=method)
        body = answer.json()
        assert (answer.status_code, set(body)) == (200, PAYMENT)
        assert body["status"] == "pending"
        assert body["amount"] == {"amount": "549.00", "amount_minor": 54900, "currency": "MXN"}
        action = body["next_action"]
        assert set(action) == VOUCHER | shown
        assert (action["type"], action["method"]) == ("display_voucher", method)
        assert (action["amount"], action["amount_minor"]) == ("549.00", "54900")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", action["expires_at"])
        assert all(isinstance(value, str) for value in action.values())

    def test_it_can_be_asked_for_until_it_is_paid(
        self, client: Any, invoice: str, deliver: Any
    ) -> None:
        path = f"{PREFIX}/payments/{post(client, f'{invoice}/pay', voucher='oxxo').json()['id']}"
        assert client.get(path).json()["next_action"]["type"] == "display_voucher"
        sandbox().pay_voucher(Payment.objects.get(voucher_method="oxxo").ref)
        deliver("conekta")
        body = client.get(f"{path}/").json()
        assert (body["status"], body["next_action"]) == ("succeeded", {})
        assert client.get(invoice).json()["status"] == "paid"
        assert client.get(f"{invoice}/voucher").json()["state"] == "paid"
        assert problem(post(client, f"{invoice}/pay", voucher="oxxo")) == (
            409,
            "invalid_transition",
        )

    def test_the_same_key_gives_the_same_answer(self, client: Any, invoice: str) -> None:
        headers = {"Idempotency-Key": "k-1"}
        first = post(client, f"{invoice}/pay", headers, voucher="oxxo")
        again = post(client, f"{invoice}/pay", headers, voucher="oxxo")
        assert first.content == again.content
        assert again["Idempotency-Replayed"] == "true"
        assert Payment.objects.vouchers().count() == 1
        other = post(client, f"{invoice}/pay", headers, voucher="spei")
        assert problem(other) == (409, "idempotency_conflict")

    def test_a_lost_answer(self, client: Any, invoice: str) -> None:
        headers = {"Idempotency-Key": "k-1"}
        sandbox().set_faults(timeout_after_success=1)
        lost = post(client, f"{invoice}/pay", headers, voucher="oxxo")
        assert problem(lost) == (503, "outcome_unknown")
        assert post(client, f"{invoice}/pay", headers, voucher="oxxo").status_code == 200
        assert Payment.objects.vouchers().count() == 1

    @pytest.mark.parametrize(
        "body",
        [
            {"voucher": "card"},
            {"voucher": "sepa_debit"},
            {"voucher": None},
            {"voucher": ["oxxo"]},
            {"voucher": ""},
            {"method": "oxxo"},
            {"voucher": "oxxo", "payment_method": "00000000-0000-4000-8000-000000000000"},
        ],
    )
    def test_wrong_bodies(self, client: Any, invoice: str, body: dict[str, Any]) -> None:
        assert problem(post(client, f"{invoice}/pay", **body)) == (400, "validation_error")

    def test_a_voucher_and_a_method(self, client: Any, invoice: str) -> None:
        method = str(PaymentMethod.objects.get().pk)
        answer = post(client, f"{invoice}/pay", voucher="oxxo", payment_method=method)
        (error,) = answer.json()["errors"]
        assert (error["field"], error["code"]) == ("voucher", "exclusive")

    def test_in_another_currency(self, client: Any, published: Any, deliver: Any) -> None:
        buy(client, deliver, "tok_requires_action", currency="USD")
        path = f"{PREFIX}/invoices/{Invoice.objects.get().pk}/pay"
        assert problem(post(client, path, voucher="oxxo")) == (422, "voucher_not_offered")

    def test_in_spanish(self, client: Any, published: Any, deliver: Any) -> None:
        buy(client, deliver, "tok_visa")
        path = f"{PREFIX}/invoices/{Invoice.objects.get().pk}/voucher"
        answer = client.get(path, headers={"Accept-Language": "es"})
        assert answer.json()["detail"].startswith("Todavía no hay")


class TestPayByCard:
    def test_by_the_default_one(self, client: Any, published: Any, deliver: Any) -> None:
        buy(client, deliver, "tok_requires_action")
        path = f"{PREFIX}/invoices/{Invoice.objects.get().pk}/pay"
        answer = post(client, path)
        assert answer.status_code == 200
        assert (answer.json()["status"], answer.json()["next_action"]) == ("succeeded", {})

    def test_by_the_one_named(self, client: Any, invoice: str) -> None:
        added = client.post(f"{PREFIX}/payment-methods", {"token": "tok_visa"}, format="json")
        answer = post(client, f"{invoice}/pay", payment_method=added.json()["id"])
        assert answer.json()["payment_method"] == added.json()["id"]
        assert client.get(invoice).json()["status"] == "paid"

    def test_a_refused_one(self, client: Any, invoice: str) -> None:
        assert problem(post(client, f"{invoice}/pay")) == (402, "card_declined")

    def test_one_at_another_provider(self, client: Any, invoice: str) -> None:
        wanted = {"token": "tok_visa", "provider": "stripe"}
        added = client.post(f"{PREFIX}/payment-methods", wanted, format="json").json()
        answer = post(client, f"{invoice}/pay", payment_method=added["id"])
        assert problem(answer) == (409, "payment_method_elsewhere")

    def test_anothers(self, client: Any, invoice: str, stranger: Any) -> None:
        theirs = stranger.post(f"{PREFIX}/payment-methods", {"token": "tok_visa"}, format="json")
        answer = post(client, f"{invoice}/pay", payment_method=theirs.json()["id"])
        assert problem(answer) == (400, "validation_error")

    def test_it_counts_as_a_try_of_a_card(self, client: Any, invoice: str, settings: Any) -> None:
        settings.BILLING_CARD_RATE = "2/hour"
        statuses = [post(client, f"{invoice}/pay").status_code for _ in range(3)]
        assert statuses == [402, 402, 429]

    def test_it_is_paid_whatever_becomes_of_reading_it(
        self, client: Any, published: Any, deliver: Any
    ) -> None:
        buy(client, deliver, "tok_requires_action")
        path = f"{PREFIX}/invoices/{Invoice.objects.get().pk}/pay"
        headers = {"Idempotency-Key": "k-1"}
        sandbox().set_faults(timeout_after_success=1)
        assert problem(post(client, path, headers)) == (503, "outcome_unknown")
        assert post(client, path, headers).json()["status"] == "succeeded"
        assert Payment.objects.filter(status="succeeded").count() == 1


class TestVoucher:
    def test_none(self, client: Any, invoice: str) -> None:
        assert problem(client.get(f"{invoice}/voucher")) == (404, "voucher_missing")
        assert problem(post(client, f"{invoice}/voucher/reissue")) == (404, "voucher_missing")

    def test_from_waiting_to_expired_and_anew(
        self, client: Any, invoice: str, deliver: Any
    ) -> None:
        made = post(client, f"{invoice}/pay", voucher="oxxo").json()
        shown = client.get(f"{invoice}/voucher").json()
        assert shown == {
            "payment": made["id"],
            "method": "oxxo",
            "state": "waiting",
            "expires_at": made["next_action"]["expires_at"],
            "next_action": made["next_action"],
        }
        assert problem(post(client, f"{invoice}/voucher/reissue")) == (409, "invalid_transition")
        sandbox().advance_clock(timedelta(days=4))
        over = client.get(f"{invoice}/voucher").json()
        assert over == {**shown, "state": "expired", "next_action": {}}
        deliver("conekta")
        assert client.get(f"{invoice}/voucher").json() == over
        again = post(client, f"{invoice}/voucher/reissue").json()
        assert again["id"] != made["id"]
        assert client.get(f"{invoice}/voucher").json()["payment"] == again["id"]

    def test_queries(self, client: Any, invoice: str, django_assert_max_num_queries: Any) -> None:
        payment = post(client, f"{invoice}/pay", voucher="oxxo").json()["id"]
        for path in (f"{invoice}/voucher", f"{PREFIX}/payments/{payment}"):
            with django_assert_max_num_queries(6):
                assert client.get(path).status_code == 200
