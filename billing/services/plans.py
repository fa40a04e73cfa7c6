"""Publishing plans: each price becomes sellable at each provider that takes it."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from billing.conf import conf
from billing.enums import OperationOutcome, TaxBehavior
from billing.errors import PlanNotAvailable
from billing.models import Operation, OutboxMessage, Price, ProviderPrice, SubscriptionPlan
from billing.providers.base import PaymentProvider, PublishesPlans
from billing.providers.types import PlanRequest
from billing.queue import enqueue
from billing.registry import providers
from billing.services import operations, sync

PUBLISH_TOPIC = "plans.publish"
PUBLISH_VERB = "price.publish"


def push(plan: SubscriptionPlan) -> int:
    """Queue publishing each active price at each provider that takes it; return how many."""
    targets = [
        (price, alias)
        for price in plan.prices.on_sale()
        for alias in providers.aliases()
        if takes(alias, price)
    ]
    with transaction.atomic():
        for price, alias in targets:
            OutboxMessage.objects.create(
                topic=PUBLISH_TOPIC,
                dedupe_key=f"{PUBLISH_TOPIC}:{price.pk}:{alias}:{uuid.uuid4()}",
                payload={"price_id": str(price.pk), "alias": alias},
                next_attempt_at=timezone.now(),
            )
        enqueue("billing.drain_outbox")
    return len(targets)


def publish_from_outbox(payload: Mapping[str, Any]) -> None:
    """Carry out one message that `push` wrote."""
    publish(Price.objects.select_related("plan").get(pk=payload["price_id"]), payload["alias"])


def takes(alias: str, price: Price) -> bool:
    """Whether `alias` can sell `price`: it publishes plans and takes the currency and interval."""
    if not providers.supports(alias, PublishesPlans):
        return False
    features = providers.get(alias, PaymentProvider).features
    takes_currency = not features.currencies or price.currency in features.currencies
    return takes_currency and price.interval in features.intervals


def publish(price: Price, alias: str) -> ProviderPrice:
    """Make `price` sellable at `alias` and freeze its amount; does nothing when it is already.

    Raises PlanNotAvailable when the provider cannot sell it, and what the provider raises.
    """
    published = _published(price, alias).first()
    if published:
        return published
    if not takes(alias, price):
        raise PlanNotAvailable(f"{alias} does not take {price.currency} {price.interval} prices")
    freeze(price)
    operation = operations.repeatable(_unsettled(price, alias)) or operations.reserve(
        PUBLISH_VERB, price, organization=None, provider=alias
    )
    with operations.recording(operation):
        if operation.is_done:
            return _published(price, alias).get()
        data = providers.get(alias, PublishesPlans).create_plan(
            _request(price, alias), idempotency_key=operation.key
        )
        row = sync.upsert_provider_price(alias, price, data)
        operation.remote_id = row.provider_price_id
    return row


def settle_publication(operation: Operation) -> None:
    """Settle a publication that was left open: publish, unless it is published already."""
    price = Price.objects.select_related("plan").get(pk=operation.subject_id)
    if _published(price, operation.provider).exists() or not operations.can_repeat(operation):
        operations.look_up(operation)
    else:
        publish(price, operation.provider)


def _published(price: Price, alias: str) -> QuerySet[ProviderPrice]:
    return ProviderPrice.objects.filter(
        price=price, provider=alias, mode=conf.mode(alias), is_active=True
    )


def _unsettled(price: Price, alias: str) -> Operation | None:
    """A publication whose outcome was lost is repeated with its own key."""
    return (
        Operation.objects.filter(
            verb=PUBLISH_VERB,
            provider=alias,
            subject_id=price.pk,
            outcome__in=[OperationOutcome.PENDING, OperationOutcome.UNKNOWN],
        )
        .order_by("-created_at")
        .first()
    )


def freeze(price: Price) -> None:
    """Write the amount down for ever; does nothing when that was done."""
    with transaction.atomic():
        locked = Price.objects.select_for_update().get(pk=price.pk)
        if not locked.is_published:
            locked.published_amount_minor = locked.amount_minor
            locked.published_currency = locked.currency
            locked.published_at = timezone.now()
            locked.save(
                update_fields=["published_amount_minor", "published_currency", "published_at"]
            )
    price.refresh_from_db()


def _request(price: Price, alias: str) -> PlanRequest:
    sibling = (
        ProviderPrice.objects.filter(price__plan=price.plan, provider=alias, mode=conf.mode(alias))
        .exclude(provider_product_id="")
        .first()
    )
    return PlanRequest(
        reference=str(price.pk),
        plan_reference=str(price.plan_id),
        name=price.plan.name,
        description=price.plan.description,
        amount_minor=price.amount_minor,
        currency=price.currency,
        interval=price.interval,  # type: ignore[arg-type] # the column holds the enum's value
        product_id=sibling.provider_product_id if sibling else None,
        tax_behavior=TaxBehavior(price.tax_behavior),
    )
