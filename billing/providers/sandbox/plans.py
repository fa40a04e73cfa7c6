"""Plans: one price each, whose amount never changes."""

from collections.abc import Collection

from billing.errors import InvalidRequest
from billing.money import Money
from billing.providers.sandbox.store import Record, Session
from billing.providers.types import PlanRequest


def create(session: Session, request: PlanRequest, currencies: Collection[str]) -> Record:
    """Make a price sellable; `currencies` are those that may be sold, none means all."""
    _check(request, currencies)
    plan_id = session.new_id("price")
    body = {
        "object": "plan",
        "id": plan_id,
        "created": session.now,
        "product": request.product_id or session.new_id("prod"),
        "name": request.name,
        "description": request.description,
        "amount": request.amount_minor,
        "currency": request.currency,
        "interval": str(request.interval),
        "active": True,
        "reference": request.reference or None,
        "plan_reference": request.plan_reference,
    }
    return session.save(Record("plan", plan_id, body), "plan.created")


def _check(request: PlanRequest, currencies: Collection[str]) -> None:
    try:
        money = Money(request.amount_minor, request.currency)
    except (TypeError, ValueError) as exc:
        raise InvalidRequest(str(exc), param="amount_minor") from exc
    if money.minor < 0:
        raise InvalidRequest("an amount is not negative", param="amount_minor")
    if currencies and money.currency not in currencies:
        raise InvalidRequest(f"{money.currency} is not taken here", param="currency")


def update(session: Session, plan_id: str, request: PlanRequest) -> Record:
    plan = session.require("plan", plan_id)
    wanted = (request.amount_minor, request.currency, str(request.interval))
    if wanted != (plan.body["amount"], plan.body["currency"], plan.body["interval"]):
        raise InvalidRequest("a price keeps its amount; make another one", param="amount_minor")
    plan.body.update(name=request.name, description=request.description)
    return session.save(plan, "plan.updated")


def archive(session: Session, plan_id: str) -> Record:
    plan = session.require("plan", plan_id)
    plan.body["active"] = False
    return session.save(plan, "plan.archived")
