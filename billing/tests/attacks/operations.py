"""Every operation of the API with who may do it: written by hand, held against the description."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

PREFIX = "/api/v1/billing/"
ACTORS = (
    "anonymous",
    "inactive",
    "without organization",
    "staff",
    "foreign",
    "member",
    "billing_admin",
    "owner",
)
SAFE = ("GET", "HEAD", "OPTIONS")
REFUSED = (401, 403, 404)
Statuses = tuple[int, ...]

# What each of ACTORS is answered.
PUBLIC: Statuses = (200,) * 8
LIST: Statuses = (401, 401, 403, 403, 200, 200, 200, 200)
READ: Statuses = (401, 401, 403, 403, 404, 200, 200, 200)


def write(ours: int, foreign: int = 404) -> Statuses:
    """Of writers `ours`, of the owner of another organization `foreign`."""
    return (401, 401, 403, 403, foreign, 403, ours, ours)


@dataclass(frozen=True)
class Row:
    """Answers to ACTORS; `body` and `query` make the request one that a writer is granted."""

    statuses: Statuses
    body: Mapping[str, Any] | None = None
    query: str = ""

    def status_for(self, actor: str) -> int:
        return self.statuses[ACTORS.index(actor)]


# In an order in which one writer can do all of it.
TABLE = {
    "GET config": Row(PUBLIC),
    "GET plans": Row(PUBLIC),
    "GET plans/{slug}": Row(PUBLIC),
    "GET decisions/{id}": Row(READ),
    "POST decisions": Row(write(201, 201), {"transaction_type": "subscription"}),
    "GET subscriptions": Row(LIST),
    "GET subscriptions/{id}": Row(READ),
    "GET subscriptions/{id}/timeline": Row(READ),
    "GET payment-methods": Row(LIST),
    "GET invoices": Row(LIST),
    "GET invoices/{id}": Row(READ),
    "GET payments/{id}": Row(READ),
    "GET invoices/{id}/voucher": Row((401, 401, 403, 403, 404, 404, 404, 404)),
    # It is paid; that of nobody else is seen.
    "POST invoices/{id}/pay": Row(write(409), {"voucher": "oxxo"}),
    "POST invoices/{id}/voucher/reissue": Row(write(404), {"voucher": "spei"}),
    "PATCH subscriptions/{id}": Row(write(200), {"metadata": {"seat": "12"}}),
    # Ours has one already; that of the other organization is its own.
    "POST subscriptions": Row(
        write(409, 201),
        {"plan": "startup", "interval": "monthly", "payment_method_token": "tok_visa"},
    ),
    "GET setup-sessions/{id}": Row(write(200)),
    "POST setup-sessions": Row(
        write(201, 201), {"provider": "stripe", "methods": ["card", "sepa_debit"]}
    ),
    "POST payment-methods": Row(write(201, 201), {"token": "tok_mastercard"}),
    "DELETE payment-methods/{id}": Row(write(204), query="?force=true"),
    "DELETE subscriptions/{id}": Row(write(200), query="?at_period_end=false"),
}
UNSAFE = [operation for operation in TABLE if operation.split()[0] not in SAFE]


@dataclass(frozen=True)
class Ours:
    """Ids of what our organization has, by the first part of a path."""

    ids: Mapping[str, str]
    organization: str

    def path(self, operation: str, ids: Mapping[str, str] | None = None) -> str:
        """The URL of `operation` about our objects, or about those in `ids`."""
        path = operation.split()[1]
        known = (self.ids if ids is None else ids).get(path.split("/")[0], "")
        return PREFIX + path.format(id=known, slug="startup") + TABLE[operation].query


def ask(client: APIClient, operation: str, url: str, body: Any = None, **headers: str) -> Any:
    """Send `operation`, with the body of the table where none is given."""
    given = TABLE[operation].body if body is None else body
    content = {} if given is None else {"data": given}
    method = getattr(client, operation.split()[0].lower())
    return method(url, format="json", headers=headers, **content)


def described() -> dict[str, Any]:
    """The operations in the API's own description."""
    paths = schema()["paths"].items()
    return {
        f"{verb.upper()} {path.removeprefix(PREFIX)}": operation
        for path, verbs in paths
        if path.startswith(PREFIX)
        for verb, operation in verbs.items()
    }


def schema() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)


def all_rows() -> dict[str, list[dict[str, Any]]]:
    """All that billing has stored, to compare before and after."""
    models = apps.get_app_config("billing").get_models()
    return {
        model.__name__: list(model._default_manager.order_by("pk").values()) for model in models
    }


def property_names(of: Any) -> Iterator[str]:
    """Names of all properties described in a piece of the schema, inner ones too."""
    if isinstance(of, Mapping):
        yield from of.get("properties", {})
        for inner in of.values():
            yield from property_names(inner)
    elif isinstance(of, list):
        for inner in of:
            yield from property_names(inner)
