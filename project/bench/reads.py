"""Rows 7 and 8: the API's lists over a bare query, and the admin's over those of a small table."""

import base64
import http.client
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.views.main import ORDER_VAR
from django.contrib.auth import get_user_model
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from rest_framework.authtoken.models import Token

from billing.enums import (
    EventKind,
    InvoiceStatus,
    PaymentStatus,
    SubscriptionStatus,
    WebhookState,
)
from billing.lifecycle import TERMINAL_SUBSCRIPTION
from billing.models import (
    Customer,
    Invoice,
    Membership,
    Organization,
    Payment,
    StateChange,
    Subscription,
    WebhookEvent,
)
from project.bench import filling
from project.bench.figures import Figure, Table, percentile, ratios, say
from project.bench.stack import Sent, Stack, Web

SMALL = 10_000
GETS = 100
ADMIN_GETS = 5
OWNED = {"provider": filling.ALIAS, "mode": filling.MODE, "provider_version": timezone.now()}
Times = dict[str, float]


def measure(stack: Stack, table: Table, *, rows: int, rounds: int) -> None:
    filling.clear()
    organization = _seed()
    token, cookie = _log_in(organization)
    small_count = min(SMALL, rows // 10)
    _fill(1, small_count)
    paths = list(_admin_paths())
    with stack.web() as web:
        small = [_admin_times(web, cookie, paths) for _ in range(rounds)]
    say(f"  filling {len(_EXPRESSIONS)} tables up to {rows:,} rows")
    _fill(small_count + 1, rows)
    with stack.web() as web, stack.web(BENCH_ONLY="bare") as bare:
        large = [_admin_times(web, cookie, paths) for _ in range(rounds)]
        _tell_admin(table, small, large, small_count, rows)
        _api(table, web, bare, organization, token, rows, rounds)


# --- the API --------------------------------------------------------------------------------------


def _api(
    table: Table,
    web: Web,
    bare: Web,
    organization: Organization,
    token: str,
    rows: int,
    rounds: int,
) -> None:
    row = Invoice.objects.order_by("-created_at", "-id")[rows * 9 // 10]
    values = [False, str(row.created_at), str(row.pk)]
    cursor = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
    before = quote(row.created_at.isoformat())
    limit_path = f"/bench/invoices?organization={organization.pk}"
    path = "/api/v1/billing/invoices?page_size=50"
    headers = {"Authorization": f"Token {token}"}

    def get(server: Web, path: str) -> Sent:
        return server.send(range(GETS), path=path, method="GET", connections=1, headers=headers)

    runs: dict[str, list[Sent]] = {"bare": [], "first": [], "deep": [], "deep bare": []}
    for number in range(rounds + 1):
        sent = {
            "bare": get(bare, limit_path),
            "first": get(web, path),
            "deep": get(web, f"{path}&cursor={cursor}"),
            "deep bare": get(bare, f"{limit_path}&before={before}"),
        }
        for name, each in sent.items():
            runs[name] += [each] if number else []  # the first warms up
    times = {
        name: [percentile(each.latencies, 0.5) * 1000 for each in sent]
        for name, sent in runs.items()
    }
    table.add(
        Figure(
            name=f"API, 50 invoices out of {rows:,} over bare values(): p50",
            values=ratios(times["first"], times["bare"]),
            aim=1.5,
        ),
        Figure(
            name="API, a deep page over the first: p50",
            values=ratios(times["deep"], times["first"]),
            aim=1.1,
        ),
        Figure(
            name="  CPU per request over bare values()",
            values=ratios(
                [each.cpu_each for each in runs["first"]], [each.cpu_each for each in runs["bare"]]
            ),
        ),
        *(Figure(name=f"  {name}: p50, ms", values=times[name]) for name in times),
    )


# --- the admin ------------------------------------------------------------------------------------


def _admin_paths() -> Iterator[str]:
    """Each list of a big table as it opens, by each of its filters, and by each of its sorts."""
    request = RequestFactory().get("/")
    request.user = get_user_model().objects.get(username="bench")
    for model in _EXPRESSIONS:
        path = reverse(f"admin:billing_{model._meta.model_name}_changelist")
        yield path
        model_admin: Any = admin.site._registry[model]
        changelist = model_admin.get_changelist_instance(request)
        for spec in changelist.filter_specs:
            for choice in spec.choices(changelist):
                if choice["query_string"] != "?":
                    yield path + choice["query_string"]
        for number, name in enumerate(changelist.list_display):
            if name in changelist.sortable_by:
                yield f"{path}?{ORDER_VAR}={number}"
                yield f"{path}?{ORDER_VAR}=-{number}"


def _admin_times(web: Web, cookie: str, paths: list[str]) -> Times:
    """The quickest of a few GETs, seconds; a slow list is slow every time."""
    client = http.client.HTTPConnection("127.0.0.1", web.port)
    times: Times = {}
    for path in paths:
        for _ in range(ADMIN_GETS):
            started = time.perf_counter()
            client.request("GET", path, headers={"Cookie": cookie})
            answer = client.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path} answered {answer.status}")
            times[path] = min(times.get(path, 1e9), time.perf_counter() - started)
    return times


def _tell_admin(table: Table, small: list[Times], large: list[Times], few: int, rows: int) -> None:
    worst, grown = [], []
    for one, other in zip(large, small, strict=True):
        growth = {path: one[path] / other[path] for path in one}
        path = max(growth, key=lambda path: growth[path])
        grown.append(growth[path])
        worst.append(f"{path} {other[path] * 1000:.0f} to {one[path] * 1000:.0f} ms")
    table.add(
        Figure(
            name=f"admin, the list that grows most from {few:,} to {rows:,} rows",
            values=grown,
            aim=1.5,
            note=f"of {len(large[0])} lists; in each round: {'; '.join(worst)}",
        ),
        Figure(
            name="  admin, the slowest list: ms",
            values=[max(each.values()) * 1000 for each in large],
        ),
    )


# --- rows -----------------------------------------------------------------------------------------


def _seed() -> Organization:
    """One organization that owns one row of everything."""
    organization = Organization.objects.create(name="Bench")
    customer = Customer.objects.create(
        organization=organization, provider_customer_id="cus_bench", **OWNED
    )
    owner = {"organization": organization, "customer": customer, **OWNED}
    now = timezone.now()
    subscription = Subscription.objects.create(
        **owner, provider_subscription_id="sub_bench", slot=None, status="active",
        provider_customer_id="cus_bench", current_period_end=now, provider_data={"id": "x" * 500},
    )  # fmt: skip
    lines = [{"description": "Startup", "amount": "29.99", "amount_minor": 2999, "quantity": 1}]
    invoice = Invoice.objects.create(
        **owner, provider_invoice_id="in_bench", number="B-1", status="paid", currency="USD",
        total_minor=2999, subscription=subscription, provider_data={"id": "x" * 500},
        line_items=lines, period_start=now, period_end=now, paid_at=now,
    )  # fmt: skip
    Payment.objects.create(
        **owner, provider_payment_id="pi_bench", amount_minor=2999, currency="USD",
        invoice=invoice, status="succeeded",
    )  # fmt: skip
    event = WebhookEvent.objects.create(
        provider=filling.ALIAS, mode=filling.MODE, provider_event_id="evt_bench", body="{}",
        event_type="invoice.paid", kind="invoice", object_id="in_bench", occurred_at=now,
        received_at=now, next_attempt_at=now, state="processed", processed_at=now,
    )  # fmt: skip
    StateChange.objects.create(
        organization=organization, object_type="invoice", object_id=invoice.pk, event_id=event.pk,
        provider=filling.ALIAS, cause="webhook", outcome="applied", occurred_at=now,
        event_type="invoice.paid", from_state="open", to_state="paid",
    )  # fmt: skip
    return organization


def _seldom(common: str, enum: Any) -> str:
    """One row of ten has another value than the common one, each of them in turn.

    So each value fills a page of the small table too: what grows is the table, not the page.
    """
    values = ", ".join(f"'{each.value}'" for each in enum)
    rare = f"(array[{values}])[1 + (n / 10) % {len(list(enum))}]"
    return f"CASE WHEN n % 10 = 0 THEN {rare} ELSE '{common}' END"


_PROVIDER = {
    "provider": "(array['stripe', 'conekta', 'polar'])[1 + n % 3]",
    "mode": "(array['test', 'sandbox', 'sandbox'])[1 + n % 3]",
}
_STATUS = _seldom("active", SubscriptionStatus)
_ENDED = ", ".join(f"'{word}'" for word in TERMINAL_SUBSCRIPTION)
_EXPRESSIONS: dict[Any, dict[str, str]] = {
    Subscription: {
        **_PROVIDER,
        "provider_subscription_id": "'sub_' || n",
        "status": _STATUS,
        "ended_at": f"CASE WHEN {_STATUS} IN ({_ENDED}) THEN now() END",
        "current_period_end": "now() + (n % 80 - 40) * interval '1 day'",
    },
    Invoice: {
        **_PROVIDER,
        "provider_invoice_id": "'in_' || n",
        "number": "'B-' || n",
        "status": _seldom("paid", InvoiceStatus),
    },
    Payment: {
        **_PROVIDER,
        "provider_payment_id": "'pi_' || n",
        "status": _seldom("succeeded", PaymentStatus),
    },
    WebhookEvent: {
        **_PROVIDER,
        "provider_event_id": "'evt_' || n",
        "object_id": "'in_' || n",
        "state": _seldom("processed", WebhookState),
        "kind": _seldom("invoice", EventKind),
        "received_at": "now() - n * interval '1 second'",
    },
    StateChange: {"object_id": "gen_random_uuid()", "event_id": "gen_random_uuid()"},
}


def _fill(first: int, last: int) -> None:
    for model, expressions in _EXPRESSIONS.items():
        filling.multiply(model, first, last, expressions)
        filling.execute(f"VACUUM ANALYZE {model._meta.db_table}")


def _log_in(organization: Organization) -> tuple[str, str]:
    """The API token of an owner, and the session cookie of the same superuser."""
    user = get_user_model().objects.create_superuser("bench", password="not-a-secret")
    Membership.objects.create(user=user, organization=organization, role="owner")
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    return Token.objects.create(user=user).key, f"{name}={client.cookies[name].value}"
