"""Selling, changing and ending subscriptions. Reserve, call, record."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from typing import Any, cast

from django.apps import apps
from django.db import transaction

from billing import clock, lifecycle
from billing.conf import conf
from billing.enums import (
    ChangeCause,
    ChangeOutcome,
    EndReason,
    IncompleteReason,
    OperationOutcome,
    SubscriptionStatus,
    TransactionType,
)
from billing.errors import (
    AlreadySubscribed,
    BillingError,
    InvalidRequest,
    OutcomeUnknown,
    PaymentDeclined,
    PaymentMethodElsewhere,
    PlanNotAvailable,
    ProviderObjectMissing,
    RequestInProgress,
)
from billing.models import (
    AnyOrganization,
    Customer,
    Operation,
    PaymentMethod,
    Price,
    ProviderPrice,
    RoutingDecision,
    StateChange,
    Subscription,
    SubscriptionPlan,
)
from billing.providers.base import (
    ManagesSubscriptions,
    PausesSubscriptions,
    ReadsSubscriptions,
    ResumesSubscriptions,
)
from billing.providers.types import SubscriptionData, SubscriptionRequest, SubscriptionUpdate
from billing.registry import providers
from billing.services import (
    customers,
    operations,
    payment_methods,
    planned_ends,
    routing,
    sync,
)
from geo.ip import Visitor

CREATE = "subscription.create"
IN_PROGRESS_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class _Offer:
    """What is sold: decision, price, and the price's remote id at the chosen provider."""

    decision: RoutingDecision
    price: Price
    provider_price: ProviderPrice


def create(
    organization: AnyOrganization,
    *,
    plan: SubscriptionPlan,
    interval: str,
    quantity: int = 1,
    currency: str = "",
    payment_method: PaymentMethod | None = None,
    token: str = "",
    billing_address: Mapping[str, str] | None = None,
    decision: RoutingDecision | None = None,
    user: Any = None,
    visitor: Visitor | None = None,
    request_key: str = "",
) -> Subscription:
    """Subscribe `organization` to `plan` at the provider that the router chooses.

    An earlier `decision` for the same purchase is kept to: the token that was made for its provider
    goes there. Returns the subscription; where the customer must act it is `incomplete` with a
    `next_action`.
    A repeated `request_key` returns the same subscription. Raises AlreadySubscribed,
    PlanNotAvailable, NoRoute, DecisionOutdated, ProfileIncomplete, PaymentDeclined (the attempt is
    then over), and OutcomeUnknown (repeat with the same key).
    """
    operation = _earlier(organization, request_key)
    if operation is None:
        inquiry = routing.Inquiry(
            transaction_type=TransactionType.SUBSCRIPTION,
            plan=plan,
            interval=interval,
            currency=currency,
            billing_address=billing_address or {},
        )
        if decision is None:
            decision = routing.decide(organization, inquiry, user=user, visitor=visitor)
        offer = _offer(routing.honor(decision, inquiry), inquiry)
        _make_room(organization)
        alias = offer.decision.provider
        customer = customers.ensure(organization, alias)
        method = _method(
            organization, alias, payment_method, token, billing_address, user, request_key
        )
        operation = _reserve(organization, customer, offer, quantity, method, request_key)
    return finish(operation)


def finish(operation: Operation) -> Subscription:
    """Carry out a reserved creation, or repeat with its own key one whose answer was lost.

    Raises PaymentDeclined, OutcomeUnknown, and what else the provider raises.
    """
    subscription = Subscription.objects.with_details().get(pk=operation.subject_id)
    if operation.is_done:
        return subscription
    if subscription.provider_subscription_id:
        # The answer was lost, but a webhook told that it was made.
        operations.settle(operation, OperationOutcome.DONE)
        return subscription
    if not (operation.was_reserved_now or operations.can_repeat(operation)):
        raise RequestInProgress("it is being made right now", retry_after=IN_PROGRESS_SECONDS)
    return _create_at_provider(subscription, operation)


def settle_creation(operation: Operation) -> None:
    """Settle a creation that was left open: repeat it with its key, or look it up.

    Raises PaymentDeclined, and what the provider raises.
    """
    again = _repeatable(operation)
    if again:
        finish(again)


def change(
    subscription: Subscription,
    *,
    plan: SubscriptionPlan | None = None,
    interval: str | None = None,
    quantity: int | None = None,
    payment_method: PaymentMethod | None = None,
    cancel_at_period_end: bool | None = None,
    metadata: Mapping[str, Any] | None = None,
    request_key: str = "",
) -> Subscription:
    """Change what is named and leave the rest; `cancel_at_period_end` False undoes a cancellation.

    A plan or interval keeps provider and currency. Raises InvalidTransition, PlanNotAvailable,
    UnsupportedOperation, PaymentDeclined.
    """
    if metadata is not None:
        Subscription.objects.filter(pk=subscription.pk).update(metadata=dict(metadata))
    if plan or interval or quantity or payment_method:
        _update_at_provider(subscription, plan, interval, quantity, payment_method, request_key)
    if cancel_at_period_end is True:
        cancel(subscription, at_period_end=True, request_key=request_key)
    if cancel_at_period_end is False:
        resume(subscription, request_key=request_key)
    return reload(subscription)


def cancel(
    subscription: Subscription, *, at_period_end: bool = True, request_key: str = ""
) -> Subscription:
    """Stop renewing `subscription`; with `at_period_end=False` end it now.

    Where the provider cannot end it with the period, we do (`planned_ends`). Raises
    InvalidTransition if it has already ended, or what the provider raises.
    """
    provider = providers.get(subscription.provider, ManagesSubscriptions)
    if at_period_end and providers.ends_only_at_once(subscription.provider):
        planned_ends.plan(subscription)
        return reload(subscription)
    command = "cancel_at_period_end" if at_period_end else "cancel"
    return _command(
        subscription,
        command,
        request_key,
        partial(provider.cancel_subscription, subscription.ref, at_period_end=at_period_end),
    )


def resume(subscription: Subscription, *, request_key: str = "") -> Subscription:
    """Undo a cancellation that is planned for the period's end.

    Raises InvalidTransition once it has ended, UnsupportedOperation where that cannot be undone.
    """
    if providers.ends_only_at_once(subscription.provider):
        planned_ends.undo(subscription)
        return reload(subscription)
    provider = providers.get(subscription.provider, ResumesSubscriptions)
    return _command(
        subscription, "resume", request_key, partial(provider.resume_subscription, subscription.ref)
    )


def pause(subscription: Subscription, *, request_key: str = "") -> Subscription:
    """Stop invoices of an active subscription now, until `unpause`.

    Raises InvalidTransition unless it is active, UnsupportedOperation where it cannot be paused.
    """
    provider = providers.get(subscription.provider, PausesSubscriptions)
    return _command(
        subscription, "pause", request_key, partial(provider.pause_subscription, subscription.ref)
    )


def unpause(subscription: Subscription, *, request_key: str = "") -> Subscription:
    """Begin a new period of a paused subscription and charge it.

    Returns it still `paused`, with its `next_action`, where the payment is declined or takes its
    time. Raises InvalidTransition unless it is paused, UnsupportedOperation where it cannot be.
    """
    provider = providers.get(subscription.provider, PausesSubscriptions)
    return _command(
        subscription,
        "unpause",
        request_key,
        partial(provider.unpause_subscription, subscription.ref),
    )


def reload(subscription: Subscription) -> Subscription:
    """The subscription as it is stored now, with what its representation shows."""
    return Subscription.objects.with_details().get(pk=subscription.pk)


def _command(
    subscription: Subscription,
    verb: str,
    request_key: str,
    call: Any,
    request: Mapping[str, Any] | None = None,
) -> Subscription:
    """One write on an existing subscription: guard, call with the operation's key, record."""
    guard = partial(lifecycle.ensure, subscription.status, verb)
    try:
        with operations.start(
            f"subscription.{verb}", subscription, request_key, guard=guard, request=request
        ) as operation:
            if not operation.is_done:
                data: SubscriptionData = call(idempotency_key=operation.key)
                sync.upsert_subscription(subscription.provider, data)
                operation.remote_id = data.id
    except (InvalidRequest, ProviderObjectMissing):
        _ensure_not_overtaken(subscription, verb)
        raise
    return reload(subscription)


def _ensure_not_overtaken(subscription: Subscription, verb: str) -> None:
    """Raise InvalidTransition where the provider refused because another request was quicker.

    Our row may not know yet, so the provider is asked.
    """
    try:
        data = providers.get(subscription.provider, ReadsSubscriptions).get_subscription(
            subscription.ref
        )
        current = sync.upsert_subscription(subscription.provider, data)
    except BillingError:
        return
    lifecycle.ensure(current.status, verb)


def _update_at_provider(
    subscription: Subscription,
    plan: SubscriptionPlan | None,
    interval: str | None,
    quantity: int | None,
    payment_method: PaymentMethod | None,
    request_key: str,
) -> None:
    provider = providers.get(subscription.provider, ManagesSubscriptions)
    price_id = None
    if plan or interval:
        current = subscription.price
        price_id = _provider_price(
            plan or subscription.plan,
            interval or subscription.billing_interval,
            current.currency if current else conf.default_currency,
            subscription.provider,
        ).provider_price_id
    changes = SubscriptionUpdate(
        price_id=price_id,
        quantity=quantity,
        payment_method_id=payment_method.provider_payment_method_id if payment_method else None,
    )
    _command(
        subscription,
        "change",
        request_key,
        partial(provider.update_subscription, subscription.ref, changes),
        asdict(changes),
    )


def _offer(decision: RoutingDecision, inquiry: routing.Inquiry) -> _Offer:
    provider_price = _provider_price(
        inquiry.plan, inquiry.interval, decision.currency, decision.provider
    )
    return _Offer(decision=decision, price=provider_price.price, provider_price=provider_price)


def _provider_price(
    plan: SubscriptionPlan | None, interval: str, currency: str, alias: str
) -> ProviderPrice:
    found = (
        ProviderPrice.objects.select_related("price")
        .filter(
            price__plan=plan,
            price__plan__is_active=True,
            price__interval=interval,
            price__currency=currency,
            price__archived_at=None,
            provider=alias,
            mode=conf.mode(alias),
            is_active=True,
        )
        .first()
    )
    if plan is None or found is None:
        raise PlanNotAvailable(f"{plan} has no {interval} price in {currency} at {alias}")
    return found


def _earlier(organization: AnyOrganization, request_key: str) -> Operation | None:
    """The creation that an earlier try of the same request left, to be answered or repeated."""
    operation = operations.find(organization, CREATE, request_key)
    return _repeatable(operation) if operation else None


def _repeatable(operation: Operation) -> Operation | None:
    subscription = Subscription.objects.get(pk=operation.subject_id)
    return operations.repeatable(operation, on_failed=partial(_abandon, subscription))


def _make_room(organization: AnyOrganization) -> None:
    """Refuse a second subscription in the slot; clear the organization's own unpaid attempt."""
    current = Subscription.objects.for_organization(organization).live().filter(slot="main").first()
    if current is None:
        return
    if current.status != SubscriptionStatus.INCOMPLETE:
        raise AlreadySubscribed(f"the organization has a subscription that is {current.status}")
    created = (
        Operation.objects.filter(verb=CREATE, subject_id=current.pk).order_by("-created_at").first()
    )
    if not current.provider_subscription_id and (created is None or not created.is_done):
        raise RequestInProgress(
            "an earlier purchase is still being settled", retry_after=IN_PROGRESS_SECONDS
        )
    cancel(current, at_period_end=False)


def _method(
    organization: AnyOrganization,
    alias: str,
    method: PaymentMethod | None,
    token: str,
    billing_address: Mapping[str, str] | None,
    user: Any,
    request_key: str,
) -> PaymentMethod | None:
    if method is not None and method.provider != alias:
        raise PaymentMethodElsewhere(f"the payment method is at {method.provider}, not {alias}")
    if method is not None or not token:
        return method
    return payment_methods.add(
        organization,
        token=token,
        provider=alias,
        billing_address=billing_address,
        user=user,
        request_key=request_key,
    )


def _reserve(
    organization: AnyOrganization,
    customer: Customer,
    offer: _Offer,
    quantity: int,
    method: PaymentMethod | None,
    request_key: str,
) -> Operation:
    """Commit the intent and the incomplete row under the organization's lock."""
    alias = offer.decision.provider
    with transaction.atomic():
        _lock(organization)
        again = operations.find(organization, CREATE, request_key)
        if again:
            return again
        if Subscription.objects.for_organization(organization).live().filter(slot="main").exists():
            raise RequestInProgress(
                "another purchase is being made right now", retry_after=IN_PROGRESS_SECONDS
            )
        trial = timedelta(days=offer.price.plan.trial_days)
        subscription = Subscription.objects.create(
            organization=organization,
            customer=customer,
            provider=alias,
            mode=conf.mode(alias),
            provider_customer_id=customer.provider_customer_id or "",
            provider_price_id=offer.provider_price.provider_price_id,
            provider_payment_method_id=method.provider_payment_method_id if method else "",
            plan=offer.price.plan,
            price=offer.price,
            payment_method=method,
            decision=offer.decision,
            billing_interval=offer.price.interval,
            quantity=quantity,
            trial_end=clock.now() + trial if trial else None,
            incomplete_reason=IncompleteReason.PROCESSING,
        )
        return operations.reserve(
            CREATE,
            subscription,
            organization=organization,
            provider=alias,
            request_key=request_key,
        )


def _lock(organization: AnyOrganization) -> None:
    model = apps.get_model(conf.organization_model)
    cast(Any, model)._default_manager.select_for_update(no_key=True).get(pk=organization.pk)


def _create_at_provider(subscription: Subscription, operation: Operation) -> Subscription:
    provider = providers.get(subscription.provider, ManagesSubscriptions)
    try:
        with operations.recording(operation, on_failed=partial(_abandon, subscription)):
            data = provider.create_subscription(
                _request(subscription), idempotency_key=operation.key
            )
            operation.remote_id = data.id
            sync.upsert_subscription(subscription.provider, data)
    except OutcomeUnknown:
        Subscription.objects.filter(pk=subscription.pk, provider_subscription_id=None).update(
            incomplete_reason=IncompleteReason.OUTCOME_UNKNOWN
        )
        raise
    return reload(subscription)


def _request(subscription: Subscription) -> SubscriptionRequest:
    return SubscriptionRequest(
        reference=str(subscription.pk),
        customer_id=subscription.provider_customer_id,
        price_id=subscription.provider_price_id,
        quantity=subscription.quantity,
        payment_method_id=subscription.provider_payment_method_id or None,
        trial_end_at=subscription.trial_end,
        metadata={"organization_id": str(subscription.organization_id)},
    )


def _abandon(subscription: Subscription, error: BillingError) -> None:
    """Nothing was made at the provider: the attempt is over and its slot free.

    Runs in the transaction that records the failed operation.
    """
    declined = isinstance(error, PaymentDeclined)
    ended = Subscription.objects.filter(
        pk=subscription.pk, provider_subscription_id=None, ended_at=None
    ).update(
        status=SubscriptionStatus.INCOMPLETE_EXPIRED,
        incomplete_reason="",
        ended_at=clock.now(),
        end_reason=EndReason.PAYMENT_FAILED if declined else EndReason.PROVIDER,
    )
    if ended:
        StateChange.objects.create(
            organization_id=subscription.organization_id,
            object_type="subscription",
            object_id=subscription.pk,
            provider=subscription.provider,
            cause=ChangeCause.API,
            outcome=ChangeOutcome.APPLIED,
            code=getattr(error, "decline_code", "") or error.code,
            from_state=SubscriptionStatus.INCOMPLETE,
            to_state=SubscriptionStatus.INCOMPLETE_EXPIRED,
            occurred_at=clock.now(),
        )
