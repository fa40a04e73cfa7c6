"""Callers of the API: anonymous, of another organization, member, owner."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from billing.models import Membership, Organization

PREFIX = "/api/v1/billing"


def client_of(user: Any = None) -> APIClient:
    client = APIClient(raise_request_exception=False)
    if user is not None:
        client.force_login(user)
    return client


@pytest.fixture
def owner(organization_mx: Organization, member_of: Callable[..., Any]) -> Any:
    return member_of(organization_mx, "owner")


@pytest.fixture
def client(owner: Any) -> APIClient:
    """The owner of the Mexican organization, logged in by session."""
    return client_of(owner)


@pytest.fixture
def stranger(organization_de: Organization, member_of: Callable[..., Any]) -> APIClient:
    """The owner of another organization."""
    return client_of(member_of(organization_de, "owner"))


@pytest.fixture
def anonymous() -> APIClient:
    return client_of()


@pytest.fixture
def member(organization_mx: Organization, member_of: Callable[..., Any]) -> APIClient:
    return client_of(member_of(organization_mx, "member"))


@pytest.fixture
def subscription(client: APIClient, published: Any, deliver: Callable[..., int]) -> dict[str, Any]:
    """A running subscription of the Mexican organization, with its invoice, over the API."""
    answer = client.post(
        f"{PREFIX}/subscriptions",
        {"plan": "startup", "interval": "monthly", "payment_method_token": "tok_visa"},
        format="json",
    )
    assert answer.status_code == 201, answer.content
    body: dict[str, Any] = answer.json()
    deliver(body["provider"])
    return body


@pytest.fixture
def in_both(owner: Any, organization_de: Organization) -> Any:
    """The owner is a member of the German organization as well."""
    Membership.objects.create(user=owner, organization=organization_de, role="member")
    return owner
