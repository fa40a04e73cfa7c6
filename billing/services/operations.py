"""Every write at a provider: the intent with its idempotency key is committed, then the call is
made outside any transaction, then its outcome is recorded."""

import logging
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

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
    UnsupportedOperation,
)
from billing.models import AnyOrganization, BaseModel, Operation

logger = logging.getLogger(__name__)

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
) -> Operation:
    """Write the intent, pending, with a fresh key for the provider. Commit it before the call."""
    operation = Operation.objects.create(
        organization=organization,
        request_key=request_key,
        verb=verb,
        step=step,
        provider=provider,
        subject_type=str(subject._meta.model_name),
        subject_id=subject.pk,
        key=f"cobro-{uuid.uuid4()}",
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
    guard: Callable[[], None] | None = None,
) -> Iterator[Operation]:
    """Commit the operation of `verb` on `subject`, yield it, and record its outcome.

    A repeated request gets the operation of its first try, hence the same key to the provider; one
    that is done already is yielded as it is (`is_done`): the caller answers with what is recorded.
    `guard` is asked only of a new operation.
    """
    operation = find(subject.organization, verb, request_key, step=step)
    if operation is None:
        if guard:
            guard()
        operation = _reserve_or_find(verb, subject, request_key, step)
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
        with transaction.atomic():
            settle(operation, OperationOutcome.FAILED, error=exc)
            if on_failed:
                on_failed(exc)
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


def _reserve_or_find(verb: str, subject: Any, request_key: str, step: str) -> Operation:
    try:
        with transaction.atomic():
            return reserve(
                verb,
                subject,
                organization=subject.organization,
                provider=subject.provider,
                request_key=request_key,
                step=step,
            )
    except IntegrityError:
        found = find(subject.organization, verb, request_key, step=step)
        if found is None:
            raise
        return found
