"""An organization's customer at a provider: our row first, then the remote one."""

from django.db import transaction

from billing.conf import conf
from billing.errors import ProfileIncomplete
from billing.models import AnyOrganization, BillingAccount, Customer, Operation
from billing.providers.base import ManagesCustomers, PaymentProvider
from billing.providers.types import CustomerRequest
from billing.registry import providers
from billing.services import operations, sync

CREATE = "customer.create"


def ensure(organization: AnyOrganization, alias: str) -> Customer:
    """Return the organization's customer at `alias`, made there when it is not yet.

    Raises ProfileIncomplete naming what the provider requires and the billing profile lacks.
    """
    customer, _ = Customer.objects.get_or_create(
        organization=organization, provider=alias, mode=conf.mode(alias)
    )
    if customer.provider_customer_id:
        return customer
    request = _request(customer, organization, alias)
    operation = _claim_creation(customer, alias)
    if not operation.was_reserved_now:
        operation = operations.repeatable(operation) or _claim_creation(customer, alias)
    with operations.recording(operation):
        if operation.is_done:
            customer.refresh_from_db()
            return customer
        data = providers.get(alias, ManagesCustomers).create_customer(
            request, idempotency_key=operation.key
        )
        operation.remote_id = data.id
        return sync.upsert_customer(alias, data)


def settle_creation(operation: Operation) -> None:
    """Settle a creation that was left open: make the customer, unless it is made already."""
    customer = Customer.objects.select_related("organization").get(pk=operation.subject_id)
    if customer.provider_customer_id or not operations.can_repeat(operation):
        operations.look_up(operation)
    else:
        ensure(customer.organization, customer.provider)


def _claim_creation(customer: Customer, alias: str) -> Operation:
    """One creation per customer, however many requests want it: the same key to the provider."""
    with transaction.atomic():
        Customer.objects.select_for_update().get(pk=customer.pk)
        return operations.find(
            customer.organization, CREATE, str(customer.pk)
        ) or operations.reserve(
            CREATE,
            customer,
            organization=customer.organization,
            provider=alias,
            request_key=str(customer.pk),
        )


def missing_profile(organization: AnyOrganization, alias: str) -> list[str]:
    """What `alias` requires in the billing profile and does not find there.

    Nothing for a provider that is not configured any more.
    """
    account = BillingAccount.objects.for_organization(organization).first()
    return _missing(_profile(organization, account), alias)


def _profile(organization: AnyOrganization, account: BillingAccount | None) -> dict[str, str]:
    return {
        "name": (account.name if account else "") or str(organization),
        "email": account.email if account else "",
        "phone": account.phone if account else "",
    }


def _missing(profile: dict[str, str], alias: str) -> list[str]:
    if alias not in providers.aliases():
        return []
    required = providers.get(alias, PaymentProvider).features.required_profile
    return [name for name in required if not profile.get(name)]


def _request(customer: Customer, organization: AnyOrganization, alias: str) -> CustomerRequest:
    account = BillingAccount.objects.for_organization(organization).first()
    profile = _profile(organization, account)
    missing = _missing(profile, alias)
    if missing:
        raise ProfileIncomplete(
            f"{alias} requires {', '.join(missing)} in the billing profile", missing=missing
        )
    return CustomerRequest(
        reference=str(customer.pk),
        address=dict(account.address) if account else {},
        metadata={"organization_id": str(organization.pk)},
        **profile,
    )
