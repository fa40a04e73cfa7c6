"""What each resource takes and shows."""

import re
from typing import Any

import pytest

from billing.models import Invoice, PaymentMethod, Subscription, SubscriptionPlan
from billing.tests.api.conftest import PREFIX

pytestmark = pytest.mark.django_db

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def errors(answer: Any) -> dict[str, str]:
    assert answer.status_code == 400, answer.content
    body = answer.json()
    assert body["code"] == "validation_error"
    return {error["field"]: error["code"] for error in body["errors"]}


class TestPlans:
    def test_prices_are_money(self, anonymous: Any, plans: Any) -> None:
        startup = anonymous.get(f"{PREFIX}/plans").json()["results"][0]
        assert startup["slug"] == "startup"
        assert {"amount": "29.99", "amount_minor": 2999, "currency": "USD"}.items() <= next(
            price
            for price in startup["prices"]
            if (price["currency"], price["interval"]) == ("USD", "monthly")
        ).items()

    def test_prices_can_be_narrowed(self, anonymous: Any, plans: Any) -> None:
        body = anonymous.get(f"{PREFIX}/plans/startup?currency=mxn&interval=yearly").json()
        assert [(p["currency"], p["interval"]) for p in body["prices"]] == [("MXN", "yearly")]

    @pytest.mark.parametrize("query", ["currency=x", "interval=weekly", "currency=%00"])
    def test_wrong_filters(self, query: str, anonymous: Any, plans: Any) -> None:
        assert errors(anonymous.get(f"{PREFIX}/plans?{query}"))

    def test_inactive_plans_are_not_shown(self, anonymous: Any, plans: Any) -> None:
        SubscriptionPlan.objects.filter(slug="startup").update(is_active=False)
        assert anonymous.get(f"{PREFIX}/plans/startup").status_code == 404
        results = anonymous.get(f"{PREFIX}/plans").json()["results"]
        assert [plan["slug"] for plan in results] == ["business"]


class TestSubscribing:
    BODY = {"plan": "startup", "interval": "monthly", "payment_method_token": "tok_visa"}

    def post(self, client: Any, **changes: Any) -> Any:
        body = {**self.BODY, **changes}
        body = {name: value for name, value in body.items() if value is not None}
        return client.post(f"{PREFIX}/subscriptions", body, format="json")

    def test_the_answer(self, subscription: dict[str, Any]) -> None:
        assert subscription["plan"]["slug"] == "startup"
        assert subscription["status"] == "active"
        assert {"amount": "549.00", "amount_minor": 54900, "currency": "MXN"}.items() <= (
            subscription["price"].items()
        )
        assert INSTANT.fullmatch(subscription["current_period_end"])
        assert INSTANT.fullmatch(subscription["created_at"])
        assert not any("provider_" in name or name == "raw" for name in subscription)

    def test_a_plan_by_id(self, client: Any, published: Any) -> None:
        answer = self.post(client, plan=str(published["business"].pk))
        assert answer.json()["plan"]["slug"] == "business"

    def test_with_a_stored_method(self, client: Any, published: Any) -> None:
        added = client.post(f"{PREFIX}/payment-methods", {"token": "tok_visa"}, format="json")
        answer = self.post(
            client, payment_method_token=None, payment_method=added.json()["id"], quantity=1
        )
        assert answer.json()["payment_method"] == added.json()["id"]

    def test_what_the_customer_must_do_is_a_result(self, client: Any, published: Any) -> None:
        answer = self.post(client, payment_method_token="tok_requires_action")
        body = answer.json()
        assert (answer.status_code, body["status"]) == (201, "incomplete")
        assert body["incomplete_reason"] == "requires_action"
        assert body["next_action"]["type"]

    def test_a_decline_is_402_with_its_own_code(self, client: Any, published: Any) -> None:
        answer = self.post(client, payment_method_token="tok_insufficient_funds")
        assert (answer.status_code, answer.json()["code"]) == (402, "insufficient_funds")
        assert "card" in answer.json()["detail"]

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"plan": "nothing"}, {"plan": "does_not_exist"}),
            ({"plan": None}, {"plan": "required"}),
            ({"plan": "a\x00b"}, {"plan": "null_characters_not_allowed"}),
            ({"plan": ["startup"]}, {"plan": "invalid"}),
            ({"interval": "weekly"}, {"interval": "invalid_choice"}),
            ({"interval": {}}, {"interval": "invalid_choice"}),
            ({"quantity": 0}, {"quantity": "min_value"}),
            ({"quantity": -5}, {"quantity": "min_value"}),
            ({"quantity": 10**30}, {"quantity": "max_value"}),
            ({"quantity": "many"}, {"quantity": "invalid"}),
            ({"quantity": True}, {"quantity": "invalid"}),
            ({"currency": "EURO"}, {"currency": "invalid"}),
            ({"payment_method_token": "a b"}, {"payment_method_token": "token"}),
            ({"payment_method_token": "x" * 300}, {"payment_method_token": "max_length"}),
            (
                {"payment_method_token": None, "payment_method": "nonsense"},
                {"payment_method": "invalid"},
            ),
            (
                {"billing_address": {"country": "XX"}},
                {"billing_address.country": "invalid_country"},
            ),
            ({"billing_address": {}}, {"billing_address.country": "required"}),
            (
                {"billing_address": {"country": "MX", "planet": "Earth"}},
                {"billing_address.planet": "unknown_field"},
            ),
        ],
    )
    def test_wrong_fields(
        self, changes: dict[str, Any], expected: dict[str, str], client: Any, plans: Any
    ) -> None:
        assert errors(self.post(client, **changes)) == expected
        assert not Subscription.objects.exists()

    @pytest.mark.parametrize(
        "name",
        [
            "status",
            "amount",
            "amount_minor",
            "provider",
            "trial_end",
            "organization",
            "id",
            "price",
        ],
    )
    def test_fields_that_are_not_the_clients(self, name: str, client: Any, plans: Any) -> None:
        assert errors(self.post(client, **{name: "active"})) == {name: "unknown_field"}

    def test_a_foreign_method_does_not_exist(
        self, client: Any, stranger: Any, published: Any
    ) -> None:
        added = stranger.post(f"{PREFIX}/payment-methods", {"token": "tok_visa"}, format="json")
        answer = self.post(client, payment_method_token=None, payment_method=added.json()["id"])
        assert errors(answer) == {"payment_method": "does_not_exist"}

    def test_a_method_and_a_token(self, client: Any, subscription: dict[str, Any]) -> None:
        answer = self.post(client, payment_method=subscription["payment_method"])
        assert errors(answer) == {"payment_method_token": "exclusive"}


class TestChanging:
    def patch(self, client: Any, subscription: dict[str, Any], **body: Any) -> Any:
        return client.patch(f"{PREFIX}/subscriptions/{subscription['id']}", body, format="json")

    def test_plan(self, client: Any, subscription: dict[str, Any]) -> None:
        answer = self.patch(client, subscription, plan="business")
        assert answer.json()["plan"]["slug"] == "business", answer.content

    def test_nothing_changes_nothing(self, client: Any, subscription: dict[str, Any]) -> None:
        answer = self.patch(client, subscription)
        assert answer.status_code == 200
        assert answer.json()["plan"] == subscription["plan"]

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({"status": "canceled"}, {"status": "unknown_field"}),
            ({"current_period_end": "2099-01-01"}, {"current_period_end": "unknown_field"}),
            ({"metadata": []}, {"metadata": "not_a_dict"}),
            ({"metadata": {"k" * 41: ""}}, {"metadata": "bad_key"}),
            ({"metadata": {"": ""}}, {"metadata": "bad_key"}),
            ({"metadata": {"a\x00": ""}}, {"metadata": "bad_key"}),
            ({"metadata": {str(i): "" for i in range(51)}}, {"metadata": "too_many"}),
            ({"metadata": {"a": "\x00"}}, {"metadata.a": "null_characters_not_allowed"}),
            ({"metadata": {"a": {"b": "c"}}}, {"metadata.a": "invalid"}),
            ({"plan": None}, {"plan": "null"}),
            ({"cancel_at_period_end": "perhaps"}, {"cancel_at_period_end": "invalid"}),
        ],
    )
    def test_wrong_fields(
        self, body: Any, expected: Any, client: Any, subscription: dict[str, Any]
    ) -> None:
        assert errors(self.patch(client, subscription, **body)) == expected


class TestCanceling:
    def test_now(self, client: Any, subscription: dict[str, Any]) -> None:
        path = f"{PREFIX}/subscriptions/{subscription['id']}?at_period_end=false"
        body = client.delete(path).json()
        assert (body["status"], body["end_reason"]) == ("canceled", "customer")
        again = client.delete(path)
        assert (again.status_code, again.json()["code"]) == (409, "invalid_transition")

    def test_at_the_periods_end_is_the_default(self, stranger: Any, published: Any) -> None:
        body = TestSubscribing().post(stranger).json()
        answer = stranger.delete(f"{PREFIX}/subscriptions/{body['id']}")
        assert (answer.json()["status"], answer.json()["cancel_at_period_end"]) == ("active", True)
        undone = stranger.patch(
            f"{PREFIX}/subscriptions/{body['id']}", {"cancel_at_period_end": False}, format="json"
        )
        assert undone.json()["cancel_at_period_end"] is False

    def test_where_the_provider_cannot_we_do(
        self, client: Any, subscription: dict[str, Any]
    ) -> None:
        path = f"{PREFIX}/subscriptions/{subscription['id']}"
        answer = client.delete(path)
        assert answer.status_code == 200
        assert answer.json()["cancel_at"] == subscription["current_period_end"]
        undone = client.patch(path, {"cancel_at_period_end": False}, format="json").json()
        assert (undone["cancel_at_period_end"], undone["cancel_at"]) == (False, None)

    @pytest.mark.parametrize("value", ["True", "1", "no", "", "false,true"])
    def test_only_true_or_false(
        self, value: str, client: Any, subscription: dict[str, Any]
    ) -> None:
        path = f"{PREFIX}/subscriptions/{subscription['id']}?at_period_end={value}"
        assert errors(client.delete(path)) == {"at_period_end": "invalid"}

    def test_the_timeline_tells_it(self, client: Any, subscription: dict[str, Any]) -> None:
        path = f"{PREFIX}/subscriptions/{subscription['id']}"
        client.delete(f"{path}?at_period_end=false")
        steps = client.get(f"{path}/timeline").json()["results"]
        assert [(step["to"], step["cause"]) for step in steps][0] == ("active", "api")
        assert steps[-1]["to"] == "canceled"
        assert set(steps[0]) == {"id", "time", "from", "to", "cause", "code"}


class TestPaymentMethods:
    def post(self, client: Any, **body: Any) -> Any:
        return client.post(f"{PREFIX}/payment-methods", body, format="json")

    def test_adding_and_detaching(self, client: Any, published: Any) -> None:
        answer = self.post(
            client, token="tok_mastercard", is_default=True, billing_address={"country": "mx"}
        )
        body = answer.json()
        assert (answer.status_code, body["last4"], body["brand"]) == (201, "4444", "mastercard")
        assert body["is_default"] is True
        assert body["billing_address"]["country"] == "MX"
        assert not any("provider_" in name for name in body)
        path = f"{PREFIX}/payment-methods/{body['id']}"
        assert client.delete(path).status_code == 204
        assert client.delete(path).status_code == 404
        assert client.get(f"{PREFIX}/payment-methods").json()["results"] == []
        assert not PaymentMethod.objects.get().is_active

    def test_the_only_one_of_a_subscription_is_kept(
        self, client: Any, subscription: dict[str, Any]
    ) -> None:
        path = f"{PREFIX}/payment-methods/{subscription['payment_method']}"
        answer = client.delete(path)
        assert (answer.status_code, answer.json()["code"]) == (409, "payment_method_in_use")
        assert client.delete(f"{path}?force=true").status_code == 204

    def test_wrong_fields(self, client: Any, plans: Any) -> None:
        assert errors(self.post(client)) == {"token": "required"}
        assert errors(self.post(client, token="tok_visa", last4="4242")) == {
            "last4": "unknown_field"
        }
        assert errors(self.post(client, token="tok_visa", provider="No!")) == {
            "provider": "invalid"
        }

    def test_an_unknown_provider(self, client: Any, plans: Any) -> None:
        answer = self.post(client, token="tok_visa", provider="nobody")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_provider")


class TestInvoices:
    def test_amounts_are_money(self, client: Any, subscription: dict[str, Any]) -> None:
        [invoice] = client.get(f"{PREFIX}/invoices").json()["results"]
        assert invoice["total"] == {"amount": "549.00", "amount_minor": 54900, "currency": "MXN"}
        assert invoice["subscription"] == subscription["id"]
        assert invoice["line_items"][0]["amount_minor"] == 54900
        assert INSTANT.fullmatch(invoice["created_at"])
        assert client.get(f"{PREFIX}/invoices/{invoice['id']}").json() == invoice

    def test_what_was_refunded(self, client: Any, subscription: dict[str, Any]) -> None:
        Invoice.objects.update(refunded_minor=4900, payment_state="partially_refunded")
        [invoice] = client.get(f"{PREFIX}/invoices").json()["results"]
        assert invoice["payment_state"] == "partially_refunded"
        assert invoice["refunded"] == {"amount": "49.00", "amount_minor": 4900, "currency": "MXN"}

    def test_filters(self, client: Any, subscription: dict[str, Any]) -> None:
        def count(query: str) -> int:
            return len(client.get(f"{PREFIX}/invoices?{query}").json()["results"])

        assert count("status=paid") == count(f"subscription={subscription['id']}") == 1
        assert count("status=open") == 0
        assert errors(client.get(f"{PREFIX}/invoices?status=nonsense"))
        assert errors(client.get(f"{PREFIX}/invoices?subscription=nonsense"))

    def test_yen_have_no_decimals(self, client: Any, subscription: dict[str, Any]) -> None:
        Invoice.objects.update(currency="JPY")
        [invoice] = client.get(f"{PREFIX}/invoices").json()["results"]
        assert invoice["total"] == {"amount": "54900", "amount_minor": 54900, "currency": "JPY"}
