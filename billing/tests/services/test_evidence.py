"""Whose word about the country counts, and that the others stay to be seen."""

from types import SimpleNamespace
from typing import Any

import pytest
import responses

from billing.models import BillingAccount, Customer, Organization, PaymentMethod
from billing.services import evidence
from billing.tests.conftest import make_organization
from geo.ip import Visitor

pytestmark = pytest.mark.django_db
CDN = "CF-IPCountry"


@pytest.fixture(autouse=True)
def located_by_the_cdn(sandbox: Any, settings: Any) -> None:
    """The only service is the header of a CDN: nothing outside is asked."""
    settings.GEO_COUNTRY_HEADER = CDN
    settings.GEO_BACKENDS = ["geo.backends.header.Header"]


def country_of(user: Any) -> str:
    """Stands in the settings as BILLING_USER_COUNTRY."""
    return str(user.country)


def visitor(country: str) -> Visitor:
    return Visitor(ip="187.189.120.7", told_country=country)


def gathered(organization: Organization | None = None, **known: Any) -> list[tuple[str, str, str]]:
    return [
        (each.tier.value, each.source, each.country)
        for each in evidence.gather(organization, **known)
    ]


def add_method(organization: Organization, number: int, country: str, **columns: Any) -> None:
    customer, _ = Customer.objects.get_or_create(
        organization=organization,
        provider="stripe",
        mode="sandbox",
        defaults={"provider_customer_id": "cus_1", "default_payment_method_id": "pm_1"},
    )
    PaymentMethod.objects.create(
        organization=organization,
        customer=customer,
        provider="stripe",
        mode="sandbox",
        provider_payment_method_id=f"pm_{number}",
        type="card",
        billing_address={"country": country} if country else {},
        **columns,
    )


def test_all_of_it_in_its_order(settings: Any) -> None:
    settings.BILLING_USER_COUNTRY = f"{__name__}.country_of"
    organization = make_organization("Software", "DE")
    BillingAccount.objects.update(country="ES")
    add_method(organization, 1, "FR")
    assert gathered(
        organization,
        billing_address={"country": "mx"},
        user=SimpleNamespace(country="it"),
        visitor=visitor("US"),
    ) == [
        ("billing_address", "request", "MX"),
        ("billing_address", "payment_method", "FR"),
        ("billing_address", "account_address", "DE"),
        ("profile", "account_country", "ES"),
        ("profile", "user_profile", "IT"),
        ("ip", "header", "US"),
    ]


def test_only_the_default_method_counts_while_it_is_attached() -> None:
    organization = make_organization("Software", "DE")
    add_method(organization, 2, "FR")
    assert gathered(organization)[0] == ("billing_address", "account_address", "DE")
    add_method(organization, 1, "MX", is_active=False)
    assert gathered(organization)[0] == ("billing_address", "account_address", "DE")
    PaymentMethod.objects.update(is_active=True)
    assert gathered(organization)[0] == ("billing_address", "payment_method", "MX")


def test_a_method_without_an_address_says_nothing() -> None:
    organization = make_organization("Software", "DE")
    add_method(organization, 1, "")
    assert gathered(organization)[0][1] == "account_address"


def test_methods_of_another_organization_do_not_count() -> None:
    organization = make_organization("Software", "DE")
    add_method(make_organization("Tacos", "MX"), 1, "MX")
    assert gathered(organization)[0][1] == "account_address"


def test_what_is_no_country_is_left_out(settings: Any, caplog: Any) -> None:
    settings.BILLING_USER_COUNTRY = f"{__name__}.country_of"
    organization = make_organization("Software", "UK")
    BillingAccount.objects.update(address={"country": "Germany"})
    user = SimpleNamespace(country="Mexico")
    assert gathered(organization, billing_address={"country": "XX"}, user=user) == []
    assert [record.source for record in caplog.records] == [
        "request",
        "account_address",
        "account_country",
        "user_profile",
    ]


def test_a_stranger_is_known_by_the_address_only() -> None:
    assert gathered(visitor=visitor("MX")) == [("ip", "header", "MX")]
    assert gathered() == []
    assert gathered(visitor=visitor("")) == []


def test_of_an_address_only_its_network_is_kept() -> None:
    (found,) = evidence.gather(None, visitor=visitor("MX"))
    assert found.network == "187.189.120.0/24"


def test_an_organization_without_an_account_is_known_by_its_user(settings: Any) -> None:
    settings.BILLING_USER_COUNTRY = f"{__name__}.country_of"
    organization = Organization.objects.create(name="New")
    assert gathered(organization) == []
    assert gathered(organization, user=SimpleNamespace(country="mx")) == [
        ("profile", "user_profile", "MX")
    ]


def test_nobody_outside_is_asked_while_something_better_is_known(settings: Any) -> None:
    settings.GEO_BACKENDS = ["geo.backends.ipapi.Ipapi"]
    organization = make_organization("Software", "DE")
    with responses.RequestsMock() as wire:
        assert gathered(organization, visitor=visitor(""))[-1][0] == "profile"
        assert len(wire.calls) == 0


def test_how_many_queries_it_takes(django_assert_num_queries: Any) -> None:
    organization = make_organization("Software", "DE")
    with django_assert_num_queries(2):
        evidence.gather(organization, visitor=visitor("MX"))
