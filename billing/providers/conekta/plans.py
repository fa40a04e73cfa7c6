"""Plans at Conekta: one for each price of ours, which gives it its id."""

from dataclasses import replace

from billing.enums import BillingInterval
from billing.errors import InvalidRequest, ProviderObjectMissing
from billing.providers.base import PublishesPlans
from billing.providers.conekta import mapping
from billing.providers.conekta.backend import ConektaBackend
from billing.providers.reading import readable
from billing.providers.types import JSON, PlanData, PlanRequest, Ref

_INTERVALS = {BillingInterval.MONTHLY: "month", BillingInterval.YEARLY: "year"}


class Plans(ConektaBackend, PublishesPlans):
    def list_plans(self) -> list[PlanData]:
        return list(readable(self._client.pages("PlansApi", "get_plans"), mapping.plan))

    def get_plan(self, plan: Ref) -> PlanData:
        answer = self._client.read("PlansApi", "get_plan", id=plan.id)
        return mapping.plan(answer.body, as_of=answer.as_of)

    def create_plan(self, request: PlanRequest, *, idempotency_key: str) -> PlanData:
        """The id is our price's UUID: sent again, it is refused, and the plan is there."""
        values = plan(request)
        try:
            answer = self._client.write("PlansApi", "create_plan", plan_request=values)
        except InvalidRequest:
            made = self._made_before(request)
            if made is None:
                raise
            return made
        return mapping.plan(answer.body, as_of=answer.as_of)

    def update_plan(self, plan: Ref, request: PlanRequest, *, idempotency_key: str) -> PlanData:
        """Conekta would let the amount be changed, of running subscriptions too; we never do. There
        is no description."""
        if not _is_sold_as(self.get_plan(plan), request):
            raise InvalidRequest("a price keeps its amount; make another", param="amount_minor")
        answer = self._client.write(
            "PlansApi", "update_plan", id=plan.id, update_plan={"name": request.name}
        )
        return mapping.plan(answer.body, as_of=answer.as_of)

    def archive_plan(self, plan: Ref, *, idempotency_key: str) -> PlanData:
        """Nothing is sent. Conekta's plans can only be deleted, and what becomes of the
        subscriptions that run on a deleted one is not published: it is only we who sell it."""
        return replace(self.get_plan(plan), is_active=False)

    def _made_before(self, request: PlanRequest) -> PlanData | None:
        try:
            found = self.get_plan(Ref(id=request.reference))
        except ProviderObjectMissing:
            return None
        return found if _is_sold_as(found, request) else None


def plan(request: PlanRequest) -> JSON:
    """Raises InvalidRequest for what is free: Conekta charges a centavo at least."""
    if request.amount_minor < 1:
        raise InvalidRequest("a plan charges something", param="amount_minor")
    return {
        "id": request.reference,
        "name": request.name,
        "amount": request.amount_minor,
        "currency": request.currency,
        "interval": _INTERVALS[request.interval],
        "frequency": 1,
    }


def _is_sold_as(found: PlanData, request: PlanRequest) -> bool:
    told = (found.amount_minor, found.currency, found.interval)
    return told == (request.amount_minor, request.currency, request.interval)
