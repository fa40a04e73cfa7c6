"""Row 11: a routing decision without network, over the statements that it makes."""

import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection
from django.utils import timezone

from billing.enums import TransactionType
from billing.models import (
    BillingAccount,
    Organization,
    Price,
    ProviderPrice,
    RoutingDecision,
    SubscriptionPlan,
)
from billing.services import routing, rule_sets
from billing.services.routing import Inquiry
from geo.ip import Visitor
from project.bench.figures import Figure, Table

TIMES = 500
Statement = tuple[str, Sequence[Any]]


def measure(table: Table, *, rounds: int) -> None:
    organization, inquiry = _seed()
    visitor = Visitor(ip="127.0.0.1")

    def decide() -> RoutingDecision:
        return routing.decide(organization, inquiry, visitor=visitor)

    statements, decision = _recorded(decide)
    wholes, bares = [], []
    for _ in range(rounds):
        wholes.append(_milliseconds(decide))
        bares.append(_milliseconds(lambda: _execute(statements, decision)))
    table.add(
        Figure(
            name=f"a decision over its {len(statements)} statements alone: ms more",
            values=[whole - bare for whole, bare in zip(wholes, bares, strict=True)],
            aim=2,
        ),
        Figure(name="  a decision: ms", values=wholes),
        Figure(name="  its statements alone: ms", values=bares),
    )


def _seed() -> tuple[Organization, Inquiry]:
    """A Mexican organization and a plan that is sold in pesos."""
    organization = Organization.objects.create(name="Bench")
    BillingAccount.objects.create(organization=organization, address={"country": "MX"})
    plan = SubscriptionPlan.objects.create(slug="bench-decisions", name="Bench")
    price = Price.objects.create(plan=plan, interval="monthly", currency="MXN", amount_minor=54900)
    ProviderPrice.objects.create(
        price=price,
        provider="conekta",
        mode="sandbox",
        provider_price_id="price_bench",
        provider_version=timezone.now(),
    )
    rule_sets.ensure_active()
    return organization, Inquiry(
        transaction_type=TransactionType.SUBSCRIPTION, plan=plan, interval="monthly"
    )


def _recorded(decide: Callable[[], RoutingDecision]) -> tuple[list[Statement], RoutingDecision]:
    statements: list[Statement] = []

    def record(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append((sql, tuple(params or ())))
        return execute(sql, params, many, context)

    decide()  # what the first of a process reads once
    with connection.execute_wrapper(record):
        decision = decide()
    return statements, decision


def _execute(statements: list[Statement], decision: RoutingDecision) -> None:
    """The same statements, the row under an id of its own."""
    fresh = uuid.uuid4()
    with connection.cursor() as cursor:
        for sql, params in statements:
            cursor.execute(sql, [fresh if each == decision.pk else each for each in params])
            if cursor.description:
                cursor.fetchall()


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    for _ in range(TIMES):
        work()
    return (time.perf_counter() - started) / TIMES * 1000
