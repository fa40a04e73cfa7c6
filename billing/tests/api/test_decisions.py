"""The router over the API: who takes it, what the browser needs, and why."""

from datetime import timedelta
from typing import Any

import pytest
import responses

from billing.models import (
    BillingAccount,
    IdempotencyKey,
    Membership,
    Organization,
    RoutingDecision,
    Subscription,
)
from billing.tests.api.conftest import PREFIX, client_of

pytestmark = pytest.mark.django_db
URL = f"{PREFIX}/decisions"
MEXICAN = "187.189.120.7"


def post(client: Any, language: str = "en", **body: Any) -> Any:
    body.setdefault("transaction_type", "subscription")
    return client.post(URL, body, format="json", headers={"Accept-Language": language})


@pytest.fixture
def new_client(owner: Any, sandbox: Any) -> Any:
    """The owner of an organization that nothing is known about."""
    Membership.objects.all().delete()
    organization = Organization.objects.create(name="New")
    Membership.objects.create(user=owner, organization=organization, role="owner")
    return client_of(owner)


class TestAsk:
    def test_the_answer(self, client: Any, published: Any) -> None:
        answer = post(client, plan="startup", interval="monthly")
        assert answer.status_code == 201, answer.content
        body = answer.json()
        decision = RoutingDecision.objects.get()
        assert body.pop("created_at").endswith("Z")
        assert body == {
            "id": str(decision.pk),
            "transaction_type": "subscription",
            "plan": {
                "id": str(published["startup"].pk),
                "slug": "startup",
                "name": "Startup",
            },
            "interval": "monthly",
            "product": None,
            "provider": "conekta",
            "runner_up": "stripe",
            "currency": "MXN",
            "country": "MX",
            "methods": ["card", "oxxo", "spei"],
            "client": {"adapter": "sandbox", "public": {"public_key": ""}},
            "missing_profile": [],
            "explanation": [
                "Conekta takes this subscription, in MXN.",
                "Rule 1 decides. The country is MX.",
                "The country MX comes from the billing address of the account.",
                "Otherwise Stripe would take it.",
            ],
            "evidence": [
                {
                    "tier": "billing_address",
                    "source": "account_address",
                    "country": "MX",
                    "detail": "the billing address of the account",
                },
                {
                    "tier": "profile",
                    "source": "account_country",
                    "country": "MX",
                    "detail": "the country of the account",
                },
            ],
            "rules": [
                {
                    "provider": "conekta",
                    "result": "matched",
                    "code": "conditions_met",
                    "detail": "The country is MX.",
                },
                {
                    "provider": "polar",
                    "result": "skipped",
                    "code": "condition_not_met",
                    "detail": ("It is a subscription, and the rule is for a product purchase."),
                },
                {
                    "provider": "stripe",
                    "result": "not_reached",
                    "code": "conditions_met",
                    "detail": "It takes all that no earlier rule took.",
                },
            ],
        }
        assert client.get(f"{URL}/{decision.pk}").json()["explanation"] == body["explanation"]

    def test_in_spanish(self, client: Any, published: Any) -> None:
        assert post(client, "es-MX").json()["explanation"] == [
            "Conekta cobra esta suscripción, en MXN.",
            "Decide la regla 1. El país es MX.",
            "El país MX sale de la dirección de facturación de la cuenta.",
            "Si no, la cobraría Stripe.",
        ]

    def test_what_the_profile_lacks(self, client: Any, published: Any) -> None:
        BillingAccount.objects.update(phone="", email="")
        assert post(client).json()["missing_profile"] == ["email", "phone"]

    def test_the_country_that_the_customer_chose(self, client: Any, published: Any) -> None:
        body = post(client, billing_address={"country": "de"}).json()
        assert (body["provider"], body["country"]) == ("stripe", "DE")
        assert "Against it speaks the billing address of the account with MX" in " ".join(
            body["explanation"]
        )

    def test_from_an_address_alone_to_the_methods(
        self, new_client: Any, published: Any, settings: Any
    ) -> None:
        """A visitor from Mexico sees pesos, OXXO and SPEI before typing an address."""
        settings.GEO_TRUSTED_PROXIES = 0
        with responses.RequestsMock() as wire:
            wire.get(f"https://ipapi.co/{MEXICAN}/json/", json={"country_code": "MX"})
            answer = new_client.post(
                URL,
                {"transaction_type": "subscription", "plan": "startup", "interval": "monthly"},
                format="json",
                REMOTE_ADDR=MEXICAN,
                headers={"X-Forwarded-For": "81.2.69.142"},
            )
        body = answer.json()
        assert (body["provider"], body["currency"]) == ("conekta", "MXN")
        assert body["methods"] == ["card", "oxxo", "spei"]
        assert body["evidence"][0]["source"] == "ipapi"
        assert MEXICAN not in str(RoutingDecision.objects.values())

    @pytest.mark.parametrize(
        ("body", "field", "code"),
        [
            ({"transaction_type": "gift"}, "transaction_type", "invalid_choice"),
            ({"plan": "gold"}, "plan", "does_not_exist"),
            ({"product": "gold"}, "product", "does_not_exist"),
            ({"currency": "pesos"}, "currency", "invalid"),
            ({"payment_method": "OXXO!"}, "payment_method", "invalid"),
            ({"billing_address": {"country": "XX"}}, "billing_address.country", "invalid_country"),
            ({"provider": "stripe"}, "provider", "unknown_field"),
            (
                {"transaction_type": "product_purchase", "interval": "monthly"},
                "interval",
                "exclusive",
            ),
        ],
    )
    def test_wrong_fields(self, body: Any, field: str, code: str, client: Any, plans: Any) -> None:
        answer = post(client, **body)
        assert answer.status_code == 400
        assert [(each["field"], each["code"]) for each in answer.json()["errors"]] == [
            (field, code)
        ]
        assert not RoutingDecision.objects.exists()

    def test_what_is_sold_nowhere_in_a_currency(self, client: Any, published: Any) -> None:
        answer = post(client, plan="startup", currency="CHF")
        assert (answer.status_code, answer.json()["code"]) == (409, "plan_not_sellable")

    def test_another_organization_s_does_not_exist(
        self, client: Any, stranger: Any, published: Any
    ) -> None:
        made = post(client).json()["id"]
        assert stranger.get(f"{URL}/{made}").status_code == 404

    def test_the_same_key_makes_one(self, client: Any, published: Any) -> None:
        body = {"transaction_type": "subscription"}
        answers = [
            client.post(URL, body, format="json", headers={"Idempotency-Key": "one"}).json()
            for _ in range(2)
        ]
        assert answers[0] == answers[1]
        assert (RoutingDecision.objects.count(), IdempotencyKey.objects.count()) == (1, 1)


class TestSubscribeByDecision:
    def subscribe(self, client: Any, decision: str, **body: Any) -> Any:
        asked = {
            "plan": "startup",
            "interval": "monthly",
            "payment_method_token": "tok_visa",
            "decision": decision,
        }
        return client.post(f"{PREFIX}/subscriptions", asked | body, format="json")

    def test_it_is_kept_to(self, client: Any, published: Any) -> None:
        """The customer chose Germany: the token was made for the provider shown then."""
        shown = post(client, plan="startup", billing_address={"country": "DE"}).json()
        answer = self.subscribe(client, shown["id"])
        assert (answer.status_code, answer.json()["provider"]) == (201, "stripe")
        assert answer.json()["decision"] == shown["id"]
        assert RoutingDecision.objects.count() == 1

    def test_for_another_plan(self, client: Any, published: Any) -> None:
        shown = post(client, plan="business").json()
        answer = self.subscribe(client, shown["id"])
        assert (answer.status_code, answer.json()["code"]) == (409, "decision_outdated")
        assert not Subscription.objects.exists()

    def test_one_that_is_too_old(self, client: Any, published: Any) -> None:
        shown = post(client, plan="startup").json()
        row = RoutingDecision.objects.get()
        RoutingDecision.objects.update(created_at=row.created_at - timedelta(hours=25))
        assert self.subscribe(client, shown["id"]).json()["code"] == "decision_outdated"

    def test_another_organization_s(self, client: Any, stranger: Any, published: Any) -> None:
        shown = post(stranger, plan="startup").json()
        answer = self.subscribe(client, shown["id"])
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["field"] == "decision"

    def test_the_invoice_tells_it_as_well(self, client: Any, subscription: dict[str, Any]) -> None:
        (invoice,) = client.get(f"{PREFIX}/invoices").json()["results"]
        assert invoice["decision"] == subscription["decision"]
        assert client.get(f"{URL}/{invoice['decision']}").json()["provider"] == "conekta"
