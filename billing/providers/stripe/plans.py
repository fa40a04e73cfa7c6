"""Plans at Stripe: a product, and a price for each interval and currency."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from billing.errors import InvalidRequest
from billing.providers.base import PublishesPlans
from billing.providers.stripe import mapping, parameters
from billing.providers.stripe.amounts import to_stripe
from billing.providers.stripe.backend import StripeBackend
from billing.providers.types import JSON, PlanData, PlanRequest, Ref
from billing.providers.values import Incomplete, remote_id


class Plans(StripeBackend, PublishesPlans):
    def list_plans(self) -> list[PlanData]:
        found = self._client.pages(
            "prices", active="true", type="recurring", expand=("data.product",)
        )
        return list(_sellable(found))

    def get_plan(self, plan: Ref) -> PlanData:
        answer = self._client.get("prices", plan.id, expand=("product",))
        return mapping.plan(answer.body, as_of=answer.as_of)

    def create_plan(self, request: PlanRequest, *, idempotency_key: str) -> PlanData:
        to_stripe(request.amount_minor, request.currency)  # refused before the product is made
        product_id = request.product_id or self._create_product(request, idempotency_key)
        answer = self._client.post(
            "prices",
            idempotency_key=idempotency_key,
            expand=("product",),
            params=parameters.price(request, product_id),
        )
        return mapping.plan(answer.body, as_of=answer.as_of)

    def update_plan(self, plan: Ref, request: PlanRequest, *, idempotency_key: str) -> PlanData:
        """Name and description are the product's, so its other prices get them too."""
        current = self.get_plan(plan)
        wanted = (request.amount_minor, request.currency, request.interval)
        if wanted != (current.amount_minor, current.currency, current.interval):
            raise InvalidRequest("a price keeps its amount; make another", param="amount_minor")
        answer = self._client.post(
            "products",
            current.product_id,
            idempotency_key=idempotency_key,
            params={"name": request.name, "description": request.description},
        )
        return mapping.plan({**current.raw, "product": answer.body}, as_of=answer.as_of)

    def archive_plan(self, plan: Ref, *, idempotency_key: str) -> PlanData:
        answer = self._client.post(
            "prices",
            plan.id,
            idempotency_key=idempotency_key,
            expand=("product",),
            params={"active": False},
        )
        return mapping.plan(answer.body, as_of=answer.as_of)

    def _create_product(self, request: PlanRequest, key: str) -> str:
        answer = self._client.post(
            "products", idempotency_key=f"{key}-product", params=parameters.product(request)
        )
        return remote_id(answer.body)


def _sellable(prices: Iterator[tuple[JSON, datetime]]) -> Iterator[PlanData]:
    """The prices that have one amount; whatever else is sold in the account is not ours."""
    for each, as_of in prices:
        with suppress(Incomplete):
            yield mapping.plan(each, as_of=as_of)
