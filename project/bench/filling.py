"""Rows by the million: made inside the server from a few that the code itself stored."""

from collections.abc import Mapping
from typing import Any

from django.db import connection, models

from billing.models import (
    Customer,
    Invoice,
    Organization,
    Payment,
    StateChange,
    Subscription,
    WebhookEvent,
)
from billing.services import webhooks
from project.bench import samples

TEMPLATE = "bench_template"
ALIAS, MODE = "stripe", "test"
MIRRORED = (WebhookEvent, StateChange, Payment, Invoice, Subscription)


def execute(statement: str, values: Any = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def clear(*models: type[models.Model]) -> None:
    """Empty these tables, or all that the parts fill."""
    chosen = models or (*MIRRORED, Customer, Organization)
    execute(f"TRUNCATE {', '.join(each._meta.db_table for each in chosen)} CASCADE")


def multiply(
    model: type[models.Model], first: int, last: int, expressions: Mapping[str, str]
) -> None:
    """Insert copies of the model's first row; `expressions` over n replace columns.

    Their ids are new, and the n-th was created n seconds ago.
    """
    given = {"id": "gen_random_uuid()", "created_at": "now() - n * interval '1 second'"}
    source = f"(SELECT * FROM {model._meta.db_table} LIMIT 1)"
    _insert(model, source, range(first, last + 1), given | dict(expressions))


def keep_lives() -> None:
    """Store the deliveries of one life through the real intake, as templates."""
    clear()
    for template in samples.life():
        webhooks.receive(ALIAS, template, samples.stripe_signature(template))
    table = WebhookEvent._meta.db_table
    execute(f"CREATE TABLE {TEMPLATE} AS SELECT * FROM {table}")
    clear(WebhookEvent)


def fill_customers(count: int) -> None:
    """An organization and its customer per token."""
    execute(
        f"WITH made AS (INSERT INTO {Organization._meta.db_table} (id, created_at, updated_at, "
        "name) SELECT gen_random_uuid(), now(), now(), lpad(n::text, 8, '0') "
        "FROM generate_series(1, %s) n RETURNING id, name) "
        f"INSERT INTO {Customer._meta.db_table} (id, created_at, updated_at, organization_id, "
        "provider, mode, provider_customer_id, name, email, default_payment_method_id, "
        "provider_data, sync_seq) "
        f"SELECT gen_random_uuid(), now(), now(), id, '{ALIAS}', '{MODE}', 'cus_' || name, name, "
        "'', '', '{}', 1 FROM made",
        [count],
    )


def fill_events(lives: int, first: int = 1, **expressions: str) -> None:
    """Store the four deliveries of each life, due, in the order in which they came."""
    token = "lpad(n::text, 8, '0')"
    replaced = {
        name: f"replace(t.{name}, '{samples.TOKEN}', {token})"
        for name in ("provider_event_id", "object_id", "customer_id", "parent_id", "body")
    }
    arrived = "now() - interval '1 hour' + n * interval '1 ms' + (t.received_at - '2000-01-01')*0"
    times = dict.fromkeys(("created_at", "received_at", "next_attempt_at"), arrived)
    values = {"id": "gen_random_uuid()", **replaced, **times, **expressions}
    numbers = range(first, first + lives)
    _insert(WebhookEvent, TEMPLATE, numbers, values, order="ORDER BY n, t.occurred_at")
    execute(f"ANALYZE {WebhookEvent._meta.db_table}")


def _insert(
    model: type[models.Model],
    source: str,
    numbers: range,
    expressions: Mapping[str, str],
    order: str = "",
) -> None:
    columns = [field.column for field in model._meta.concrete_fields]
    chosen = ", ".join(expressions.get(name, f't."{name}"') for name in columns)
    names = ", ".join(f'"{name}"' for name in columns)
    execute(
        f"INSERT INTO {model._meta.db_table} ({names}) SELECT {chosen} "
        f"FROM generate_series({numbers.start}, {numbers.stop - 1}) n, {source} t {order}"
    )
