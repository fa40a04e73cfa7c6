"""Fields that are not the client's to set, and requests that another site makes a browser send."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.middleware.csrf import get_token
from django.test import RequestFactory
from rest_framework.test import APIClient

from billing.tests.attacks.operations import (
    TABLE,
    UNSAFE,
    Ours,
    all_rows,
    ask,
    described,
    property_names,
    schema,
)

pytestmark = [pytest.mark.django_db, pytest.mark.soak(block="attacks")]
ClientFor = Callable[[str], APIClient]
WITH_BODY = [operation for operation in UNSAFE if TABLE[operation].body]
# What a client would wish to set; guards against a list that became empty.
WISHED = {
    "amount",
    "amount_minor",
    "currency",
    "organization",
    "organization_id",
    "price",
    "provider",
    "provider_customer_id",
    "provider_subscription_id",
    "status",
    "trial_end",
    "current_period_end",
    "slot",
    "sync_seq",
    "is_active",
}


@pytest.fixture(autouse=True)
def _no_rate(settings: Any) -> None:
    settings.BILLING_CALLER_RATE = settings.BILLING_CARD_RATE = "1000000/hour"


def test_every_operation_with_a_body_is_attacked() -> None:
    with_body = [name for name, operation in described().items() if "requestBody" in operation]
    assert sorted(with_body) == sorted(WITH_BODY)


@pytest.mark.parametrize("operation", WITH_BODY)
def test_no_field_that_is_not_the_clients(
    operation: str, ours: Ours, client_for: ClientFor
) -> None:
    client, row = client_for("owner"), TABLE[operation]
    taken = _fields_taken(operation)
    names = sorted(set(_all_fields()) - taken)
    assert set(names) >= WISHED - taken
    before = all_rows()
    for name in names:
        answer = ask(client, operation, ours.path(operation), {**(row.body or {}), name: "1"})
        assert answer.status_code == 400, (name, answer.content)
        told = [(each["field"], each["code"]) for each in answer.json()["errors"]]
        assert told == [(name, "unknown_field")]
    assert all_rows() == before
    # It was the field, and nothing else of the request.
    assert ask(client, operation, ours.path(operation)).status_code == row.status_for("owner")


def _fields_taken(operation: str) -> set[str]:
    content = described()[operation]["requestBody"]["content"]["application/json"]
    name = content["schema"]["$ref"].rsplit("/", 1)[1]
    return set(schema()["components"]["schemas"][name]["properties"])


def _all_fields() -> Iterator[str]:
    """Of every answer that is described, and of every table."""
    yield from property_names(schema()["components"]["schemas"])
    for model in apps.get_app_config("billing").get_models():
        for column in model._meta.concrete_fields:
            yield column.name
            yield column.attname


@pytest.mark.parametrize("operation", UNSAFE)
def test_no_session_writes_without_its_csrf_token(
    operation: str, ours: Ours, organization_mx: Any, member_of: Callable[..., Any]
) -> None:
    """Neither without one, nor with another, nor with the cookie that the browser sends by itself;
    with the right one the same request is granted."""
    client = APIClient(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(member_of(organization_mx, "owner"))
    url = ours.path(operation)
    secret, other = _csrf_token(), _csrf_token()
    before = all_rows()
    assert _is_refused(ask(client, operation, url))
    assert _is_refused(ask(client, operation, url, **{"X-CSRFToken": secret}))
    client.cookies["csrftoken"] = secret
    assert _is_refused(ask(client, operation, url))
    assert _is_refused(ask(client, operation, url, **{"X-CSRFToken": other}))
    assert all_rows() == before
    answer = ask(client, operation, url, **{"X-CSRFToken": secret})
    assert answer.status_code == TABLE[operation].status_for("owner")


def _csrf_token() -> str:
    return get_token(RequestFactory().get("/"))


def _is_refused(answer: Any) -> bool:
    return (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
