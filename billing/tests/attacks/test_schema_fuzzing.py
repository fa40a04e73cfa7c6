"""The API against requests made from its own description, well-formed and not, by every caller.

Whatever comes in, the answer is one that the description announces, in the shape that it announces,
and none is a 5xx.
"""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, given, settings, strategies
from rest_framework.authtoken.models import Token
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from billing.models import (
    Invoice,
    Organization,
    Payment,
    PaymentMethod,
    RoutingDecision,
    SetupSession,
    Subscription,
)
from billing.tests.attacks.operations import TABLE
from billing.tests.soak import IS_LONG, long_or_short

EXAMPLES = long_or_short(200, 8)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ROWS = {
    "subscriptions": Subscription,
    "payment-methods": PaymentMethod,
    "invoices": Invoice,
    "payments": Payment,
    "setup-sessions": SetupSession,
    "decisions": RoutingDecision,
}
pytestmark = [pytest.mark.django_db, pytest.mark.soak(block="attacks")]


@pytest.fixture
def application() -> Iterator[Any]:
    """The project's WSGI application, on the connection that the test rolls back."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield get_wsgi_application()
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def schema(application: Any, settings: Any) -> Any:
    settings.BILLING_CALLER_RATE = settings.BILLING_CARD_RATE = "1000000/hour"
    return schemathesis.openapi.from_wsgi("/api/schema?format=json", application)


def _name(operation: Any) -> str:
    return f"{operation.method.upper()} {operation.path.removeprefix('/api/v1/billing/')}"


def _is_ours(operation: Any) -> bool:
    return bool(operation.path.startswith("/api/v1/billing/"))


def test_every_operation_is_fuzzed(schema: Any) -> None:
    operations = [result.ok() for result in schema.get_all_operations()]
    assert sorted(map(_name, filter(_is_ours, operations))) == sorted(TABLE)


@pytest.mark.parametrize("role", ["anonymous", "member", "owner"])
@pytest.mark.parametrize("name", TABLE)
def test_the_answer_is_one_that_is_described(
    name: str,
    role: str,
    schema: Any,
    setup_session: SetupSession,
    organization_mx: Organization,
    member_of: Callable[..., Any],
) -> None:
    headers = {}
    if role != "anonymous":
        token = Token.objects.create(user=member_of(organization_mx, role))
        headers["Authorization"] = f"Token {token.key}"
    verb, path = name.split()
    operation = schema[f"/api/v1/billing/{path}"][verb]
    known = _known_names(path)
    modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
    cases = strategies.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes))

    @settings(
        max_examples=EXAMPLES,
        derandomize=not IS_LONG,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, is_known=strategies.booleans())
    def ask(case: Case, is_known: bool) -> None:
        if is_known:
            case.path_parameters.update(known)
        if case.headers is not None and "X-Organization" in case.headers and is_known:
            case.headers["X-Organization"] = str(organization_mx.pk)
        before = transaction.savepoint()  # not a block: inside one no provider may be called
        case.call_and_validate(headers=headers, checks=CHECKS)
        transaction.savepoint_rollback(before)

    ask()


def _known_names(path: str) -> dict[str, str]:
    """What the path's placeholder may be filled with so that it names something."""
    if "{slug}" in path:
        return {"slug": "startup"}
    if "{id}" not in path:
        return {}
    row = ROWS[path.split("/")[0]].objects.first()
    return {"id": str(row.pk if row else uuid.uuid4())}
