"""Every path and verb of the API's description, by everybody: who is granted what, and that who is
refused leaves no trace. A path without a row in the table fails, and a row without a path."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from billing.models import Membership, Organization
from billing.tests.attacks.operations import (
    ACTORS,
    PUBLIC,
    REFUSED,
    SAFE,
    TABLE,
    UNSAFE,
    Ours,
    all_rows,
    ask,
    described,
)

pytestmark = [pytest.mark.django_db, pytest.mark.soak(block="attacks")]
ClientFor = Callable[[str], APIClient]
OF_OBJECTS = [operation for operation in TABLE if "{id}" in operation]
PRIVATE = [operation for operation in TABLE if TABLE[operation].statuses != PUBLIC]
LISTS = [one for one in PRIVATE if one.startswith("GET") and "{" not in one]


def test_the_table_holds_every_operation_and_no_other() -> None:
    assert sorted(TABLE) == sorted(described())


@pytest.mark.parametrize("actor", ACTORS)
def test_each_answer_is_the_one_in_the_table(actor: str, ours: Ours, client_for: ClientFor) -> None:
    client = client_for(actor)
    statuses = {}
    for operation in TABLE:
        before = all_rows()
        answer = ask(client, operation, ours.path(operation))
        statuses[operation] = answer.status_code
        if answer.status_code in REFUSED or operation.split()[0] in SAFE:
            assert all_rows() == before, operation
    assert statuses == {operation: row.status_for(actor) for operation, row in TABLE.items()}


def test_foreign_and_unknown_ids_answer_alike(ours: Ours, client_for: ClientFor) -> None:
    client = client_for("foreign")
    unknown = dict.fromkeys(ours.ids, str(uuid.uuid4()))
    before = all_rows()
    for operation in OF_OBJECTS:
        foreign = ask(client, operation, ours.path(operation))
        never = ask(client, operation, ours.path(operation, unknown))
        assert foreign.status_code == never.status_code == 404, operation
        assert _told(foreign) == _told(never), operation
    assert all_rows() == before


def test_lists_show_what_is_ours_to_us_and_nothing_to_others(
    ours: Ours, client_for: ClientFor
) -> None:
    member, foreign = client_for("member"), client_for("foreign")
    for operation in LISTS:
        url = ours.path(operation)
        mine = ours.ids[operation.split()[1]]
        assert [row["id"] for row in ask(member, operation, url).json()["results"]] == [mine]
        answer = ask(foreign, operation, url)
        assert answer.json()["results"] == []
        assert not any(each in answer.content.decode() for each in ours.ids.values())


def test_naming_our_organization_opens_nothing(ours: Ours, client_for: ClientFor) -> None:
    """Neither to the owner of another, nor to staff, nor in a query or a body."""
    named = {"X-Organization": ours.organization}
    foreign, staff = client_for("foreign"), client_for("staff")
    before = all_rows()
    for operation in PRIVATE:
        url = ours.path(operation)
        assert ask(foreign, operation, url, **named).status_code == 404, operation
        assert ask(staff, operation, url, **named).status_code == 403, operation
    for operation in LISTS:
        url = f"{ours.path(operation)}?organization={ours.organization}"
        assert not ask(foreign, operation, url).json().get("results"), operation
    for operation in UNSAFE:
        if body := TABLE[operation].body:
            asked = {**body, "organization": ours.organization}
            answer = ask(foreign, operation, ours.path(operation), asked)
            assert answer.status_code in (400, 404), operation
    assert all_rows() == before


def test_who_has_several_organizations_reaches_no_other_by_an_objects_id(
    ours: Ours,
    organization_de: Organization,
    member_of: Callable[..., Any],
) -> None:
    """Without X-Organization the path's object says which one is meant, among the caller's own."""
    user = member_of(organization_de, "owner")
    third = Organization.objects.create(name="Third")
    Membership.objects.create(user=user, organization=third, role="owner")
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(user)
    unknown = dict.fromkeys(ours.ids, str(uuid.uuid4()))
    before = all_rows()
    for operation in OF_OBJECTS:
        foreign = ask(client, operation, ours.path(operation))
        never = ask(client, operation, ours.path(operation, unknown))
        assert foreign.status_code == never.status_code == 404, operation
        assert _told(foreign) == _told(never), operation
    assert all_rows() == before


def _told(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name != "request_id"}
