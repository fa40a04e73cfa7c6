"""Linking a customer that exists at a provider to an organization, because somebody said so."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from django.db import IntegrityError, transaction

from billing.conf import conf
from billing.enums import ChangeCause, OperationOutcome
from billing.errors import InvalidRequest, RequestInProgress
from billing.models import AnyOrganization, Customer, Operation
from billing.providers.base import AdoptsCustomers, ReadsCustomers
from billing.providers.types import CustomerData, Ref
from billing.registry import providers
from billing.services import customers, operations, sync

ADOPT = "customer.adopt"


def check(provider: str, customer_id: str, organization: AnyOrganization) -> CustomerData:
    """Raise InvalidRequest where the link would take a customer away from anybody."""
    ours = Customer.objects.filter(provider=provider, mode=conf.mode(provider))
    owner = ours.filter(provider_customer_id=customer_id).first()
    if owner and owner.organization_id != organization.pk:
        raise _refused(customer_id, "it is another organization's")
    own = ours.filter(organization=organization).first()
    if own and own.provider_customer_id not in (None, customer_id):
        raise _refused(customer_id, f"{organization} has {own.provider_customer_id} there already")
    reader = providers.get(provider, ReadsCustomers)
    data = reader.get_customer(Ref(id=customer_id, customer_id=customer_id))
    if data.is_deleted:
        raise _refused(customer_id, "it is deleted there")
    if data.reference and not (own and data.reference == str(own.pk)):
        raise _refused(customer_id, "it carries the reference of somebody else")
    return data


def adopt(provider: str, customer_id: str, organization: AnyOrganization) -> Customer:
    """Link `customer_id` to `organization`, and put our reference on it where the provider can.

    Repeating changes nothing. Raises InvalidRequest where it or the organization is taken,
    RequestInProgress while a customer is being made for the organization, ProviderObjectMissing,
    and what the provider raises: the link stands then, only their side does not know of it.
    """
    data = check(provider, customer_id, organization)
    customer = _link(provider, data, organization)
    if data.reference or not providers.supports(provider, AdoptsCustomers):
        return customer
    with operations.start(ADOPT, customer, customer_id) as operation:
        if operation.is_done:
            return customer
        writer = providers.get(provider, AdoptsCustomers)
        told = writer.adopt_customer(customer.ref, str(customer.pk), idempotency_key=operation.key)
        operation.remote_id = told.id
        return sync.upsert_customer(provider, told)


def _link(provider: str, data: CustomerData, organization: AnyOrganization) -> Customer:
    with _unique(data.id), transaction.atomic():
        row, _ = Customer.objects.get_or_create(
            organization=organization, provider=provider, mode=conf.mode(provider)
        )
        row = Customer.objects.select_for_update().get(pk=row.pk)
        if row.provider_customer_id is None:
            _ensure_none_is_made(row)
            # As if it carried the reference already: that links our row to it.
            named = replace(data, reference=str(row.pk))
            row = sync.upsert_customer(provider, named, cause=ChangeCause.STAFF)
        if row.provider_customer_id != data.id:
            raise _refused(data.id, f"{organization} has another customer there already")
    return row


def _ensure_none_is_made(row: Customer) -> None:
    """A creation that is open may have made a customer already: reconciliation settles it."""
    is_open = Operation.objects.filter(
        verb=customers.CREATE,
        subject_id=row.pk,
        outcome__in=[OperationOutcome.PENDING, OperationOutcome.UNKNOWN],
    ).exists()
    if is_open:
        raise RequestInProgress("a customer is being made for this organization", retry_after=90)


@contextmanager
def _unique(customer_id: str) -> Iterator[None]:
    try:
        yield
    except IntegrityError as exc:
        raise _refused(customer_id, "it was linked to another organization just now") from exc


def _refused(customer_id: str, because: str) -> InvalidRequest:
    return InvalidRequest(f"{customer_id} is not adopted: {because}", param="adopt")
