"""Statements about what was asked: operations, outbox, keys, and the guards of the database."""

from typing import Any

from django.apps import apps
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet

from billing.enums import IdempotencyStatus, OperationOutcome, OutboxState
from billing.lifecycle import TERMINAL_REFUND
from billing.models import IdempotencyKey, Operation, OutboxMessage, Refund, Subscription
from billing.services import refunds, subscriptions
from billing.services.invariants.base import statement


def _creations() -> QuerySet[Operation]:
    made = Operation.objects.filter(verb__in=[subscriptions.CREATE, refunds.CREATE])
    return made.filter(subject_id=OuterRef("pk"))


@statement("An operation has an end exactly when its outcome is no longer pending.")
def operation_has_its_end() -> QuerySet[Any, Any]:
    is_pending = Q(outcome=OperationOutcome.PENDING)
    return Operation.objects.filter(
        (is_pending & Q(finished_at__isnull=False)) | (~is_pending & Q(finished_at=None))
    ).values_list("pk", flat=True)


def _reserved() -> tuple[QuerySet[Subscription], QuerySet[Refund]]:
    """What the provider has not told us of: it may be that it was never asked."""
    return (
        Subscription.objects.filter(provider_subscription_id=None),
        Refund.objects.filter(provider_refund_id=None),
    )


@statement("A subscription or refund whose creation is done is known by the provider's id.")
def creation_has_its_result() -> QuerySet[Any, Any]:
    is_done = Exists(_creations().filter(outcome=OperationOutcome.DONE))
    bought, returned = (rows.filter(is_done).values_list("pk", flat=True) for rows in _reserved())
    return bought.union(returned, all=True)


@statement("One that is not over and not at the provider has a creation that can end so.")
def reservation_is_carried_out() -> QuerySet[Any, Any]:
    is_open = Exists(_creations().exclude(outcome=OperationOutcome.FAILED))
    bought, returned = _reserved()
    running = bought.filter(~is_open, ended_at=None).values_list("pk", flat=True)
    lasting = returned.filter(~is_open).exclude(status__in=TERMINAL_REFUND)
    return running.union(lasting.values_list("pk", flat=True), all=True)


@statement("A message of the outbox has a time exactly when it is done.")
def sent_message_has_its_time() -> QuerySet[Any, Any]:
    is_done = Q(state=OutboxState.DONE)
    return OutboxMessage.objects.filter(
        (is_done & Q(processed_at=None)) | (~is_done & Q(processed_at__isnull=False))
    ).values_list("pk", flat=True)


@statement("A claim on a message has a lease, and a message that is done is claimed by nobody.")
def message_claim_is_whole() -> QuerySet[Any, Any]:
    is_half = Q(claim_id=None, claimed_until__isnull=False) | Q(
        claim_id__isnull=False, claimed_until=None
    )
    is_over = Q(state=OutboxState.DONE, claim_id__isnull=False)
    return OutboxMessage.objects.filter(is_half | is_over).values_list("pk", flat=True)


@statement("A message that failed or is dead was tried and says why.")
def failed_message_says_why() -> QuerySet[Any, Any]:
    return (
        OutboxMessage.objects.filter(state__in=[OutboxState.FAILED, OutboxState.DEAD])
        .filter(Q(attempts=0) | Q(error_message=""))
        .values_list("pk", flat=True)
    )


@statement("An idempotency key that is done has the answer to repeat.")
def done_key_has_its_answer() -> QuerySet[Any, Any]:
    return IdempotencyKey.objects.filter(
        status=IdempotencyStatus.DONE, response_status=None
    ).values_list("pk", flat=True)


@statement("Every constraint that the models declare is in the database.")
def constraints_are_in_the_database() -> list[str]:
    """They hold the rest: one running subscription per slot, one event per id, frozen prices."""
    missing = []
    with connection.cursor() as cursor:
        for model in apps.get_app_config("billing").get_models():
            table = model._meta.db_table
            present = connection.introspection.get_constraints(cursor, table)
            declared = {constraint.name for constraint in model._meta.constraints}
            missing += sorted(declared - present.keys())
    return missing
