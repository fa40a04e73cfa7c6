"""Every path and verb, by everybody; and which organization a request is about."""

import uuid
from typing import Any

import pytest
from rest_framework.authtoken.models import Token

from billing.models import Invoice, Membership, Payment, PaymentMethod
from billing.tests.api.conftest import PREFIX, client_of

pytestmark = pytest.mark.django_db

SUBSCRIBE = {"plan": "startup", "interval": "monthly", "payment_method_token": "tok_visa"}
# verb, path, body, then the answers to: anonymous, foreign organization, member, owner
PUBLIC, READ, LIST = (200, 200, 200, 200), (401, 404, 200, 200), (401, 200, 200, 200)
TABLE = [
    ("get", "plans", None, PUBLIC),
    ("get", "plans/startup", None, PUBLIC),
    ("get", "subscriptions", None, LIST),
    ("post", "subscriptions", SUBSCRIBE, (401, 201, 403, 409)),
    ("get", "subscriptions/{subscription}", None, READ),
    ("get", "subscriptions/{subscription}/timeline", None, READ),
    ("patch", "subscriptions/{subscription}", {"metadata": {"a": "b"}}, (401, 404, 403, 200)),
    ("delete", "subscriptions/{subscription}?at_period_end=false", None, (401, 404, 403, 200)),
    ("get", "payment-methods", None, LIST),
    ("post", "payment-methods", {"token": "tok_mastercard"}, (401, 201, 403, 201)),
    ("delete", "payment-methods/{payment_method}?force=true", None, (401, 404, 403, 204)),
    ("get", "invoices", None, LIST),
    ("get", "invoices/{invoice}", None, READ),
    ("get", "invoices/{invoice}/voucher", None, (401, 404, 404, 404)),
    ("post", "invoices/{invoice}/pay", {"voucher": "oxxo"}, (401, 404, 403, 409)),
    ("post", "invoices/{invoice}/voucher/reissue", {}, (401, 404, 403, 404)),
    ("get", "payments/{payment}", None, READ),
]
NOT_ALLOWED = [
    ("post", "plans"),
    ("delete", "plans/startup"),
    ("put", "subscriptions"),
    ("put", "subscriptions/{subscription}"),
    ("post", "subscriptions/{subscription}"),
    ("get", "payment-methods/{payment_method}"),
    ("patch", "payment-methods/{payment_method}"),
    ("post", "invoices"),
    ("delete", "invoices/{invoice}"),
    ("get", "invoices/{invoice}/pay"),
    ("delete", "payments/{payment}"),
    ("post", "subscriptions/{subscription}/timeline"),
    ("options", "subscriptions"),
]


@pytest.fixture
def names(subscription: dict[str, Any]) -> dict[str, str]:
    return {
        "subscription": subscription["id"],
        "payment_method": str(PaymentMethod.objects.get().pk),
        "invoice": str(Invoice.objects.get().pk),
        "payment": str(Payment.objects.get().pk),
    }


def call(client: Any, verb: str, path: str, body: Any = None, **headers: str) -> Any:
    kwargs = {} if body is None else {"data": body}
    return getattr(client, verb)(f"{PREFIX}/{path}", format="json", headers=headers, **kwargs)


@pytest.mark.parametrize(("verb", "path", "body", "statuses"), TABLE)
def test_each_path_and_verb_answers_each_caller(
    verb: str,
    path: str,
    body: Any,
    statuses: tuple[int, ...],
    names: dict[str, str],
    anonymous: Any,
    stranger: Any,
    member: Any,
    client: Any,
) -> None:
    full = path.format(**names)
    answers = [call(caller, verb, full, body) for caller in (anonymous, stranger, member, client)]
    assert tuple(answer.status_code for answer in answers) == statuses
    for answer in answers:
        if answer.status_code >= 400:
            assert answer["Content-Type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code
        elif answer.status_code != 204:
            assert answer["Content-Type"] == "application/json"


def test_a_final_slash_changes_nothing(names: dict[str, str], member: Any, client: Any) -> None:
    for verb, path, body, statuses in TABLE:
        before, mark, query = path.format(**names).partition("?")
        full = f"{before}/{mark}{query}"
        assert call(member, verb, full, body).status_code == statuses[2], full
        assert call(client, verb, full, body).status_code == statuses[3], full


def test_foreign_and_unknown_ids_answer_alike(names: dict[str, str], stranger: Any) -> None:
    unknown = dict.fromkeys(names, str(uuid.uuid4()))
    garbage = dict.fromkeys(names, "nonsense")
    for verb, path, *_ in TABLE:
        if "{" not in path:
            continue
        answers = [
            call(stranger, verb, path.format(**ids), {}).json() for ids in (names, unknown, garbage)
        ]
        for answer in answers:
            answer.pop("request_id")
        assert answers[0] == answers[1] == answers[2], path
        assert answers[0]["code"] == "not_found"


def test_other_verbs_are_refused(names: dict[str, str], client: Any) -> None:
    for verb, path in NOT_ALLOWED:
        answer = call(client, verb, path.format(**names))
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed"), path


def test_foreign_rows_are_in_no_list(subscription: Any, stranger: Any) -> None:
    for path in ("subscriptions", "payment-methods", "invoices"):
        assert call(stranger, "get", path).json()["results"] == []


def test_a_billing_admin_writes(subscription: Any, organization_mx: Any, member_of: Any) -> None:
    admin = client_of(member_of(organization_mx, "billing_admin"))
    path = f"subscriptions/{subscription['id']}"
    assert call(admin, "patch", path, {"metadata": {"a": "b"}}).json()["metadata"] == {"a": "b"}


def test_an_unknown_role_is_none(organization_mx: Any, member_of: Any) -> None:
    caller = client_of(member_of(organization_mx, "viewer"))
    assert call(caller, "get", "subscriptions").json()["code"] == "no_organization"


def test_no_membership(owner: Any, client: Any) -> None:
    Membership.objects.all().delete()
    answer = call(client, "get", "subscriptions")
    assert (answer.status_code, answer.json()["code"]) == (403, "no_organization")


@pytest.mark.usefixtures("published")
def test_inactive_users_get_nothing(owner: Any, client: Any) -> None:
    token = Token.objects.create(user=owner)
    owner.is_active = False
    owner.save()
    by_token = call(client_of(), "get", "subscriptions", Authorization=f"Token {token.key}")
    by_session = call(client, "get", "subscriptions")
    assert (by_session.status_code, by_token.status_code) == (401, 401)


def test_a_token_is_as_good_as_a_session(owner: Any, subscription: Any) -> None:
    token = Token.objects.create(user=owner)
    anonymous = client_of()
    answer = call(anonymous, "get", "subscriptions", Authorization=f"Token {token.key}")
    assert [row["id"] for row in answer.json()["results"]] == [subscription["id"]]
    wrong = call(anonymous, "get", "subscriptions", Authorization="Token nonsense")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "authentication_failed")
    assert wrong["WWW-Authenticate"] == "Token"


def test_a_session_needs_its_csrf_token(owner: Any) -> None:
    client = client_of(owner)
    client.handler.enforce_csrf_checks = True
    answer = call(client, "post", "payment-methods", {"token": "tok_visa"})
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


class TestOrganization:
    def test_the_header_names_one_of_the_callers(
        self, client: Any, in_both: Any, organization_de: Any, organization_mx: Any
    ) -> None:
        for organization in (organization_de, organization_mx):
            answer = call(client, "get", "invoices", **{"X-Organization": str(organization.pk)})
            assert answer.status_code == 200

    @pytest.mark.parametrize(
        "value", ["", "nonsense", "4f5e965b-2db6-43c6-b662-e10bde08c76d", "1", "%00"]
    )
    def test_any_other_value_is_404(self, value: str, client: Any) -> None:
        assert call(client, "get", "invoices", **{"X-Organization": value}).status_code == 404

    def test_a_foreign_one_is_404(self, stranger: Any, organization_mx: Any) -> None:
        answer = call(stranger, "get", "invoices", **{"X-Organization": str(organization_mx.pk)})
        assert answer.status_code == 404

    def test_several_and_no_header(self, client: Any, in_both: Any) -> None:
        answer = call(client, "get", "invoices")
        assert (answer.status_code, answer.json()["code"]) == (400, "organization_required")

    def test_a_path_that_names_an_object_finds_its_owner(
        self, client: Any, names: dict[str, str], in_both: Any
    ) -> None:
        path = f"subscriptions/{names['subscription']}"
        assert call(client, "get", path).json()["id"] == names["subscription"]
        assert call(client, "get", f"{path}/timeline").status_code == 200
        assert call(client, "get", f"subscriptions/{uuid.uuid4()}").status_code == 404
        assert call(client, "get", "subscriptions/nonsense").status_code == 404

    def test_roles_are_those_of_the_named_organization(
        self, client: Any, in_both: Any, organization_de: Any
    ) -> None:
        headers = {"X-Organization": str(organization_de.pk)}
        answer = call(client, "post", "payment-methods", {"token": "tok_visa"}, **headers)
        assert answer.status_code == 403

    def test_an_object_is_not_found_under_another_of_the_callers_organizations(
        self, client: Any, names: dict[str, str], in_both: Any, organization_de: Any
    ) -> None:
        headers = {"X-Organization": str(organization_de.pk)}
        path = f"subscriptions/{names['subscription']}"
        assert call(client, "get", path, **headers).status_code == 404
