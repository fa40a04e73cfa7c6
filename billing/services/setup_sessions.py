"""Letting a customer add a payment method in the browser, and taking in what comes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from billing.conf import conf
from billing.enums import SetupStatus
from billing.errors import ProviderObjectMissing
from billing.models import (
    AnyOrganization,
    Customer,
    Operation,
    PaymentMethod,
    SetupSession,
)
from billing.providers.base import ReadsPaymentMethods, SetsUpPaymentMethods
from billing.providers.types import Ref, SetupRequest, SetupSessionData
from billing.registry import providers
from billing.services import customers, operations, payment_methods, sync
from geo.ip import Visitor

OPEN = "setup_session.open"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupState:
    """A session as it is at the provider now, and the payment method that came of it."""

    session: SetupSession
    data: SetupSessionData
    payment_method: PaymentMethod | None = None


def open_session(
    organization: AnyOrganization,
    *,
    methods: Sequence[str] = (),
    provider: str = "",
    user: Any = None,
    visitor: Visitor | None = None,
    request_key: str = "",
) -> SetupState:
    """Open a session at `provider`, by default where a subscription would be paid.

    `methods` are words of PaymentMethodType; none: what the provider offers. Raises
    UnsupportedOperation where payment methods are not set up in sessions, ProfileIncomplete,
    InvalidRequest for a method that is not set up there, and what else the provider raises.
    """
    alias = provider or payment_methods.route(organization, user=user, visitor=visitor)
    adapter = providers.get(alias, SetsUpPaymentMethods)
    customer = customers.ensure(organization, alias)
    with operations.start(OPEN, customer, request_key) as operation:
        if operation.is_done:
            return read(SetupSession.objects.select_related("customer").get(pk=operation.pk))
        data = adapter.create_setup_session(
            SetupRequest(
                customer_id=customer.provider_customer_id or "",
                reference=str(operation.pk),
                methods=tuple(dict.fromkeys(methods)),
            ),
            idempotency_key=operation.key,
        )
        operation.remote_id = data.id
        session = _recorded(operation, customer, data)
    return SetupState(session=session, data=data)


def read(session: SetupSession) -> SetupState:
    """Ask the provider how the session stands; a payment method that it attached is recorded.

    Raises ProviderObjectMissing when the session is not there any more, or is not the customer's.
    """
    adapter = providers.get(session.provider, SetsUpPaymentMethods)
    data = adapter.get_setup_session(session.ref)
    if data.customer_id != session.ref.customer_id:
        raise ProviderObjectMissing("the session is another customer's", provider=session.provider)
    return SetupState(session=session, data=data, payment_method=_attached(session, data))


def _recorded(operation: Operation, customer: Customer, data: SetupSessionData) -> SetupSession:
    session, _ = SetupSession.objects.get_or_create(
        pk=operation.pk,
        defaults={
            "organization": customer.organization,
            "customer": customer,
            "provider": customer.provider,
            "mode": conf.mode(customer.provider),
            "provider_setup_session_id": data.id,
        },
    )
    return session


def _attached(session: SetupSession, data: SetupSessionData) -> PaymentMethod | None:
    """Our row of it. The webhook that tells of it may be later than the customer's return."""
    if data.status is not SetupStatus.SUCCEEDED or not data.payment_method_id:
        return None
    known = PaymentMethod.objects.select_related("customer").filter(
        customer=session.customer, provider_payment_method_id=data.payment_method_id
    )
    if not known.exists():
        ref = Ref(id=data.payment_method_id, customer_id=data.customer_id)
        reader = providers.get(session.provider, ReadsPaymentMethods)
        sync.upsert_payment_method(session.provider, reader.get_payment_method(ref))
    return known.filter(is_active=True).first()
