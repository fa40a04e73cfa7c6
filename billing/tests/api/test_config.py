"""What the single-page app reads first, and plans in the visitor's own money."""

from typing import Any

import pytest
import responses

from billing.tests.api.conftest import PREFIX

pytestmark = pytest.mark.django_db
MEXICAN, GERMAN = "187.189.120.7", "91.64.12.34"


@pytest.fixture(autouse=True)
def _services(settings: Any) -> Any:
    """ipapi.co knows two visitors."""
    settings.GEO_TRUSTED_PROXIES = 0
    with responses.RequestsMock(assert_all_requests_are_fired=False) as wire:
        for ip, country in ((MEXICAN, "MX"), (GERMAN, "DE")):
            wire.get(f"https://ipapi.co/{ip}/json/", json={"country_code": country})
        yield wire


class TestConfig:
    def test_the_providers_and_the_visitor(self, anonymous: Any, published: Any) -> None:
        answer = anonymous.get(f"{PREFIX}/config", REMOTE_ADDR=MEXICAN)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "private, no-cache"
        body = answer.json()
        assert body["default_currency"] == "USD"
        assert [each["alias"] for each in body["providers"]] == ["stripe", "conekta", "polar"]
        conekta = body["providers"][1]
        assert conekta["methods"] == ["card", "oxxo", "spei"]
        assert conekta["required_profile"] == ["name", "email", "phone"]
        assert conekta["client"]["adapter"] == "sandbox"
        assert "TakesPayments" in conekta["capabilities"]
        visitor = body["visitor"]
        assert visitor.pop("explanation")[0] == "Conekta takes this subscription, in MXN."
        assert visitor == {
            "country": "MX",
            "currency": "MXN",
            "provider": "conekta",
            "methods": ["card", "oxxo", "spei"],
        }

    def test_nobody_takes_it(self, anonymous: Any, sandbox: Any, settings: Any) -> None:
        settings.BILLING_PROVIDERS = {}
        body = anonymous.get(f"{PREFIX}/config").json()
        assert body["providers"] == []
        assert body["visitor"] == {
            "country": "",
            "currency": "USD",
            "provider": "",
            "methods": [],
            "explanation": [],
        }

    def test_nothing_secret(self, anonymous: Any, sandbox: Any, settings: Any) -> None:
        secrets = {entry["OPTIONS"]["secret"] for entry in settings.BILLING_PROVIDERS.values()}
        text = anonymous.get(f"{PREFIX}/config").content.decode()
        assert not [secret for secret in secrets if secret in text]


class TestLocalPrices:
    def currencies(self, anonymous: Any, query: str = "", ip: str = "127.0.0.1") -> set[str]:
        answer = anonymous.get(f"{PREFIX}/plans{query}", REMOTE_ADDR=ip)
        assert answer.status_code == 200
        return {price["currency"] for plan in answer.json()["results"] for price in plan["prices"]}

    @pytest.mark.parametrize(
        ("query", "ip", "shown"),
        [
            ("?country=MX", GERMAN, {"MXN"}),
            ("?country=mx", GERMAN, {"MXN"}),
            ("?country=DE", MEXICAN, {"USD"}),
            ("", MEXICAN, {"MXN"}),
            ("", GERMAN, {"USD"}),
            ("", "127.0.0.1", {"MXN", "USD"}),
            ("?currency=USD", MEXICAN, {"USD"}),
            ("?currency=USD&country=MX", GERMAN, {"USD"}),
            ("?currency=EUR", MEXICAN, set()),
        ],
    )
    def test_the_country_s_own_where_there_are_any(
        self, query: str, ip: str, shown: set[str], anonymous: Any, plans: Any
    ) -> None:
        assert self.currencies(anonymous, query, ip) == shown

    def test_they_are_never_converted(self, anonymous: Any, plans: Any) -> None:
        answer = anonymous.get(f"{PREFIX}/plans/startup?country=MX&interval=monthly")
        (price,) = answer.json()["prices"]
        assert (price["amount"], price["currency"]) == ("549.00", "MXN")

    def test_a_plan_without_a_price_there_shows_what_it_has(
        self, anonymous: Any, plans: Any, settings: Any
    ) -> None:
        settings.BILLING_DEFAULT_CURRENCY = "CHF"
        assert self.currencies(anonymous, "?country=JP") == {"MXN", "USD"}

    def test_no_country(self, anonymous: Any, plans: Any) -> None:
        answer = anonymous.get(f"{PREFIX}/plans?country=XX")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["code"] == "invalid_country"

    def test_only_what_is_the_same_for_all_may_be_shared(self, anonymous: Any, plans: Any) -> None:
        answers = {
            query: anonymous.get(f"{PREFIX}/plans{query}").headers.get("Cache-Control", "")
            for query in ("", "?interval=monthly", "?country=MX", "?currency=MXN")
        }
        assert answers == {
            "": "private",
            "?interval=monthly": "private",
            "?country=MX": "",
            "?currency=MXN": "",
        }

    def test_what_has_not_changed_is_not_sent_again(self, anonymous: Any, plans: Any) -> None:
        first = anonymous.get(f"{PREFIX}/plans?country=MX")
        tag = first.headers["ETag"]
        again = anonymous.get(f"{PREFIX}/plans?country=MX", headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        other = anonymous.get(f"{PREFIX}/plans?country=DE", headers={"If-None-Match": tag})
        assert other.status_code == 200
