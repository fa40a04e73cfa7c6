"""Writing many rows in one statement."""

from collections.abc import Sequence
from typing import Any, cast

import orjson
from django.db import connection, models


def write(rows: Sequence[models.Model], *, columns: Sequence[str] = ()) -> None:
    """Insert `rows` of one model, in their order; a stored row of the same id gets `columns`.

    Raises IntegrityError for any other row in the way, or for that one without `columns`.

    Django hands PostgreSQL an array per column, in which psycopg escapes every quote of a JSON
    value in Python: half of a drain's time. There the rows go as one JSON document instead.
    """
    if not rows:
        return
    model = type(rows[0])
    if connection.vendor == "postgresql":
        _write_document(model, rows, columns)
    elif columns:
        model._default_manager.bulk_create(
            rows, update_conflicts=True, unique_fields=["id"], update_fields=columns
        )
    else:
        model._default_manager.bulk_create(rows)


def _write_document(
    model: type[models.Model], rows: Sequence[models.Model], columns: Sequence[str]
) -> None:
    fields = model._meta.concrete_fields
    document = [
        {field.column: field.pre_save(row, row._state.adding) for field in fields} for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.execute(_statement(model, columns), [orjson.dumps(document).decode()])
    for row in rows:
        row._state.adding = False
        row._state.db = connection.alias


def _statement(model: type[models.Model], columns: Sequence[str]) -> str:
    quote, meta = connection.ops.quote_name, cast(Any, model._meta)
    table = quote(meta.db_table)
    names = ", ".join(quote(field.column) for field in meta.concrete_fields)
    statement = (
        f"INSERT INTO {table} ({names}) SELECT {names} "  # noqa: S608 - names of our own models
        f"FROM json_populate_recordset(NULL::{table}, %s)"
    )
    if not columns:
        return statement
    updated = [quote(meta.get_field(name).column) for name in columns]
    changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in updated)
    return f"{statement} ON CONFLICT (id) DO UPDATE SET {changes}"
