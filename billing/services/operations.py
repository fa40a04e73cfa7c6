"""Every write at a provider: the intent with its idempotency key is committed, then the call is
made outside any transaction, then its outcome is recorded."""

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.conf import conf
from billing.enums import OperationOutcome
from billing.errors import (
    BillingError,
    CredentialsRejected,
    InvalidRequest,
    OutcomeUnknown,
    PaymentDeclined,
    ProviderKeyConflict,
    ProviderObjectMissing,
    ProviderUnavailable,
    RateLimited,
    RequestInProgress,
    UnsupportedOperation,
)
from billing.models import AnyOrganization, BaseModel, Operation
from billing.providers.base import PaymentProvider
from billing.registry import providers
from billing.services import effects

logger = logging.getLogger(__name__)

# Stripe keeps idempotency keys for at least 24 hours; an older repetition could act twice.
KEYS_LAST = timedelta(hours=23)
RETRY_SECONDS = 5

# Nothing happened at the provider, for certain; every other failure leaves the outcome unknown.
_NOTHING_HAPPENED = (
    PaymentDeclined,
    InvalidRequest,
    CredentialsRejected,
    ProviderObjectMissing,
    ProviderKeyConflict,
    ProviderUnavailable,
    RateLimited,
    UnsupportedOperation,
)
# Of these, what tells only of this one sending: an earlier one may have had its effect.
_NOT_ASKED = (CredentialsRejected, ProviderKeyConflict, ProviderUnavailable, RateLimited)


def find(
    organization: AnyOrganization, verb: str, request_key: str, *, step: str = ""
) -> Operation | None:
    """Return the operation that an earlier try of the same request left, unless it failed."""
    if not request_key:
        return None
    return (
        Operation.objects.for_organization(organization)
        .filter(request_key=request_key, verb=verb, step=step)
        .exclude(outcome=OperationOutcome.FAILED)
        .first()
    )


def reserve(
    verb: str,
    subject: BaseModel,
    *,
    organization: AnyOrganization | None,
    provider: str,
    request_key: str = "",
    step: str = "",
    request: Mapping[str, Any] | None = None,
) -> Operation:
    """Write the intent, pending, with a fresh key for the provider. Commit it before the call.

    `request` is what it asks for, where the effect can only be told by it; no token, no secret.
    """
    operation = Operation.objects.create(
        organization=organization,
        request_key=request_key,
        verb=verb,
        step=step,
        provider=provider,
        subject_type=str(subject._meta.model_name),
        subject_id=subject.pk,
        key=f"cobro-{uuid.uuid4()}",
        request=dict(request or {}),
    )
    operation.was_reserved_now = True
    return operation


@contextmanager
def start(
    verb: str,
    subject: Any,
    request_key: str = "",
    *,
    step: str = "",
    request: Mapping[str, Any] | None = None,
    guard: Callable[[], None] | None = None,
) -> Iterator[Operation]:
    """Commit the operation of `verb` on `subject`, yield it, and record its outcome.

    A repeated request gets the operation of its first try, hence the same key to the provider; one
    that is done already is yielded as it is (`is_done`): the caller answers with what is recorded.
    What the provider would not know by its key is looked up instead, see `repeatable`. `guard` is
    asked only of a new operation.
    """
    operation = repeatable(find(subject.organization, verb, request_key, step=step))
    if operation is None:
        if guard:
            guard()
        operation = _reserve_or_find(verb, subject, request_key, step, request)
    with recording(operation):
        yield operation


@contextmanager
def recording(
    operation: Operation, *, on_failed: Callable[[BillingError], None] | None = None
) -> Iterator[None]:
    """Record how the calls inside the block ended: done, failed, or unknown.

    `on_failed` runs in the transaction that records that nothing happened at the provider. Raises
    OutcomeUnknown in place of an error that leaves open what the provider did.
    """
    if operation.is_done:
        yield
        return
    try:
        yield
    except _NOTHING_HAPPENED as exc:
        if isinstance(exc, _NOT_ASKED) and not operation.was_reserved_now:
            settle(operation, OperationOutcome.UNKNOWN, error=exc)
            raise
        _fail(operation, exc, on_failed)
        raise
    except OutcomeUnknown as exc:
        settle(operation, OperationOutcome.UNKNOWN, error=exc)
        raise
    except BillingError as exc:
        settle(operation, OperationOutcome.UNKNOWN, error=exc)
        raise OutcomeUnknown(str(exc), provider=operation.provider) from exc
    except Exception as exc:
        settle(operation, OperationOutcome.UNKNOWN)
        logger.exception("operation.broken", extra={"operation": str(operation.pk)})
        raise OutcomeUnknown(
            f"{operation.verb} broke off: {type(exc).__name__}", provider=operation.provider
        ) from exc
    else:
        settle(operation, OperationOutcome.DONE)


def _fail(
    operation: Operation, error: BillingError, on_failed: Callable[[BillingError], None] | None
) -> None:
    with transaction.atomic():
        settle(operation, OperationOutcome.FAILED, error=error)
        if on_failed:
            on_failed(error)


def settle(
    operation: Operation, outcome: OperationOutcome, *, error: BillingError | None = None
) -> None:
    """Write the outcome of `operation`."""
    operation.outcome = outcome
    operation.error_code = error.code if error else ""
    operation.decline_code = getattr(error, "decline_code", "")
    operation.finished_at = timezone.now()
    operation.save(
        update_fields=[
            "outcome", "error_code", "decline_code", "remote_id", "finished_at", "updated_at",
        ]
    )  # fmt: skip


def can_repeat(operation: Operation) -> bool:
    """Whether the provider still knows the operation's key, so that a repetition acts only once."""
    features = providers.get(operation.provider, PaymentProvider).features
    return features.has_idempotency_keys and operation.created_at > timezone.now() - KEYS_LAST


def repeatable(
    operation: Operation | None, *, on_failed: Callable[[BillingError], None] | None = None
) -> Operation | None:
    """The operation of an earlier try, done or to be sent again; None: the request starts afresh.

    Where the provider would not know the key, a second sending could act twice: what the first did
    is looked up, see `look_up`.
    """
    if operation is None or operation.is_done or can_repeat(operation):
        return operation
    look_up(operation, on_failed=on_failed)
    return operation if operation.is_done else None


def look_up(
    operation: Operation, *, on_failed: Callable[[BillingError], None] | None = None
) -> None:
    """Settle an open operation by what the provider holds: done, or failed where nothing is there.

    That nothing is there counts only once the request cannot be under way any more. Before, raises
    RequestInProgress where it may still run, OutcomeUnknown where its answer was lost. `on_failed`
    as in `recording`.
    """
    if effects.observe(operation):
        settle(operation, OperationOutcome.DONE)
        return
    error = ProviderObjectMissing("the provider shows no effect of it", provider=operation.provider)
    if operation.created_at > timezone.now() - conf.idempotency_lease:
        if operation.outcome == OperationOutcome.PENDING:
            raise RequestInProgress("it is being made right now", retry_after=RETRY_SECONDS)
        raise OutcomeUnknown("no effect is seen yet", provider=operation.provider) from error
    _fail(operation, error, on_failed)


def _reserve_or_find(
    verb: str, subject: Any, request_key: str, step: str, request: Mapping[str, Any] | None
) -> Operation:
    """The new operation, or that of a twin which was quicker, to be taken as any repetition."""

    def reserve_now() -> Operation:
        with transaction.atomic():
            return reserve(
                verb,
                subject,
                organization=subject.organization,
                provider=subject.provider,
                request_key=request_key,
                step=step,
                request=request,
            )

    try:
        return reserve_now()
    except IntegrityError:
        found = repeatable(find(subject.organization, verb, request_key, step=step))
    # A twin that has failed since left the key free.
    return found or reserve_now()
